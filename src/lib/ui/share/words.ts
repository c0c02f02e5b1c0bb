/** What is said about the app as one file. Pure. */
import type { CarriedFacts } from '#lib/ports/carried.ts';
import type { Code } from '#lib/protocol/errors.ts';
import { wordsFor } from '../words.ts';

/** Who vouches for the copy that runs. */
export function carriedWords({ signers, needed, development }: CarriedFacts): string {
	if (signers === undefined)
		return 'This copy runs from a file. Nobody signed it: trust it as far as whoever gave it to you.';
	if (development)
		return 'This copy runs from a file. It is signed with the key for trying things out, which anyone can make: that says nothing about who built it.';
	return `This copy runs from a file. Each of its files is the one signed by ${signers.join(', ')} (${needed} had to). Only a SHA-256 you compared with somebody you trust says that the file itself is theirs.`;
}

/** Why no file could be made. */
export function shareRefused(code: Code): string {
	switch (code) {
		case 'malformed':
			return 'This copy was built without a release, so its files cannot be checked and none is made. "npm run carry" makes one from a build.';
		case 'unreachable':
			return 'Not all of its files are on this device yet. Try again when the connection is back.';
		case 'weights-corrupt':
			return 'A file of this app is not the one that was released, so none is made. Reload this page, then try again.';
		default: {
			const { happened, todo } = wordsFor(code);
			return `${happened} ${todo}`.trim();
		}
	}
}

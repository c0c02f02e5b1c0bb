/** What is said about ways to find others. Pure. */
import type { DoorsState, Found } from '#lib/ports/doors.ts';
import type { Code } from '#lib/protocol/errors.ts';
import { wordsFor } from '../words.ts';

/** An account or a node in short: enough to compare aloud, the whole is one click away. */
export function short(id: string): string {
	const bare = id.replace(/^did:key:/, '');
	return bare.length <= 16 ? bare : `${bare.slice(0, 8)}…${bare.slice(-6)}`;
}

/** Where the search stands, in one sentence. */
export function stageWords({ stage, caution }: DoorsState): string {
	switch (stage) {
		case 'off':
			return 'Not looking: the mesh is off.';
		case 'met-relays':
		case 'met-tabs':
			return 'Looking for those met before.';
		case 'directory':
			return 'Asking the list that came with the app.';
		case 'named':
			return 'Trying relays that others named.';
		case 'found':
			return 'Connected to a relay.';
		case 'nobody':
			return caution === 'known'
				? 'Nobody met before answers. An invitation brings you in, or allow the other ways below.'
				: 'Nobody answers just now. It goes on trying; an invitation from somebody who is in helps.';
	}
}

/** How many machines' addresses stand in it. */
const machines = (count: number) => (count === 1 ? 'one relay' : `${count} relays`);

/** What was found, who signed it, and what using it does. */
export function foundWords(found: Found): { readonly what: string; readonly who: string; readonly does: string } {
	const sees = 'Whoever runs it sees your network address, and whom you are introduced to; never your prompts.';
	switch (found.kind) {
		case 'invitation':
			return {
				what:
					found.name === undefined
						? 'An invitation.'
						: `An invitation from somebody who calls themselves “${found.name}”.`,
				who: `Signed by account ${short(found.signer)}, ${found.metBefore ? 'which you have met before' : 'which you have not met before'}.`,
				does: `It connects to ${machines(found.relays.length)} of their choice. ${sees}`
			};
		case 'node':
			return {
				what: found.role === 'relay' ? 'A relay’s own statement.' : 'The address of somebody’s computer.',
				who: `Signed by ${found.role === 'relay' ? 'the relay itself' : 'account'} ${short(found.signer)}, ${found.metBefore ? 'met before' : 'not met before'}.`,
				does: `It connects there and remembers it. ${sees}`
			};
		case 'relay':
			return {
				what: 'The address of a relay.',
				who: 'Nobody signed it: trust it as far as whoever gave it to you.',
				does: `It connects there. ${sees}`
			};
		case 'directory':
			return {
				what: `A list of ${machines(found.relays.length)}.`,
				who: 'Nobody signed it: trust it as far as whoever gave it to you.',
				does: `It connects to all of them. ${sees}`
			};
	}
}

/** Why a pasted text was not taken. */
export function refusedWords(code: Code): string {
	switch (code) {
		case 'expired':
			return 'This invitation is over. Ask for a new one.';
		case 'malformed':
		case 'oversized':
		case 'not-canonical':
		case 'unknown-type':
			return 'This is no invitation, no relay’s address and no list of relays. Copy it whole, and nothing beside it.';
		case 'unknown-version':
			return 'This invitation was made by a newer version. Update Fireweed, then try again.';
		case 'bad-signature':
		case 'bad-certificate':
		case 'wrong-signer':
			return 'This invitation was changed on its way, or was not made by the one it names. Ask for it again by another way.';
		case 'relay-unavailable':
			return 'An invitation leads over a relay, and none is connected now. Choose The mesh first, then try again.';
		default: {
			const { happened, todo } = wordsFor(code);
			return `${happened} ${todo}`.trim();
		}
	}
}

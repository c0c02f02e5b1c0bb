/**
 * The list of relays beside the app, `directory.json` (docs/spec/doors.md). It is served from where the app itself came from, so it is
 * trusted as far as the app is; the service worker keeps the last one for when that place is gone.
 */
import { isRelayAddress } from '#lib/protocol/invitation.ts';

/** Relays taken from one directory. */
const MAX_RELAYS = 8;
/** Longest directory that is read, characters. */
const MAX_DIRECTORY = 16_384;

/** The relays of a directory's text, without what is no relay address; empty for anything else. Never throws. */
export function readDirectory(text: string): readonly string[] {
	if (text.length > MAX_DIRECTORY) return [];
	try {
		const value: unknown = JSON.parse(text);
		if (typeof value !== 'object' || value === null || !('relays' in value) || !Array.isArray(value.relays)) return [];
		return value.relays
			.filter((relay): relay is string => typeof relay === 'string' && isRelayAddress(relay))
			.slice(0, MAX_RELAYS);
	} catch {
		return [];
	}
}

/** Fetches the directory in the app's folder; empty when there is none. `base`: address of the page. */
export async function fetchDirectory(base: string, fetcher: typeof fetch = fetch): Promise<readonly string[]> {
	try {
		const answer = await fetcher(new URL('directory.json', base), { credentials: 'omit' });
		return answer.ok ? readDirectory(await answer.text()) : [];
	} catch {
		return [];
	}
}

/**
 * A list of relays as text: `directory.json` beside the app, or pasted (docs/spec/directory.md). What is in it is believed by signatures alone,
 * which others check; the service worker keeps the last one for when its place is gone.
 */
import { base64url } from 'multiformats/bases/base64';
import { MAX_SIGNED_DIRECTORY } from '#lib/protocol/directory.ts';
import { Refusal } from '#lib/protocol/errors.ts';

/** Longest text that is read, characters. */
const MAX_TEXT = 20_000;

/** The SignedDirectory in the text, unbelieved. Refusals: `too-few-keys` for a list that nobody signed, `malformed` for anything else. */
export function readDirectory(text: string): Uint8Array {
	if (text.length > MAX_TEXT) throw new Refusal('oversized', 'directory');
	let value: unknown;
	try {
		value = JSON.parse(text);
	} catch {
		throw new Refusal('malformed', 'directory');
	}
	const { version, signed, relays } = Object(value) as Record<string, unknown>;
	if (signed === undefined && Array.isArray(relays)) throw new Refusal('too-few-keys', 'nobody signed it');
	if (version !== 2 || typeof signed !== 'string' || !/^[\w-]+$/.test(signed))
		throw new Refusal('malformed', 'directory');
	try {
		return base64url.baseDecode(signed).subarray(0, MAX_SIGNED_DIRECTORY + 1);
	} catch {
		throw new Refusal('malformed', 'directory');
	}
}

/** The text of a SignedDirectory. */
export function directoryText(bytes: Uint8Array): string {
	return `${JSON.stringify({ version: 2, signed: base64url.baseEncode(bytes) })}\n`;
}

/** The one in the app's folder, unbelieved; undefined when there is none. `base`: address of the page. Refusals of `readDirectory`. */
export async function fetchDirectory(base: string, fetcher: typeof fetch = fetch): Promise<Uint8Array | undefined> {
	const answer = await fetcher(new URL('directory.json', base), { credentials: 'omit' }).catch(() => undefined);
	return answer?.ok ? readDirectory(await answer.text()) : undefined;
}

/** The one page the loader writes itself: what runs cannot be shown, and the person decides what happens. No script, no picture, no style from elsewhere. */
import type { Code } from '#lib/protocol/errors.ts';

/** What the page says and offers. */
export interface RecoveryFacts {
	/** `gone`: files are missing here and at the server. `offline`: missing here, and no server answers. */
	readonly why: 'gone' | 'offline' | 'did-not-start';
	/** A newer release that was verified and is here. */
	readonly newer: { readonly cid: string; readonly name: string; readonly signers: readonly string[] } | undefined;
	/** Why what the server offers was refused. */
	readonly refused: Code | undefined;
	/** Name of the release before, when it is still here. */
	readonly previous: string | undefined;
}

const WHY = {
	gone: 'The browser removed a part of Fireweed, and the server no longer has this version.',
	offline: 'The browser removed a part of Fireweed, and no server answers to fetch it again.',
	'did-not-start': 'Fireweed was opened several times and did not start.'
} as const;

/** Why a release may be refused: sentences of the loader's own, whose bytes stay when those of the app change. */
const REFUSED: Readonly<Partial<Record<Code, string>>> = {
	'too-few-keys': 'Fewer keys have signed it than must.',
	'wrong-role': 'It carries the signature of a key that may not sign this.',
	'bad-signature': 'A signature on it does not hold.',
	'other-line': 'It belongs to another app.',
	'broken-succession': 'Its keys do not follow from the keys known here.',
	'rolled-back': 'It is older than one that was accepted before.',
	'same-number': 'It has the number of another release.',
	'fast-forward': 'Its number lies further ahead than a release may jump.',
	'mixed-release': 'Its parts belong to different releases.',
	oversized: 'It is larger than a release may be.'
};
const NOT_A_RELEASE = 'It is not a release.';

/** 503 would be honest, but browsers show pages of any status alike, and some replace those of 5xx. */
export function recoveryPage({ why, newer, refused, previous }: RecoveryFacts): Response {
	const choices = [
		newer && link('newer', `Start version ${newer.name}, signed by ${newer.signers.join(', ')}`),
		previous && link('previous', `Go back to version ${previous}`),
		link('again', 'Try again')
	];
	const body = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="content-security-policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="color-scheme" content="light dark"><title>Fireweed</title>
<style>body{font:1rem/1.5 system-ui,sans-serif;max-inline-size:36rem;margin:3rem auto;padding:0 1rem}li{margin:.75rem 0}a{display:inline-block;padding:.6rem 0}</style></head>
<body><h1>Fireweed needs your word</h1>
<p>${WHY[why]} Your conversations and your key are still on this device.</p>
${refused ? `<p>The server offers something else. It was refused: ${REFUSED[refused] ?? NOT_A_RELEASE}</p>` : ''}
<ul>${choices.flatMap((choice) => (choice ? [`<li>${choice}</li>`] : [])).join('')}</ul></body></html>`;
	return new Response(body, { headers: { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' } });
}

function link(choice: string, words: string): string {
	return `<a href="./?loader=${choice}">${escaped(words)}</a>`;
}

/** Names come from those who hold keys; they are text all the same. */
function escaped(text: string): string {
	return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

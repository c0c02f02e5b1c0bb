/** The one page the loader writes itself: what runs cannot be shown, and the person decides what happens. No script, no picture, no style from elsewhere. */
import { CODES, type Code } from '#lib/protocol/errors.ts';

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
${refused ? `<p>The server offers something else. It was refused: ${escaped(CODES[refused])}</p>` : ''}
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

/** Makes the one file that opens without a server: a page with every file of the app in it, and the few lines that start it. */
import { sha256 } from '@noble/hashes/sha2.js';
import { packed, toPageBytes, type Place } from './container.ts';

/** Suggested name of the file. */
export const CARRIED_NAME = 'Fireweed.html';
/** Ids of the elements that the boot reads. */
export const FILES_ID = 'fireweed-files';
export const INDEX_ID = 'fireweed-index';
export const BOOT_ID = 'fireweed-boot';

/** A file of the app; `packed` when it is already gzip. */
export interface CarriedFile {
	readonly path: string;
	readonly bytes: Uint8Array;
	readonly packed?: boolean;
}

/**
 * Not carried: the GPU engine (6 MB, and its models come from the network anyway), the loader (a page on disk has none), icons, and
 * the twins that a server may hand out instead.
 */
export function isCarried(path: string): boolean {
	return !/(\/webllm-[\w-]+\.js|^service-worker\.js|\.gz|\.png|\.webmanifest|\.car)$/.test(path);
}

/**
 * The page as parts of a Blob or file, in order. `code`: the module that starts it, in one file that imports nothing.
 */
export async function carriedPage(
	files: readonly CarriedFile[],
	code: string
): Promise<readonly Uint8Array<ArrayBuffer>[]> {
	const boot = inline(code);
	const places: Place[] = [];
	const parts: Uint8Array<ArrayBuffer>[] = [];
	let at = 0;
	for (const file of [...files].filter(({ path }) => isCarried(path)).sort((a, b) => (a.path < b.path ? -1 : 1))) {
		const small = file.packed === true ? file.bytes : await packed(file.bytes);
		const isSmaller = file.packed === true || small.length < file.bytes.length;
		const bytes = isSmaller ? small : file.bytes;
		places.push({ path: file.path, at, length: bytes.length, packed: isSmaller });
		at += bytes.length;
		parts.push(toPageBytes(bytes).slice());
	}
	const hash = sha256Base64(boot);
	// `script-src` names the boot by its hash and lets it make blobs; nothing else in the page runs, and nothing leaves but WebSockets to relays.
	const policy = `default-src 'none'; script-src 'sha256-${hash}' blob: 'wasm-unsafe-eval'; worker-src blob:; style-src 'unsafe-inline'; img-src data: blob:; connect-src blob: https: ws: wss:; base-uri 'none'; form-action 'none'`;
	const head = `<!doctype html>
<html lang="en">
<head>
<meta charset="windows-1252">
<meta http-equiv="content-security-policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>Fireweed</title>
</head>
<body>
<noscript>Fireweed runs in this page and needs JavaScript.</noscript>
<div id="app"><p id="fireweed-say" style="font:16px system-ui;padding:1rem">Unpacking Fireweed ...</p></div>
<script type="application/json" id="${INDEX_ID}">${JSON.stringify(places)}</script>
<script type="text/plain" id="${FILES_ID}">`;
	const tail = `</script>
<script type="module" id="${BOOT_ID}">${boot}</script>
</body>
</html>
`;
	const text = new TextEncoder();
	return [text.encode(head), ...parts, text.encode(tail)];
}

/** The same program in letters that mean the same in every encoding and cannot end the element it stands in. */
function inline(code: string): string {
	return code
		.replace(/[^\n\t\x20-\x7e]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`)
		.replace(/<(?=\/script|!--)/gi, '\\x3c');
}

/** By noble: this is also how one leaves an insecure page, where the browser's own is withheld. */
function sha256Base64(text: string): string {
	return btoa(String.fromCharCode(...sha256(new TextEncoder().encode(text))));
}

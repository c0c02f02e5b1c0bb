/**
 * Fetches a folder by its content address from gateways that need not be trusted: `npm run mirror -- <cid> <folder> <gateway>…`. Run again, it
 * goes on where it stopped. A gateway is an address; with `*.` before its host it is asked by subdomain.
 */
import { createHash } from 'node:crypto';
import { mkdir, open, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { codeOf } from '#lib/protocol/errors.ts';
import type { Gateway, Shelf } from '#lib/survival/gateways/blocks.ts';
import { Fetcher } from '#lib/survival/gateways/fetcher.ts';
import { gatewayOf } from '#lib/survival/gateways/kept.ts';

const USAGE =
	'Usage: npm run mirror -- <cid> <folder> <gateway> [<gateway> …], e.g. https://gateway.example or https://*.gateway.example';

/** Blocks beside the folder, so that what was broken off goes on. */
function shelfIn(folder: string): Shelf {
	return {
		get: (cid) => readFile(path.join(folder, cid)).catch(() => undefined),
		put: async (cid, block) => {
			await mkdir(folder, { recursive: true });
			await writeFile(path.join(folder, cid), block);
		}
	};
}

/** Fetches all files; resolves to how many, and how many gateways lied. Refusals of the fetcher. */
export async function mirror(
	root: string,
	folder: string,
	gateways: readonly Gateway[],
	signal: AbortSignal,
	say: (line: string) => void = () => undefined
): Promise<{ readonly files: number; readonly liars: number }> {
	const fetcher = new Fetcher({
		gateways,
		fetch: (address, init) => fetch(address, init),
		shelf: shelfIn(`${folder}.blocks`)
	});
	let files = 0;
	for await (const { path: name, cid } of fetcher.files(root, signal)) {
		const at = path.join(folder, name);
		await mkdir(path.dirname(at), { recursive: true });
		// Half a file must never look like one.
		const part = await open(`${at}.part`, 'w');
		const hash = createHash('sha256');
		try {
			for await (const piece of fetcher.read(cid, { signal })) {
				hash.update(piece);
				await part.write(piece);
			}
		} finally {
			await part.close();
		}
		await rename(`${at}.part`, at);
		files += 1;
		say(`${name}  sha256 ${hash.digest('hex')}`);
	}
	return { files, liars: fetcher.liars };
}

if (import.meta.main) {
	const [root, folder, ...gateways] = process.argv.slice(2);
	if (root === undefined || folder === undefined || gateways.length === 0) {
		console.error(USAGE);
		process.exitCode = 1;
	} else {
		try {
			const { files, liars } = await mirror(
				root,
				folder,
				gateways.map((address) => gatewayOf(address)),
				new AbortController().signal,
				console.log
			);
			console.log(`${files} files in ${folder}, every block checked. ${liars} of ${gateways.length} gateways lied.`);
		} catch (error) {
			console.error(
				`Not all could be fetched: ${codeOf(error)}. Run it again to go on, with more gateways if they failed.`
			);
			process.exitCode = 1;
		}
	}
}

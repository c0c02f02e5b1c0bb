/** The built app under keys of a test: the development root in it is replaced, then it is signed anew, as often and as wrongly as wanted. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { dagOf } from '../../scripts/release/dag.ts';
import { listOf, payloadOf, readFolder } from '../../scripts/release/folder.ts';
import type { ReleaseManifest } from '#lib/protocol/release.ts';
import { PARTS } from '#lib/survival/release.ts';
import { keysBody, manifestBody, release, signedKeys } from './release.ts';

export type Files = ReadonlyMap<string, Uint8Array>;

/** What is signed, and how. */
export interface SignedBuildInit {
	/** Shown as `<html data-release>`, and the release's name. */
	readonly name: string;
	readonly manifest?: Partial<ReleaseManifest>;
	readonly signers?: readonly number[];
	/** Last changes to the files, before they are listed. */
	readonly change?: (files: Map<string, Uint8Array>) => void;
}

/** First keys of the line these builds belong to. */
export const testRoot = async () => (await signedKeys(keysBody(), [1, 2])).bytes;

/** The build in `folder`, as a release of the test line. */
export async function signedBuild(folder: string, init: SignedBuildInit): Promise<Map<string, Uint8Array>> {
	const root = await testRoot();
	const mended = await withRoot(payloadOf(await readFolder(folder)), root);
	const page = text(mended.get('index.html'));
	mended.set('index.html', bytes(page.replace('<html lang="en"', `<html lang="en" data-release="${init.name}"`)));
	init.change?.(mended);
	const list = listOf(mended);
	const of = { encoded: list.encoded, files: list.sha256, count: list.count, bytes: list.bytes };
	const issuedAt = Date.now();
	const app = (await dagOf(mended)).root as ReleaseManifest['app'];
	const dated = { name: init.name, app, issuedAt, expiresAt: issuedAt + 90 * 86_400_000, ...init.manifest };
	const parts = await release([root], manifestBody(dated, of), init.signers ?? [1, 2], list.encoded);
	for (const part of ['keys', 'manifest', 'files'] as const) mended.set(PARTS[part].path, parts[part]);
	return mended;
}

/** Puts other first keys into every script that has the development ones baked in. */
async function withRoot(files: Files, root: Uint8Array): Promise<Map<string, Uint8Array>> {
	const source = await readFile(path.resolve(import.meta.dirname, '../../src/lib/survival/root.ts'), 'utf8');
	const baked = /'([A-Za-z0-9+/=]{100,})'/.exec(source)?.[1];
	if (!baked) throw new Error('root.ts holds no first keys');
	let found = 0;
	const mended = new Map<string, Uint8Array>();
	for (const [name, content] of files) {
		const script = name.endsWith('.js') ? text(content) : '';
		if (script.includes(baked)) {
			found += 1;
			mended.set(name, bytes(script.replaceAll(baked, Buffer.from(root).toString('base64'))));
		} else mended.set(name, content);
	}
	if (found < 2) throw new Error('the first keys stand in loader and page; the build has them elsewhere');
	return mended;
}

const text = (content: Uint8Array | undefined) => Buffer.from(content ?? []).toString('utf8');
const bytes = (content: string) => new Uint8Array(Buffer.from(content));

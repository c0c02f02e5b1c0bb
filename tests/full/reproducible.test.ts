/** Two clean clones in different folders give the same release, byte for byte: whoever signs can look for themselves. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';

const run = promisify(execFile);
const ROOT = path.resolve(import.meta.dirname, '../..');
const MINUTES = 60_000;

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(path.join(tmpdir(), 'fireweed-clones-'))));
afterAll(() => rm(folder, { recursive: true, force: true }));

/** The last commit, cloned to `where` and made into a release there. The tools are those of this checkout. */
async function releaseIn(where: string): Promise<{ cid: string; car: Uint8Array }> {
	const clone = path.join(folder, where);
	await run('git', ['clone', '--quiet', '--no-hardlinks', ROOT, clone]);
	await symlink(path.join(ROOT, 'node_modules'), path.join(clone, 'node_modules'));
	const { stdout } = await run(process.execPath, ['scripts/release.mjs'], { cwd: clone, maxBuffer: 1024 ** 2 });
	return {
		cid: /^CID +(\S+)$/m.exec(stdout)?.[1] ?? '',
		car: await readFile(path.join(clone, '.fireweed/release/app.car'))
	};
}

test('two clones, one name and the same blocks', { timeout: 15 * MINUTES }, async () => {
	const first = await releaseIn('a');
	const second = await releaseIn('another folder/with a longer name');
	expect(first.cid).toMatch(/^bafybei/);
	expect(second.cid).toBe(first.cid);
	expect(Buffer.compare(first.car, second.car)).toBe(0);
});

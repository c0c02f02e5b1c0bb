import { afterEach, expect, test, vi } from 'vitest';
import { registerShell, type ShellComponents } from '#lib/survival/shell.ts';
import type { ShellState } from '#lib/ports/shell.ts';

/** A worker that answers `complete` from a list, one answer a question. */
class Worker extends EventTarget {
	readonly said: unknown[] = [];
	state = 'activated';
	readonly answers: unknown[];
	constructor(...answers: unknown[]) {
		super();
		this.answers = answers;
	}
	postMessage(message: unknown, ports: MessagePort[] = []) {
		this.said.push(message);
		if (ports[0] && this.answers.length > 0) ports[0].postMessage(this.answers.shift());
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

function setUp(found: Registration | Error, known?: Registration) {
	const container = Object.assign(new EventTarget(), {
		asked: [] as unknown[],
		async register(url: URL, options: unknown) {
			container.asked.push([url.href, options]);
			if (found instanceof Error) throw found;
			return found;
		},
		getRegistration: async () => known
	});
	const reload = vi.fn();
	const components = { isSecureContext: true, serviceWorker: container, base: 'http://host/ipfs/cid/', reload };
	const states: ShellState[] = [];
	const start = (change: object = {}) =>
		registerShell((state) => states.push(state), { ...components, ...change } as unknown as ShellComponents);
	const kinds = () => states.map((state) => state.kind);
	return { start, states, kinds, container, reload };
}

afterEach(() => void vi.useRealTimers());

test('an insecure context and a browser without workers are said at once', () => {
	const { start, states } = setUp(new Registration());
	start({ isSecureContext: false, serviceWorker: undefined });
	start({ serviceWorker: undefined });
	expect(states).toEqual([{ kind: 'insecure-context' }, { kind: 'unsupported' }]);
});

test('a refused registration is blocked with its reason', async () => {
	const { start, states, kinds } = setUp(new Error('denied'));
	start();
	await vi.waitFor(() => expect(kinds()).toEqual(['installing', 'blocked']));
	expect(states[1]).toMatchObject({ why: expect.stringContaining('denied') });
});

test('offline, a worker that is already there counts', async () => {
	const known = Object.assign(new Registration(), { active: new Worker({ have: 3, want: 3 }) });
	const { start, kinds } = setUp(new Error('offline'), known);
	start();
	await vi.waitFor(() => expect(kinds()).toEqual(['installing', 'ready']));
});

test('the worker is the one beside the page, for the page’s folder', async () => {
	const { start, container } = setUp(Object.assign(new Registration(), { active: new Worker({ have: 1, want: 1 }) }));
	start();
	expect(container.asked).toEqual([
		['http://host/ipfs/cid/service-worker.js', { scope: 'http://host/ipfs/cid/', updateViaCache: 'none' }]
	]);
});

test('first install: installing, then ready once every file is held; asked again while some are not', async () => {
	vi.useFakeTimers();
	const registration = Object.assign(new Registration(), {
		installing: new Worker({ have: 2, want: 3 }, { have: 3, want: 3 })
	});
	const { start, states } = setUp(registration);
	start();
	await vi.advanceTimersByTimeAsync(0);
	const worker = registration.installing as Worker;
	registration.active = worker;
	worker.become('activated');
	vi.useRealTimers();
	await vi.waitFor(() => expect(states.at(-1)).toEqual({ kind: 'installing', have: 2, want: 3 }));
});

test('an unfinished fill is tried again later', async () => {
	vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
	const worker = new Worker({ have: 2, want: 3 }, { have: 3, want: 3 });
	const { start, kinds } = setUp(Object.assign(new Registration(), { active: worker }));
	const registration = start();
	const settle = () => new Promise((resolve) => setImmediate(resolve));
	for (let i = 0; i < 20 && worker.said.length < 1; i += 1) await settle();
	for (let i = 0; i < 20 && kinds().length < 2; i += 1) await settle();
	await vi.advanceTimersByTimeAsync(30_000);
	for (let i = 0; i < 20 && kinds().length < 3; i += 1) await settle();
	expect(kinds()).toEqual(['installing', 'installing', 'ready']);
	registration.stop();
});

test('a failed first install is blocked; a failed update leaves the state as it is', async () => {
	const first = Object.assign(new Registration(), { installing: new Worker() });
	const a = setUp(first);
	a.start();
	await vi.waitFor(() => expect(a.kinds()).toEqual(['installing']));
	await Promise.resolve();
	first.installing?.become('redundant');
	expect(a.kinds()).toEqual(['installing', 'blocked']);

	const update = Object.assign(new Registration(), {
		active: new Worker({ have: 1, want: 1 }),
		installing: new Worker()
	});
	const b = setUp(update);
	b.start();
	await vi.waitFor(() => expect(b.kinds()).toEqual(['installing', 'ready']));
	update.installing?.become('redundant');
	expect(b.kinds()).toEqual(['installing', 'ready']);
});

test('an update waits until it is applied, then the page reloads under it', async () => {
	const waiting = new Worker();
	const registration = Object.assign(new Registration(), { active: new Worker(), waiting });
	const { start, states, kinds, container, reload } = setUp(registration);
	start();
	await vi.waitFor(() => expect(kinds()).toEqual(['installing', 'update-ready']));
	const state = states[1];
	if (state?.kind !== 'update-ready') throw new Error('no update');
	expect(waiting.said).toEqual([]);
	state.apply();
	expect([waiting.said, reload.mock.calls.length]).toEqual([[{ fireweed: 'activate' }], 0]);
	container.dispatchEvent(new Event('controllerchange'));
	expect(reload).toHaveBeenCalledOnce();
});

test('nonsense from a worker of another version is not taken for ready, and stop ends all reports', async () => {
	const registration = Object.assign(new Registration(), { active: new Worker({ have: '3', want: undefined }) });
	const { start, states, kinds } = setUp(registration);
	const shell = start();
	await vi.waitFor(() => expect(states).toEqual([{ kind: 'installing' }, { kind: 'installing' }]));
	shell.stop();
	registration.installing = new Worker();
	registration.dispatchEvent(new Event('updatefound'));
	registration.installing.become('installed');
	expect(kinds()).toEqual(['installing', 'installing']);
});

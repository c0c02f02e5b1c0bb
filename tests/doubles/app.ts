/**
 * A scripted `App` for the screens: realistic timing, no engine, no network. Never part of the build.
 * In Node, `fakeApp()` gives a test full control; in a browser, `createTab()` reads `?scene=` and keeps its tables across reloads.
 */
import type {
	App,
	ContributeState,
	EngineState,
	LocalEvent,
	MeshState,
	Offer,
	OpenedReceipt,
	Watched,
	Wish
} from '#lib/node/app.ts';
import { DEFAULT_LIMITS } from '#lib/market/lending.ts';
import { withoutPerson, withPerson, type Person } from '#lib/market/people.ts';
import type { ContributeEvent, ExecutorFacts, OriginateEvent } from '#lib/node/events.ts';
import { fixedAnswer } from '#lib/node/fixed.ts';
import { Gathering, partsOf } from '#lib/protocol/file-pictures.ts';
import type { House } from '#lib/node/house.ts';
import type { LoadProgress } from '#lib/ports/engine.ts';
import type { ReceiptRecord, Store, Table, TableChange } from '#lib/ports/store.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import { FakeDoors } from './doors.ts';
import { MemoryModels, type MemoryModelsInit } from './models.ts';

/** A value that can be watched and set. */
class Value<T> implements Watched<T> {
	value: T;
	readonly #listeners = new Set<(value: T) => void>();
	constructor(value: T) {
		this.value = value;
	}
	set(value: T): void {
		this.value = value;
		for (const listener of this.#listeners) listener(value);
	}
	observe(listener: (value: T) => void): () => void {
		this.#listeners.add(listener);
		listener(this.value);
		return () => this.#listeners.delete(listener);
	}
}

/** A table in memory; `save` hears every change of the whole. */
class FakeTable<T> implements Table<T> {
	readonly rows = new Map<string, T>();
	readonly #key: (value: T) => string;
	readonly #time: (value: T) => number;
	readonly #save: () => void;
	readonly #listeners = new Set<(change: TableChange) => void>();
	/** Set to make every write fail. */
	refuse: Refusal | undefined;
	constructor(key: (value: T) => string, time: (value: T) => number, save: () => void = () => {}) {
		this.#key = key;
		this.#time = time;
		this.#save = save;
	}
	async get(key: string): Promise<T | undefined> {
		return this.rows.get(key);
	}
	async put(value: T): Promise<void> {
		if (this.refuse) throw this.refuse;
		this.rows.set(this.#key(value), structuredClone(value));
		this.#tell({ key: this.#key(value), kind: 'put' });
	}
	async delete(key: string): Promise<void> {
		this.rows.delete(key);
		this.#tell({ key, kind: 'delete' });
	}
	async list(limit = Infinity): Promise<readonly T[]> {
		return [...this.rows.values()].sort((a, b) => this.#time(b) - this.#time(a)).slice(0, limit);
	}
	observe(listener: (change: TableChange) => void): () => void {
		this.#listeners.add(listener);
		return () => this.#listeners.delete(listener);
	}
	#tell(change: TableChange): void {
		this.#save();
		for (const listener of this.#listeners) listener(change);
	}
}

/** The store of the double; its tables can be looked into. */
export interface FakeStore extends Store {
	readonly tables: Record<string, FakeTable<never>>;
}

export function fakeStore(save: (tables: Record<string, FakeTable<never>>) => void = () => {}): FakeStore {
	const changed = () => save(tables);
	const table = <T>(key: (value: T) => string, time: (value: T) => number) => new FakeTable<T>(key, time, changed);
	const byId = <T extends { id: string }>(time: (value: T) => number) => table<T>((value) => value.id, time);
	const messages = byId<{ id: string; createdAt: number; conversation: string; order: number }>((m) => m.createdAt);
	const made = {
		conversations: byId<{ id: string; updatedAt: number }>((c) => c.updatedAt),
		messages: Object.assign(messages, {
			of: async (conversation: string) =>
				[...messages.rows.values()]
					.filter((message) => message.conversation === conversation)
					.sort((a, b) => a.order - b.order)
		}),
		jobs: byId<{ id: string; createdAt: number }>((j) => j.createdAt),
		bids: byId<{ id: string; heardAt: number }>((b) => b.heardAt),
		assigned: byId<{ id: string; createdAt: number }>((a) => a.createdAt),
		receipts: table<ReceiptRecord>(
			(receipt) => receipt.cid,
			(receipt) => receipt.createdAt
		),
		capabilities: byId<{ id: string; savedAt: number }>((c) => c.savedAt),
		settings: byId<{ id: string; savedAt: number }>((s) => s.savedAt)
	};
	const tables = made as unknown as Record<string, FakeTable<never>>;
	return { ...made, tables, durability: 'kept', leading: true, close: async () => {} } as unknown as FakeStore;
}

/** What a test or a scene may decide. */
export interface Script {
	/** Answer by prompt; the token ids are the indices of the pieces. */
	readonly answer: (prompt: string) => string;
	/** Between two tokens. */
	readonly tokenMs: number;
	readonly loadMs: number;
	/** The executor goes after this many tokens of one answer. */
	readonly loseAfter: number;
	/** Nobody bids. */
	readonly alone: boolean;
	readonly sameAccount: boolean;
	readonly minTokens: number;
	readonly relaysToConfirm: readonly string[];
	readonly kept: 'device' | 'session';
	/** Contributing ends with this code. */
	readonly contributeFails: boolean;
	readonly sharedOrigin: boolean;
	readonly models: MemoryModelsInit;
}

const PLAIN: Script = {
	answer: (prompt) =>
		/capital of peru/i.test(prompt)
			? 'The capital of Peru is Lima.'
			: 'Fireweed is a chat network that lives in browser tabs. Visitors lend their graphics cards to answer each other, so no company server is needed and nobody can easily switch it off.',
	tokenMs: 24,
	loadMs: 600,
	loseAfter: Infinity,
	alone: false,
	sameAccount: false,
	minTokens: 0,
	relaysToConfirm: [],
	kept: 'device',
	contributeFails: false,
	sharedOrigin: false,
	models: { fetchMs: 6000 }
};

const MODEL = 'pocket-5m-q4';
const MODEL_NAME = 'Pocket model';
const MODEL_BYTES = 5_366_421;
const PRICE_PER_1K = 400_000;
const EXECUTOR = '12D3KooWJ8kqX5SNGbYw4dUqVvqkBEJ3bQ1vHcCZ9mVbTQnK3c7Y';
const ACCOUNT = 'did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp';

const sleep = (ms: number, signal?: AbortSignal): Promise<void> =>
	new Promise((resolve) => {
		const timer = setTimeout(resolve, ms);
		signal?.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
	});

/** The pieces an answer comes in. */
export const pieces = (text: string): readonly string[] => text.match(/\s*\S{1,5}/g) ?? [];

const openedFrom = (cid: string, record: ReceiptRecord): OpenedReceipt =>
	({ ...JSON.parse(new TextDecoder().decode(record.document)), cid, document: record.document }) as OpenedReceipt;

/** A house without a file: whatever opens with the right passphrase brings a little of everything. */
function fakeHouse(): House {
	return {
		backUp: async () => new Uint8Array(17_000),
		pictures: partsOf,
		gathering: () => new Gathering(),
		exportAccount: async () => new Uint8Array(620),
		async openRestore(_file, passphrase) {
			await sleep(300);
			if (passphrase !== 'correct horse') throw new Refusal('wrong-passphrase');
			const counts = { conversations: 12, messages: 340, receipts: 25, jobs: 40, copied: 1, same: 3, unreadable: 0 };
			return {
				account: ACCOUNT,
				accountIs: 'other',
				madeAt: Date.now() - 86_400_000,
				report: counts,
				accept: () => sleep(800),
				cancel() {}
			};
		},
		async moveIn(person) {
			await sleep(300);
			person.show(`FWM1:${'A2B3C4D5'.repeat(50)}`);
			await sleep(4_000);
			if (!(await person.compare('042137'))) throw new Refusal('declined');
			await sleep(1_000);
			for (let got = 0; got <= 10; got++) {
				person.progress(got * 400_000, 4_000_000);
				await sleep(200);
			}
			return { file: new Uint8Array(17_000), passphrase: 'correct horse', kept: () => sleep(200), leave() {} };
		},
		async moveOut(code, person) {
			await sleep(500);
			if (!code.startsWith('FWM1:')) throw new Refusal('malformed');
			if (!(await person.compare('042137'))) throw new Refusal('declined');
			await sleep(1_000);
			for (let got = 0; got <= 10; got++) {
				person.progress(got * 400_000, 4_000_000);
				await sleep(200);
			}
			await sleep(2_000);
		},
		fate: new Value('valid' as const),
		revocationNote: async () => new Uint8Array(200),
		revoke: () => sleep(200),
		succeed: () => sleep(200),
		startOver: () => sleep(200),
		restart: () => globalThis.location?.reload(),
		leaveForGood() {}
	};
}

/** A whole tab, scripted. `script` may be changed while it runs. */
/** Answers over the mesh whose page may end before they do, by profile. */
const UNFINISHED = new WeakMap<object, Map<string, Wish>>();
function unfinishedOf(store: object): Map<string, Wish> {
	const found = UNFINISHED.get(store) ?? new Map<string, Wish>();
	UNFINISHED.set(store, found);
	return found;
}

export function fakeApp(changes: Partial<Script> = {}, store: FakeStore = fakeStore()) {
	const script = { ...PLAIN, ...changes };
	const wishes: { place: 'device' | 'mesh'; wish: Wish }[] = [];
	const models = new MemoryModels(script.models);
	const chosen = new Value(MODEL);
	const engine = new Value<EngineState>({ state: 'idle' });
	const mesh = new Value<MeshState>({ state: 'off', peers: [], relays: [], offers: [] });
	const contribution = new Value<ContributeState>({ state: 'off' });
	const contributors = new Set<(event: ContributeEvent) => void>();
	const tell = (event: ContributeEvent) => contributors.forEach((listener) => listener(event));
	let job = 0;
	let contributing = new AbortController();

	const executor = (): ExecutorFacts => ({
		id: EXECUTOR,
		account: ACCOUNT,
		sameAccount: script.sameAccount,
		region: script.sameAccount ? undefined : 'Lisbon',
		model: MODEL,
		modelName: MODEL_NAME,
		pricePer1k: script.sameAccount ? 0 : PRICE_PER_1K
	});
	const offer = (): Offer => ({
		executor: EXECUTOR,
		account: ACCOUNT,
		region: 'Lisbon',
		model: MODEL,
		modelName: MODEL_NAME,
		tokensPerSecond: 38.4,
		pricePer1k: executor().pricePer1k,
		free: script.sameAccount,
		addresses: [],
		circle: false,
		heardAt: Date.now()
	});
	async function* load(signal: AbortSignal): AsyncGenerator<LoadProgress> {
		if (engine.value.state === 'ready') return;
		const STEPS = 6;
		for (let step = 1; step <= STEPS && !signal.aborted; step++) {
			const progress: LoadProgress = {
				stage: step === STEPS ? 'preparing' : 'fetching',
				loadedBytes: Math.round((MODEL_BYTES * step) / STEPS),
				totalBytes: MODEL_BYTES,
				bytesPerSecond: MODEL_BYTES,
				secondsLeft: (STEPS - step) / STEPS
			};
			engine.set({ state: 'loading', progress });
			yield progress;
			await sleep(script.loadMs / STEPS, signal);
		}
		engine.set(
			signal.aborted
				? { state: 'idle' }
				: {
						state: 'ready',
						ready: {
							card: { id: MODEL, name: MODEL_NAME } as never,
							tokensPerSecond: 41,
							loadMs: script.loadMs,
							selfTest: { kind: 'reference', positions: 80, worst: 2e-5, tolerance: 1e-3 },
							device: { threads: 1, adapter: undefined, f16: false, subgroups: false }
						}
					}
		);
	}
	async function seal(status: OpenedReceipt['status'], tokens: number, epoch: number): Promise<string> {
		const cid = `bafyrei${String(++job).padStart(4, '0')}${Math.random().toString(36).slice(2, 12)}${'q'.repeat(31)}`;
		const partial = status === 'partial';
		const now = Date.now();
		const opened = {
			kind: partial ? 'checkpoint' : 'sealed',
			role: 'originator',
			job: `${job}f3c09a1be77d24`.padEnd(32, '0'),
			epoch,
			status,
			executor: EXECUTOR,
			executorAccount: ACCOUNT,
			model: MODEL,
			modelName: MODEL_NAME,
			engineClass: 'ort-wasm-1t',
			weightsHash: '5d41402abc4b2a76b9719d911017c592ae3f1c9c0e2b4f9d5d41402abc4b2a76',
			promptTokens: 7,
			answerTokens: tokens,
			startPosition: 0,
			startedAt: now - tokens * 26,
			endedAt: now,
			price: Math.round((tokens * executor().pricePer1k) / 1000),
			pricePer1k: executor().pricePer1k,
			signatures: [
				{ who: 'executor', key: ACCOUNT, valid: true, present: true },
				{
					who: 'originator',
					key: 'did:key:z6MkpTHR8VNsBxYAAWHut2Geadd9jSwuBV8xRoAnwWsdvktH',
					valid: true,
					present: !partial
				}
			],
			predecessors: [],
			cidMatches: true,
			fields: { type: 'ExecutionReceiptV1', job: `${job}f3c09a1be77d24`, answerTokens: tokens, epoch }
		};
		await store.receipts.put({
			cid,
			kind: partial ? 'checkpoint' : 'sealed',
			role: 'originator',
			job: opened.job,
			createdAt: now,
			document: new TextEncoder().encode(JSON.stringify(opened)),
			counterpart: undefined,
			terms: undefined
		});
		return cid;
	}
	const words = (wish: Wish) =>
		pieces(script.answer(wish.turns.findLast((turn) => turn.role === 'user')?.content ?? '')).map((text, token) => ({
			type: 'words' as const,
			text,
			tokens: [token],
			position: token
		}));

	const limits = new Value(DEFAULT_LIMITS);
	const people = new Value<readonly Person[]>([]);
	const doors = new FakeDoors();
	const unfinished = unfinishedOf(store);
	async function* answering(wish: Wish, signal: AbortSignal): AsyncGenerator<OriginateEvent> {
		unfinished.set(wish.message ?? '', wish);
		let tokens = 0;
		let receipt: string | undefined;
		for (const event of words(wish).slice(wish.continueFrom.length)) {
			if (signal.aborted) break;
			yield event;
			tokens++;
			if (tokens >= script.loseAfter) {
				unfinished.delete(wish.message ?? '');
				receipt = await seal('partial', tokens, 1);
				yield { type: 'checkpoint', tokens, receipt };
				return yield { type: 'lost', code: 'peer-lost', tokens, receipt };
			}
			await sleep(script.tokenMs, signal);
		}
		unfinished.delete(wish.message ?? '');
		receipt = await seal(signal.aborted ? 'cancelled' : 'success', tokens, 1);
		yield {
			type: 'finished',
			status: signal.aborted ? 'cancelled' : 'success',
			receipt,
			tokens,
			tokensPerSecond: 38.4,
			price: Math.round((tokens * executor().pricePer1k) / 1000),
			droppedTurns: 0
		};
	}

	const app: App = {
		identity: {
			account: 'did:key:z6MkpTHR8VNsBxYAAWHut2Geadd9jSwuBV8xRoAnwWsdvktH',
			accountKey: new Uint8Array(32),
			node: { publicKey: new Uint8Array(32), sign: async () => new Uint8Array(64) },
			peer: '12D3KooWQ3vYwq1z8dP6yKfLhV5nS4tRmB7cXgJ2uEaD9oZkFsTi',
			nodeSince: Date.UTC(2026, 10, 3, 9),
			certificate: new Uint8Array(),
			kept: script.kept
		},
		store,
		storage: { value: 'fine', observe: (listener) => (listener('fine'), () => {}) },
		engine,
		models,
		chosen,
		async choose(model) {
			if (chosen.value === model) return;
			chosen.set(model);
			engine.set({ state: 'idle' });
		},
		async unload() {
			engine.set({ state: 'idle' });
		},
		sharedOrigin: script.sharedOrigin,
		mesh,
		contribution,
		warm() {
			void (async () => {
				for await (const _ of load(new AbortController().signal));
			})();
		},
		fixedAnswer,
		async *answerHere(wish, signal): AsyncGenerator<LocalEvent> {
			wishes.push({ place: 'device', wish });
			for await (const progress of load(signal)) yield { type: 'loading', progress };
			let tokens = 0;
			await sleep(script.tokenMs * 4, signal);
			let due = Date.now();
			for (const event of words(wish).slice(wish.continueFrom.length)) {
				if (signal.aborted) break;
				yield event;
				tokens++;
				// By the clock and not by the wait, so that a slow page gets as many tokens a second as a fast one.
				due += script.tokenMs;
				await sleep(Math.max(0, due - Date.now()), signal);
			}
			yield {
				type: 'finished',
				status: signal.aborted ? 'cancelled' : 'success',
				tokens,
				tokensPerSecond: 41.2,
				model: MODEL,
				modelName: MODEL_NAME,
				droppedTurns: 0
			};
		},
		unfinished: async () => [...unfinished.keys()],
		async *reattach(message, shown, signal): AsyncGenerator<OriginateEvent> {
			const wish = unfinished.get(message);
			if (wish === undefined) return;
			yield { type: 'reattaching', executor: executor() };
			await sleep(300, signal);
			yield { type: 'reattached', position: shown.tokens.length };
			yield* answering({ ...wish, continueFrom: shown.tokens }, signal);
		},
		async *answerByMesh(wish, signal): AsyncGenerator<OriginateEvent> {
			wishes.push({ place: 'mesh', wish });
			await app.joinMesh();
			yield { type: 'announced', job: `job${++job}` };
			await sleep(180, signal);
			if (script.alone) return yield { type: 'failed', code: 'no-bids' };
			yield { type: 'bid', executor: EXECUTOR, pricePer1k: executor().pricePer1k };
			await sleep(120, signal);
			yield { type: 'assigned', executor: executor(), reason: 'the only offer' };
			await sleep(200, signal);
			yield { type: 'accepted' };
			yield* answering(wish, signal);
		},
		async joinMesh() {
			if (mesh.value.state === 'on' || mesh.value.state === 'alone') return;
			mesh.set({ ...mesh.value, state: 'starting' });
			await sleep(script.loadMs / 2);
			mesh.set({
				state: script.alone ? 'alone' : 'on',
				peers: script.alone
					? []
					: [
							{ id: EXECUTOR, path: 'direct', roundTripMs: 42 },
							{ id: `${EXECUTOR.slice(0, -1)}Z`, path: 'relayed', roundTripMs: undefined }
						],
				relays: [{ address: '/ip4/127.0.0.1/tcp/9001/ws', up: true }],
				offers: script.alone ? [] : [offer()]
			});
		},
		async startContributing() {
			contributing = new AbortController();
			const { signal } = contributing;
			if (script.contributeFails) return contribution.set({ state: 'failed', code: 'engine-load-failed' });
			contribution.set({ state: 'loading', progress: undefined });
			for await (const progress of load(signal)) contribution.set({ state: 'loading', progress });
			if (signal.aborted) return;
			contribution.set({ state: 'connecting' });
			await app.joinMesh();
			if (signal.aborted) return;
			const ready = { tokensPerSecond: 41, model: MODEL };
			contribution.set({ state: 'ready', ...ready, jobs: 0 });
			tell({ type: 'ready', ...ready });
		},
		async stopContributing() {
			contributing.abort();
			contribution.set({ state: 'off' });
		},
		lending: {
			limits,
			set: async (value) => limits.set(value),
			pause: (paused) => {
				const { value } = contribution;
				if (value.state !== 'ready' && value.state !== 'paused') return;
				const { tokensPerSecond, model, jobs } = value;
				contribution.set(
					paused
						? { state: 'paused', why: 'person', tokensPerSecond, model, jobs }
						: { state: 'ready', tokensPerSecond, model, jobs }
				);
			}
		},
		people: {
			list: people,
			put: async (person) => people.set(withPerson(people.value, person)),
			remove: async (account) => people.set(withoutPerson(people.value, account))
		},
		observeContribution(listener) {
			contributors.add(listener);
			return () => contributors.delete(listener);
		},
		observeMesh: () => () => {},
		relaysToConfirm: script.relaysToConfirm,
		doors,
		carrying: {
			carried: undefined,
			page: async () => ({ blob: new Blob(['<!doctype html>']), name: 'Fireweed.html', sha256: 'ab'.repeat(32) })
		},
		useFound: async (found) => void doors.used.push(found),
		useRelay(address) {
			mesh.set({ ...mesh.value, relays: [...mesh.value.relays, { address, up: true }] });
		},
		async openReceipt(cid) {
			const record = await store.receipts.get(cid);
			return record && openedFrom(cid, record);
		},
		house: fakeHouse(),
		minTokens: script.minTokens,
		clockAhead: { value: undefined, observe: (listener) => (listener(undefined), () => true) },
		news: { value: undefined, observe: (listener) => (listener(undefined), () => true) },
		runs() {},
		lock: async () => undefined,
		leave() {}
	};

	/** One job of somebody else, from start to end. */
	async function work(tokens: number, sameAccount = false): Promise<void> {
		const id = `job${++job}`;
		const state = { tokensPerSecond: 41, model: MODEL, jobs: job };
		contribution.set({ state: 'working', ...state });
		tell({ type: 'started', job: id, sameAccount });
		for (let made = 0; made <= tokens && !contributing.signal.aborted; made += 8) {
			tell({ type: 'progress', job: id, tokens: made });
			await sleep(script.tokenMs * 8);
		}
		const receipt = await seal('success', tokens, 1);
		tell({
			type: 'ended',
			job: id,
			status: 'success',
			tokens,
			price: sameAccount ? 0 : tokens * 400,
			receipt,
			code: undefined
		});
		contribution.set({ state: 'ready', ...state });
	}

	return { app, script, wishes, store, engine, mesh, contribution, tell, work };
}

/**
 * Everything the screens share: the running tab once it runs, the conversations, contributing, and what the strip at the top says.
 * Made once by the root layout and handed down; the composer works before the tab does.
 */
import type { App, ContributeState, EngineState, MeshState, StorageState } from '#lib/node/app.ts';
import { createContext } from 'svelte';
import { Conversations } from './chat/conversations.svelte.ts';
import { lockClaims } from './chat/claims.ts';
import type { Place } from './chat/answering.ts';
import type { Sent } from './chat/chat.svelte.ts';
import { Contribution } from './contribute/contribution.svelte.ts';
import { introduction } from './introduction/introduction.svelte.ts';
import { Library } from './models/library.svelte.ts';
import { Receipts } from './receipts/receipts.svelte.ts';
import type { RunningRelease, ShellRegistration, ShellState, ToldRelease } from '#lib/ports/shell.ts';
import { Search } from './search/search.svelte.ts';
import { Transfer } from './transfer/transfer.svelte.ts';
import { Remembered } from './remembered.ts';
import { codeOfThrown } from './words.ts';
import type { Code } from '#lib/protocol/errors.ts';

/** Setting: the person has been told what the one who answers over the mesh can see. */
const TOLD = 'told-who-reads';
/** The present leader of the store is asked for this often; it cannot be observed. */
const LEADER_EVERY_MS = 5000;

/** 128 bits of chance in hex. Not randomUUID: browsers withhold that on plain http, where this device must still answer. */
const freshId = () =>
	Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');

export class Session {
	/** Undefined while the tab starts. */
	app = $state.raw<App | undefined>(undefined);
	/** Why the tab could not start. */
	broken = $state<Code | undefined>(undefined);
	engine = $state.raw<EngineState>({ state: 'idle' });
	mesh = $state.raw<MeshState>({ state: 'off', peers: [], relays: [], offers: [] });
	/** By how many ms this device's clock is ahead, as far as others bear it out. */
	clockAhead = $state<number | undefined>(undefined);
	contributing = $state.raw<ContributeState>({ state: 'off' });
	shell = $state.raw<ShellState>({ kind: 'installing' });
	/** A newer release that others have and this address does not offer. */
	news = $state.raw<ToldRelease | undefined>(undefined);
	/** What holds the app on this device; undefined where nothing does. */
	keeper = $state.raw<ShellRegistration | undefined>(undefined);
	online = $state(true);
	storage = $state<StorageState>('fine');
	/** Another tab keeps the store of this profile. */
	second = $state(false);
	/** Why the last write was not kept. */
	notKept = $state<Code | undefined>(undefined);
	relaysToConfirm = $state.raw<readonly string[]>([]);
	/** Undefined until the setting was read. */
	told = $state<boolean | undefined>(undefined);
	place = $state<Place>('device');
	/** Id of the model wished for on the mesh; undefined: any. */
	meshModel = $state<string | undefined>(undefined);
	readonly remembered: Remembered;
	readonly conversations: Conversations;
	readonly contribution: Contribution;
	readonly receipts: Receipts;
	readonly library: Library;
	readonly search: Search;
	readonly transfer: Transfer;
	readonly #ready: Promise<App>;
	readonly #stops: (() => void)[] = [];

	constructor(createTab: () => Promise<App>) {
		this.remembered = new Remembered();
		const { promise, resolve, reject } = Promise.withResolvers<App>();
		this.#ready = promise;
		promise.catch((error: unknown) => {
			this.broken = codeOfThrown(error);
			this.conversations.giveUp();
		});
		this.conversations = new Conversations({
			app: promise,
			now: Date.now,
			id: freshId,
			claims: lockClaims(globalThis.navigator?.locks),
			notKept: (error) => (this.notKept = codeOfThrown(error)),
			place: { get: () => this.remembered.get('chat'), set: (id) => this.remembered.set('chat', id) },
			meshModel: () => this.meshModel
		});
		this.contribution = new Contribution(promise);
		this.receipts = new Receipts(promise);
		this.library = new Library(promise);
		this.search = new Search(promise, () => this.conversations.list);
		this.transfer = new Transfer(promise, freshId);
		this.meshModel = this.remembered.get('mesh-model');
		this.place = this.remembered.get('place') === 'mesh' ? 'mesh' : 'device';
		this.#create = () => void createTab().then(resolve, reject);
	}

	readonly #create: () => void;

	/** Told to the tab already: the shell says where it stands with every piece that comes. */
	#runs: RunningRelease | undefined;

	/** Takes what holds the app on this device; word of newer releases goes there. */
	keptBy(keeper: ShellRegistration): void {
		this.keeper = keeper;
		this.whenRunning(() => keeper.started());
	}

	/** Keeps where the shell stands; locks the keys once the loader is not the one this page knows. */
	hearShell(state: ShellState): void {
		this.shell = state;
		const runs = state.kind === 'ready' ? state.release : undefined;
		if (runs && runs !== this.#runs) void this.#ready.then((app) => app.runs(runs)).catch(() => {});
		this.#runs = runs ?? this.#runs;
		if (state.kind === 'worker-changed') void this.#ready.then((app) => app.lock()).catch(() => {});
	}

	/** Resolves when the tab runs, or when it is known that it does not. */
	get settled(): Promise<void> {
		return this.#ready.then(
			() => undefined,
			() => undefined
		);
	}

	/** Calls back once the tab runs. */
	whenRunning(then: () => void): void {
		void this.#ready.then(then).catch(() => {});
	}

	/** Starts the tab and follows it. Returns how to stop. */
	start(): () => void {
		this.online = navigator.onLine;
		this.#create();
		void this.#ready.then((app) => this.#follow(app)).catch(() => {});
		return () => this.#stops.splice(0).forEach((stop) => stop());
	}

	async #follow(app: App): Promise<void> {
		this.app = app;
		this.relaysToConfirm = app.relaysToConfirm;
		const leader = setInterval(() => (this.second = !app.store.leading), LEADER_EVERY_MS);
		this.#stops.push(
			app.storage.observe((value) => (this.storage = value)),
			app.engine.observe((value) => (this.engine = value)),
			app.mesh.observe((value) => (this.mesh = value)),
			app.clockAhead.observe((value) => (this.clockAhead = value)),
			app.contribution.observe((value) => (this.contributing = value)),
			app.news.observe((value) => {
				this.news = value;
				if (value) this.keeper?.look(value);
			}),
			this.contribution.follow(app),
			this.library.follow(app),
			() => clearInterval(leader)
		);
		if (this.place === 'mesh') void app.joinMesh().catch(() => {});
		try {
			const told = (await app.store.settings.get(TOLD))?.value === true;
			// A prompt sent while this was being read has told already.
			this.told ||= told;
			this.#stops.push(await this.conversations.start());
		} catch (error) {
			this.conversations.giveUp();
			this.told ??= false;
			this.notKept = codeOfThrown(error);
		}
	}

	/** Chooses where answers come from; choosing the mesh looks for offers, so that they can be shown. */
	choose(place: Place): void {
		this.place = place;
		this.remembered.set('place', place);
		if (place === 'mesh') this.join();
	}

	/** Joins the mesh as soon as the tab runs, so that others are seen. */
	join(): void {
		void this.#ready.then((app) => app.joinMesh()).catch(() => {});
	}

	/** Wishes for one model on the mesh, or for any. */
	chooseMeshModel(model: string | undefined): void {
		this.meshModel = model;
		this.remembered.set('mesh-model', model);
		this.choose('mesh');
	}

	/** Remembers that the person was told who reads a prompt on the mesh. */
	tell(): void {
		if (this.told === true) return;
		this.told = true;
		void this.#ready
			.then((app) => app.store.settings.put({ id: TOLD, savedAt: Date.now(), value: true }))
			.catch(() => {});
	}

	/** Sends to the open chat. False when nothing was sent. */
	send(sent: Omit<Sent, 'place'>): boolean {
		const chat = this.conversations.open;
		if (!chat.send({ ...sent, place: this.place })) return false;
		if (this.place === 'mesh') this.tell();
		this.conversations.began();
		// Who has asked knows how.
		introduction.close();
		return true;
	}

	/** Answers a question of the open chat once more, there and by that model; what is chosen for the next message becomes the same. */
	async answerAgain(id: string, place: Place, model: string | undefined): Promise<void> {
		const chat = this.conversations.open;
		if (place === 'mesh') {
			this.chooseMeshModel(model);
			this.tell();
		} else {
			this.choose(place);
			const app = await this.#ready;
			if (model !== undefined && model !== app.chosen.value) await app.choose(model);
		}
		chat.retry(id, place, model);
	}

	/** Uses the relays a link names, for this visit. */
	useRelays(): void {
		for (const address of this.relaysToConfirm) this.app?.useRelay(address);
		this.relaysToConfirm = [];
	}
}

const [getSession, setSession] = createContext<Session>();
export { getSession, setSession };

/**
 * Composition root of a browser tab: the only file that knows everyone. It wires ports to makers and keeps the few states that screens
 * watch; decisions live elsewhere.
 */
import { createDoors } from '#lib/doors/doors.ts';
import { fetchDirectory } from '#lib/doors/directory.ts';
import { createModels } from '#lib/engine/library/models.ts';
import { POCKET } from '#lib/engine/pocket.ts';
import { POCKET_FILES } from '#lib/engine/pocket-files.ts';
import { webllmSource } from '#lib/engine/webllm-source.ts';
import { createAgreement } from '#lib/keys/agreement.ts';
import { openCrypto } from '#lib/keys/crypto.ts';
import { isSharedOrigin, openKeys } from '#lib/keys/keys.ts';
import { consoleLog } from '#lib/logger.ts';
import { DEFAULT_PRICE_PER_1K } from '#lib/market/price.ts';
import { pagePlaceOf } from '#lib/mesh/gater.ts';
import { tabMedium } from '#lib/mesh/medium-tab.ts';
import { createMesh } from '#lib/mesh/mesh.ts';
import { workerTicker } from '#lib/mesh/ticker.ts';
import { Accounts } from '#lib/node/accounts.ts';
import { answerHere } from '#lib/node/answer-here.ts';
import type { App, MeshState, StorageState, Wish } from '#lib/node/app.ts';
import { ClockWatch } from '#lib/node/clock-watch.ts';
import { Contributor } from '#lib/node/contributor.ts';
import { fixedAnswer } from '#lib/node/fixed.ts';
import { Here } from '#lib/node/here.ts';
import { Lending, type Surroundings } from '#lib/node/lending.ts';
import { Offers } from '#lib/node/offers.ts';
import { moveIn } from '#lib/node/move-in.ts';
import { moveOut } from '#lib/node/move-out.ts';
import { backUp, openRestore, refuseUnkept } from '#lib/node/moving.ts';
import { NewsTeller, type News } from '#lib/node/release-news.ts';
import { openReceipt } from '#lib/node/open-receipt.ts';
import { originate } from '#lib/node/originate.ts';
import { People } from '#lib/node/people.ts';
import { Registry } from '#lib/node/registry.ts';
import type { NodePorts } from '#lib/node/ports.ts';
import { reattach } from '#lib/node/reattach.ts';
import { unfinishedMessages } from '#lib/node/unfinished.ts';
import { Watchable } from '#lib/node/watched.ts';
import type { Clock } from '#lib/ports/clock.ts';
import type { Identity } from '#lib/ports/keys.ts';
import type { Random } from '#lib/ports/random.ts';
import type { RunningRelease, ToldRelease } from '#lib/ports/shell.ts';
import { formatDid } from '#lib/protocol/did.ts';
import { codeOf, Refusal } from '#lib/protocol/errors.ts';
import { judgeGossip } from '#lib/protocol/gossip.ts';
import { Gathering, partsOf } from '#lib/protocol/file-pictures.ts';
import { MAX_ANSWER_TOKENS } from '#lib/protocol/limits.ts';
import { DEFAULT_POLICY, type ExecutionPolicy } from '#lib/protocol/policy.ts';
import type { Topic } from '#lib/protocol/topic.ts';
import carriedBoot from '../../workers/carried.ts?worker&url';
import { createCarrying, type CarriedGlobal } from '#lib/survival/carried/carrying.ts';
import { openStore } from '#lib/store/store.ts';
import { openTidings } from '#lib/survival/tidings.ts';
import { believeDirectory } from '#lib/survival/directory.ts';
import { believeNews, decodeChain, encodeChain, newestKeys } from '#lib/survival/release.ts';
import { firstKeys } from '#lib/survival/root.ts';

/** Offers run out by themselves; the screen is told at this pace. */
const REFRESH_MS = 5_000;

/** Starts everything that needs no network. Refusals: `internal`; where nothing can be kept the tab runs all the same. */
export async function createTab(): Promise<App> {
	const log = consoleLog;
	const { pathname, hostname, search, protocol } = location;
	const sharedOrigin = isSharedOrigin(pathname, protocol);
	const storage = new Watchable<StorageState>('fine');
	const { subtle } = globalThis.crypto as Partial<typeof globalThis.crypto>;
	const [signatures, keys, store] = await Promise.all([
		openCrypto({ subtle }),
		openKeys({ pathname, protocol, now: Date.now }),
		openStore({
			pathname,
			now: Date.now,
			log,
			// `refused` is `store.durability`, which the screens know already.
			onNotice: (notice) => {
				if (notice !== 'refused') storage.set(notice);
			}
		})
	]);
	let locked = false;
	const refuseLocked = () => {
		if (locked) throw new Refusal('locked');
	};
	const accounts = new Accounts({ keys, crypto: signatures, clock, log }, (account) => {
		const ended = formatDid(account);
		for (const offer of offers.list()) if (offer.account === ended) offers.forget(offer.executor);
		fate.set(accounts.fate(identity.accountKey).state);
		refresh();
	});
	await accounts.load();
	const crypto = accounts.guard();
	const identity = whileOpen(await keys.identity(), refuseLocked);
	const fate = new Watchable(accounts.fate(identity.accountKey).state);
	const place = pagePlaceOf(hostname);
	const asked = relaysAskedFor(search);
	const mesh = createMesh({
		signer: identity.node,
		medium: tabMedium(),
		ticker: workerTicker(() => new Worker(new URL('../../workers/heartbeat.ts', import.meta.url), { type: 'module' })),
		clock,
		random,
		log,
		place,
		relays: []
	});
	/** Keys of the line, as far as they are known here. */
	let keyChain = encodeChain([firstKeys()]);
	const doors = createDoors({
		...{ mesh, store, identity, crypto, clock, log },
		chance: () => new DataView(random.bytes(4).buffer).getUint32(0) / 2 ** 32,
		directory: () => fetchDirectory(document.baseURI),
		believe: async (bytes, held) => {
			const keysSeen = decodeChain(keyChain).length;
			const trust = { root: firstKeys(), held, keysSeen };
			const {
				directory: body,
				cid,
				bytes: document,
				...marks
			} = await believeDirectory(bytes, trust, signatures, Date.now());
			const { keys, sequence, relays, expiresAt } = body;
			return { relays, expiresAt, ...marks, place: { keys, sequence, cid }, document };
		},
		passing: new Set([...asked.use, ...asked.confirm]),
		// Declared further down, asked when somebody asks.
		lending: () => contributor.active
	});
	const people = new People({ store, now: Date.now, own: identity.account });
	const online = () => navigator.onLine && (mesh.relays().some(({ up }) => up) || mesh.peers().length > 0);
	const registry = new Registry({ store, clock, random, log, online });
	void registry.load();
	const offers = new Offers(
		{ mesh, crypto, clock, identity, log, shows: (account) => people.shows(account) },
		() => refresh(),
		(executor) => registry.heard(executor)
	);
	const clockWatch = new ClockWatch({ crypto, clock, own: identity.account });
	const clockAhead = new Watchable<number | undefined>(undefined);
	const ports: NodePorts = {
		...{ mesh, store, identity, crypto, clock, random, log },
		jobKey: async () => (refuseLocked(), keys.jobKey()),
		jobKeys: {
			keepJobKey: (key) => keys.keepJobKey(key),
			keptJobKey: async (key) => (refuseLocked(), keys.keptJobKey(key)),
			dropJobKey: (key) => keys.dropJobKey(key)
		},
		offering: (model) => offers.offering(model),
		offers: () => offers.list(),
		registry
	};
	const { gpu, storage: disk, locks } = navigator as Partial<Navigator>;
	const models = createModels({
		clock,
		builtIn: { model: POCKET, addresses: POCKET_FILES, licence: 'MIT' },
		others: webllmSource({
			clock,
			gpu,
			caches: (globalThis as Partial<typeof globalThis>).caches,
			storage: disk,
			locks
		})
	});
	const here = new Here({ models, store, now: Date.now });
	// The built-in model answers meanwhile.
	void here.start();

	const meshState = new Watchable<MeshState>({ state: 'off', peers: [], relays: [], offers: [] });
	const lending = new Lending({ store, clock, surroundings: watchSurroundings() });
	const contributor = new Contributor({
		...{ ports, here, lending, sharedOrigin },
		terms: {
			pricePer1k: DEFAULT_PRICE_PER_1K,
			region: undefined,
			circle: () => (lending.limits.value.onlyPeople ? people.circle() : undefined)
		},
		join: () => join(),
		offering: () => refresh()
	});
	let joining: Promise<void> | undefined;

	function refresh(): void {
		if (joining === undefined) return;
		const peers = mesh.peers().filter((peer) => peer.path !== 'relay');
		const relays = mesh.relays();
		const reachable = relays.some((relay) => relay.up) || peers.length > 0;
		meshState.set({ state: reachable ? 'on' : 'alone', peers, relays, offers: offers.list() });
		clockAhead.set(clockWatch.error());
		if (reachable) contributor.reachable();
	}

	const news = new Watchable<ToldRelease | undefined>(undefined);
	const believe = (told: News) => believeNews(told, keyChain, firstKeys(), crypto, Date.now());
	const teller = new NewsTeller(
		{ mesh, identity, crypto, clock, random, log, believe: async (told) => (await believe(told)).manifest },
		(told) =>
			void believe(told).then(({ manifest: { name }, signers, stale, development }) =>
				news.set({ name, signers, stale, development, ...told })
			)
	);

	/** What runs here is what news is compared with. A development build is nobody's news. */
	async function runs({ keys: chain, manifest, development }: RunningRelease): Promise<void> {
		if (development) return;
		keyChain = chain;
		const own = { manifest, keySet: newestKeys(chain) };
		teller.knows(own, (await believe(own)).manifest);
	}

	/** Starts the mesh once; relays that cannot be reached are tried again for as long as the tab lives. */
	async function join(): Promise<void> {
		refuseLocked();
		joining ??= (async () => {
			meshState.set({ ...meshState.value, state: 'starting' });
			await mesh.start();
			offers.follow(mesh, (message, from) => void clockWatch.hear(message, from));
			accounts.follow(mesh);
			teller.start();
			for (const topic of FORWARDED)
				mesh.subscribe(
					topic,
					(bytes) => judgeGossip(topic, bytes, crypto, Date.now()),
					() => undefined
				);
			mesh.observe((event) => {
				if (event.type === 'peer-down' && event.why !== 'closed') offers.forget(event.peer);
				refresh();
			});
			for (const address of asked.use) addRelay(address);
			doors.start();
			setInterval(refresh, REFRESH_MS);
			refresh();
		})();
		joining.catch(() => {
			joining = undefined;
			meshState.set({ ...meshState.value, state: 'off' });
		});
		return joining;
	}

	function addRelay(address: string): void {
		try {
			mesh.addRelay(address);
		} catch (error) {
			log('relay-refused', { code: codeOf(error) });
		}
	}

	async function* answerOnThisDevice(wish: Wish, signal: AbortSignal) {
		const { model = here.chosen.value } = wish;
		const engine = here.forPerson(model);
		try {
			yield* answerHere(wish, { engine, clock, random }, signal);
		} finally {
			// It was needed once, to go on with an answer it had begun.
			if (model !== here.chosen.value) await engine.unload();
		}
	}

	async function* answerByMesh(wish: Wish, signal: AbortSignal, policy: Partial<ExecutionPolicy> = {}) {
		await join();
		yield* originate(wish, { ...DEFAULT_POLICY, ...policy }, ports, signal);
	}

	async function* takeUp(message: string, shown: Parameters<App['reattach']>[1], signal: AbortSignal) {
		await join();
		yield* reattach(message, shown, ports, signal);
	}

	const agreement = createAgreement(subtle);
	const leave = () => {
		mesh.goodbye();
		void keys.close();
	};
	const tidings = openTidings({ directory: directoryOf(pathname), location, tabMemory: tabMemory(), leave });
	addEventListener('pagehide', leave);
	// A page that the browser had put away has given back its node key and lost its peers: it starts again.
	addEventListener('pageshow', (event) => {
		if (event.persisted) location.reload();
	});

	return {
		identity,
		store,
		storage,
		engine: here.engine,
		models,
		chosen: here.chosen,
		choose: (model) => here.choose(model),
		unload: () => here.forPerson().unload(),
		sharedOrigin,
		mesh: meshState,
		clockAhead,
		contribution: contributor.state,
		warm: () =>
			void here
				.forPerson()
				.load(() => undefined, new AbortController().signal)
				.catch(() => undefined),
		fixedAnswer,
		answerHere: answerOnThisDevice,
		answerByMesh,
		unfinished: () => unfinishedMessages(ports),
		reattach: takeUp,
		joinMesh: join,
		startContributing: (model) => contributor.start(model),
		stopContributing: () => contributor.stop(),
		lending,
		people,
		observeContribution: (listener) => contributor.observe(listener),
		observeMesh: (listener) => mesh.observe(listener),
		relaysToConfirm: asked.confirm,
		doors,
		carrying: createCarrying({
			base: new URL('.', document.baseURI).href,
			boot: carriedBoot,
			scope: globalThis as CarriedGlobal
		}),
		useFound: (found) => join().then(() => doors.use(found)),
		useRelay: (address) => void join().then(() => addRelay(address)),
		news,
		runs: (release) => void runs(release).catch((error: unknown) => log('news-refused', { code: codeOf(error) })),
		lock: async () => {
			if (locked) return;
			locked = true;
			await contributor.stop();
			await mesh.stop();
			await keys.close();
			meshState.set({ ...meshState.value, state: 'off', peers: [], offers: [] });
		},
		openReceipt: async (cid) => {
			const record = await store.receipts.get(cid);
			return record === undefined ? undefined : openReceipt(record, signatures, Date.now());
		},
		house: {
			backUp: (passphrase) => backUp({ keys, store }, passphrase),
			pictures: partsOf,
			gathering: () => new Gathering(),
			exportAccount: (passphrase) => keys.exportAccount(passphrase),
			openRestore: (file, passphrase) => openRestore({ keys, store }, file, passphrase),
			moveIn: async (person, signal) => {
				refuseUnkept(identity, store);
				await join();
				return moveIn({ mesh, agreement, clock, random }, person, signal);
			},
			moveOut: async (code, person, signal) => {
				await join();
				const sealed = (passphrase: string) => backUp({ keys, store }, passphrase);
				await moveOut(code, { mesh, agreement, clock, backUp: sealed }, person, signal);
			},
			fate,
			revocationNote: () => keys.revocation(),
			revoke: async (note) => {
				// Whoever wants it heard wants it now; the mesh is joined for it.
				await join();
				await accounts.say(note);
			},
			succeed: async () => void (await keys.succeed()),
			startOver: () => keys.startOver(),
			restart: () => tidings.restart(),
			leaveForGood: () => tidings.end()
		},
		minTokens: place === 'loopback' ? lengthAskedFor(search) : 0,
		leave
	};
}

function directoryOf(pathname: string): string {
	return pathname.slice(0, pathname.lastIndexOf('/') + 1);
}

/** Touching the storage throws where it is switched off. */
function tabMemory(): Storage | undefined {
	try {
		return sessionStorage;
	} catch {
		return undefined;
	}
}

/** An identity that signs only while `check` lets it. */
function whileOpen(identity: Identity, check: () => void): Identity {
	const { publicKey } = identity.node;
	const sign = async (text: Uint8Array) => (check(), identity.node.sign(text));
	return { ...identity, node: { publicKey, sign } };
}

/** Gossip that every tab passes on, whether it needs it or not: this is what outlives a relay. */
const FORWARDED: readonly Topic[] = ['fireweed/1/announcements', 'fireweed/1/bids'];

const clock: Clock = {
	now: () => Date.now(),
	monotonic: () => performance.now(),
	sleep: (ms, signal) =>
		new Promise((resolve, reject) => {
			if (signal?.aborted === true) return reject(new Refusal('aborted'));
			const timer = setTimeout(() => {
				signal?.removeEventListener('abort', stop);
				resolve();
			}, ms);
			const stop = () => {
				clearTimeout(timer);
				reject(new Refusal('aborted'));
			};
			signal?.addEventListener('abort', stop, { once: true });
		})
};

/** Of W3C's Battery Status, what is read here; Chromium alone has it. */
interface Battery extends EventTarget {
	readonly charging: boolean;
}

/** Whether the tab is looked at and the device plugged in, as far as the browser tells. */
function watchSurroundings(): Watchable<Surroundings> {
	const surroundings = new Watchable<Surroundings>({ pluggedIn: undefined, hidden: document.hidden });
	document.addEventListener('visibilitychange', () =>
		surroundings.set({ ...surroundings.value, hidden: document.hidden })
	);
	const { getBattery } = navigator as { getBattery?: () => Promise<Battery> };
	const follow = (battery: Battery) => {
		const say = () => surroundings.set({ ...surroundings.value, pluggedIn: battery.charging });
		battery.addEventListener('chargingchange', say);
		say();
	};
	// Refused in frames of other sites and where a policy says so.
	getBattery?.call(navigator).then(follow, () => undefined);
	return surroundings;
}

const random: Random = { bytes: (length) => globalThis.crypto.getRandomValues(new Uint8Array(length)) };

/** Relays named in `?relay=`: those on this machine may be used at once, others only after the person's word. Never stored. */
function relaysAskedFor(search: string): { readonly use: readonly string[]; readonly confirm: readonly string[] } {
	const all = new URLSearchParams(search).getAll('relay').filter((address) => address.length <= 512);
	const near = (address: string) => /^\/(ip4\/127\.|ip6\/::1\/|dns[46]?\/localhost\/)/.test(address);
	return { use: all.filter(near).slice(0, 4), confirm: all.filter((address) => !near(address)).slice(0, 4) };
}

function lengthAskedFor(search: string): number {
	const asked = Number(new URLSearchParams(search).get('minTokens') ?? 0);
	return Number.isInteger(asked) && asked > 0 ? Math.min(asked, MAX_ANSWER_TOKENS) : 0;
}

/**
 * Whether this page will open again without a server, and which release it is. Registers the loader, looks for newer releases, watches that
 * the loader stays the one it was, and says at every step where it stands.
 */
import type { Crypto } from '#lib/ports/crypto.ts';
import type {
	Coming,
	LoaderAlarm,
	RunningRelease,
	ShellRegistration,
	ShellState,
	ToldRelease
} from '#lib/ports/shell.ts';
import { isCode, Refusal, type Code } from '#lib/protocol/errors.ts';
import { FLOOR } from './floor.ts';
import { gatewayOf, keepGateways, keptGateways } from './gateways/kept.ts';
import { believed, lookAtLoader, type Witness } from './known-worker.ts';
import type { VerifiedRelease } from './release.ts';
import { firstKeys } from './root.ts';
import { askWorker } from './worker-answers.ts';

export type { ShellRegistration, ShellState };

/** The parts of the browser used here, handed in for tests. */
export interface ShellComponents {
	readonly isSecureContext: boolean;
	readonly serviceWorker: ServiceWorkerContainer | undefined;
	/** The page's folder, where service-worker.js lies. */
	readonly base: string;
	/** Nothing is registered or fetched before this settles: the first screen wants the network and the processor for itself. */
	readonly begin: Promise<unknown>;
	readonly reload: () => void;
	/** Where the list of gateways is kept for the loader; undefined where nothing is. */
	readonly caches: Pick<CacheStorage, 'open'> | undefined;
	/** What the loader is compared with. Never loaded late: a hostile loader would serve it. */
	readonly witness: LoaderWitness;
}

/** known-worker.ts, with its world. */
export interface LoaderWitness {
	believed(said: unknown): Promise<VerifiedRelease | LoaderAlarm>;
	lookAtLoader(running: VerifiedRelease, replaced: boolean): Promise<LoaderAlarm | undefined>;
}

/** How long after an unfinished fill the next one starts. */
const RETRY_AFTER_MS = 30_000;
/** How often a page that stays open looks for a newer release. */
const CHECK_EVERY_MS = 6 * 3_600_000;

/** Registers the worker beside this page and reports each change of state to `observe`, the present one at once. */
export function registerShell(observe: (state: ShellState) => void, components: ShellComponents): ShellRegistration {
	const { isSecureContext, serviceWorker } = components;
	if (isSecureContext && serviceWorker) return new Registration(observe, components, serviceWorker);
	observe({ kind: isSecureContext ? 'unsupported' : 'insecure-context' });
	const none = () => Promise.resolve([]);
	return { started() {}, look() {}, stop() {}, gateways: none, keepGateways: () => Promise.resolve() };
}

class Registration implements ShellRegistration {
	readonly #ended = new AbortController();
	readonly #observe: (state: ShellState) => void;
	readonly #components: ShellComponents;
	readonly #container: ServiceWorkerContainer;
	readonly #timers = new Set<ReturnType<typeof setTimeout>>();
	/** What was found out so far; the most pressing is reported. */
	#alarm: LoaderAlarm | undefined;
	#offer: Extract<ShellState, { kind: 'update-ready' }> | undefined;
	#trouble: Extract<ShellState, { kind: 'update-refused' | 'fell-back' }> | undefined;
	#holding: ShellState = { kind: 'installing' };
	#coming: Coming | undefined;
	#word: ToldRelease | undefined;
	#running: VerifiedRelease | undefined;
	#refused: Code | undefined;
	#started = false;
	#worker: ServiceWorker | undefined;

	constructor(observe: (state: ShellState) => void, components: ShellComponents, container: ServiceWorkerContainer) {
		this.#observe = observe;
		this.#components = components;
		this.#container = container;
		this.#report();
		const until = { signal: this.#ended.signal };
		container.addEventListener('message', (event: Event) => this.#hear(event as MessageEvent<unknown>), until);
		void components.begin.then(() => this.#register());
	}

	started(): void {
		this.#started = true;
		this.#tellStarted();
	}

	look(word: ToldRelease): void {
		this.#word = word;
		if (this.#running) void this.#check();
	}

	async gateways(): Promise<readonly string[]> {
		const { caches, base } = this.#components;
		return caches === undefined ? [] : keptGateways(caches, base);
	}

	async keepGateways(list: readonly string[]): Promise<void> {
		const { caches, base } = this.#components;
		for (const address of list) gatewayOf(address, base.startsWith('https:'));
		if (caches === undefined) throw new Refusal('storage-unavailable', 'no cache storage');
		await keepGateways(caches, base, list);
		if (this.#running === undefined) return void this.#register();
		await this.#complete();
		await this.#check();
	}

	stop(): void {
		this.#ended.abort();
		for (const timer of this.#timers) clearTimeout(timer);
	}

	#report(): void {
		if (this.#ended.signal.aborted) return;
		const alarm: ShellState | undefined = this.#alarm && { kind: 'worker-changed', why: this.#alarm };
		const { kind } = this.#holding;
		const isHolding = kind === 'installing' || kind === 'ready';
		const holding = isHolding && this.#coming ? { ...this.#holding, coming: this.#coming } : this.#holding;
		this.#observe(alarm ?? this.#offer ?? this.#trouble ?? holding);
	}

	async #register(): Promise<void> {
		if (this.#ended.signal.aborted) return;
		const { base } = this.#components;
		try {
			const scope = new URL('./', base).href;
			const url = new URL('service-worker.js', base);
			this.#follow(await this.#container.register(url, { scope, updateViaCache: 'none' }));
		} catch (error) {
			// Offline, a page that is already served by its worker is as good as registered.
			const found = await this.#container.getRegistration(base).catch(() => undefined);
			if (found?.active) this.#follow(found);
			else this.#block(String(error));
		}
	}

	#block(why: string): void {
		this.#holding = { kind: 'blocked', why, ...(this.#refused === undefined ? {} : { code: this.#refused }) };
		this.#report();
	}

	#follow(found: ServiceWorkerRegistration): void {
		const until = { signal: this.#ended.signal };
		const newcomer = found.active ? (found.waiting ?? found.installing) : undefined;
		if (found.active) void this.#begin(found.active, found, newcomer ?? undefined);
		const watch = (worker: ServiceWorker | null, isFirst: boolean) =>
			worker?.addEventListener(
				'statechange',
				() => {
					if (worker.state === 'activated') void this.#begin(worker, found, undefined);
					// An update that failed leaves what runs as it is; only a first install leaves nothing.
					else if (worker.state === 'redundant' && isFirst && !found.active) this.#block('the files did not all come');
				},
				until
			);
		watch(found.installing, !found.active);
		if (newcomer && newcomer !== found.installing) watch(newcomer, false);
		this.#container.addEventListener(
			'controllerchange',
			() => (this.#worker = this.#container.controller ?? this.#worker),
			until
		);
		found.addEventListener(
			'updatefound',
			() => {
				watch(found.installing, !found.active);
				if (found.active && found.installing) void this.#lookAt(found, found.installing);
			},
			until
		);
	}

	/** A worker is at work: what runs, whether it is whole, whether there is a newer one. */
	async #begin(worker: ServiceWorker, found: ServiceWorkerRegistration, newcomer: ServiceWorker | undefined) {
		this.#worker = worker;
		const { witness } = this.#components;
		const about = await this.#ask('about');
		// Nothing is held yet, or it is ending: there is nothing to compare.
		if (about === undefined || about === null) return this.#complete();
		const running = await witness.believed(about);
		if (typeof running === 'string') return this.#raise(running);
		this.#running = running;
		if (Object(about).fellBack === true) this.#trouble ??= { kind: 'fell-back', name: running.manifest.name };
		this.#tellStarted();
		// In this order: a loader that takes over in between would leave the other questions without an answer.
		await this.#complete();
		await this.#lookAt(found, newcomer);
		await this.#check();
	}

	/** Compares the loader. One that is new and rightly signed may take over at once: it runs the same release. */
	async #lookAt(found: ServiceWorkerRegistration, newcomer: ServiceWorker | undefined): Promise<void> {
		if (this.#running === undefined) return;
		const { witness } = this.#components;
		const alarm = await witness.lookAtLoader(this.#running, newcomer !== undefined);
		if (alarm) this.#raise(alarm);
		else if (newcomer && this.#alarm === undefined) (found.waiting ?? newcomer).postMessage({ fireweed: 'activate' });
	}

	#raise(alarm: LoaderAlarm): void {
		this.#alarm ??= alarm;
		this.#report();
	}

	/** Asks the worker to fetch what is missing, and asks again later while something is. */
	async #complete(): Promise<void> {
		const { have, want } = Object(await this.#ask('complete')) as { have?: unknown; want?: unknown };
		const isWhole = Number.isInteger(have) && have === want;
		this.#coming = undefined;
		if (isWhole) this.#holding = { kind: 'ready', release: this.#running && factsOf(this.#running) };
		else if (Number.isInteger(have) && Number.isInteger(want))
			this.#holding = { kind: 'installing', missing: (want as number) - (have as number) };
		else this.#holding = { kind: 'installing' };
		this.#report();
		if (!isWhole) this.#later(RETRY_AFTER_MS, () => this.#complete());
	}

	/** Asks the worker to look for a newer release. Its answer is checked: it may be of another version. */
	async #check(): Promise<void> {
		const { manifest, keySet } = this.#word ?? {};
		const found = Object(await this.#ask('check', { word: { manifest, keySet } })) as Record<string, unknown>;
		this.#coming = undefined;
		const { kind, cid, name, signers, development, code } = found;
		if (kind === 'offered' && typeof cid === 'string' && typeof name === 'string' && isNames(signers)) {
			const release = { name, signers, development: development === true, stale: false };
			this.#offer = { kind: 'update-ready', release, apply: () => void this.#apply(cid) };
		} else if (kind === 'refused') {
			this.#trouble = { kind: 'update-refused', code: isCode(code) ? code : 'internal' };
		} else if (kind === 'none' && this.#trouble?.kind === 'update-refused') {
			this.#trouble = undefined;
		}
		this.#report();
		if (kind === 'incoming') this.#later(RETRY_AFTER_MS, () => this.#check());
		else this.#later(CHECK_EVERY_MS, () => this.#check());
	}

	async #apply(cid: string): Promise<void> {
		if ((await this.#ask('switch', { cid })) === true) this.#components.reload();
	}

	#tellStarted(): void {
		if (this.#started && this.#running) void this.#ask('started', { cid: this.#running.cid });
	}

	/** What a worker says without being asked: why it could not be installed. */
	#hear({ data }: MessageEvent<unknown>): void {
		const { fireweed, code, have, want } = Object(data) as Record<string, unknown>;
		if (fireweed === 'progress' && isCount(have) && isCount(want)) {
			this.#coming = have < want ? { have, want } : undefined;
			return this.#report();
		}
		if (fireweed !== 'refused' || !isCode(code) || this.#running) return;
		this.#refused = code;
		if (this.#holding.kind === 'blocked') this.#block(this.#holding.why);
	}

	#ask(question: string, more: object = {}): Promise<unknown> {
		return this.#worker === undefined
			? Promise.resolve(undefined)
			: askWorker(this.#worker, question, more, this.#ended.signal);
	}

	#later(ms: number, work: () => Promise<void>): void {
		if (this.#ended.signal.aborted) return;
		const timer = setTimeout(() => {
			this.#timers.delete(timer);
			void work();
		}, ms);
		this.#timers.add(timer);
	}
}

function factsOf({ manifest, signers, stale, development, parts }: VerifiedRelease): RunningRelease {
	return { name: manifest.name, signers, stale, development, keys: parts.keys, manifest: parts.manifest };
}

function isCount(value: unknown): value is number {
	return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isNames(value: unknown): value is readonly string[] {
	return Array.isArray(value) && value.every((name) => typeof name === 'string');
}

/** This browser's, around what only the page's maker can give: when to begin, and who judges signatures. */
export function inBrowser(begin: Promise<unknown>, crypto: Crypto): ShellComponents {
	const base = new URL('./', location.href).href;
	const witness: Witness = {
		base,
		root: firstKeys(),
		floor: FLOOR,
		fetch: (url) => fetch(url, { cache: 'no-store', credentials: 'same-origin' }),
		memory: tabMemory(),
		now: Date.now,
		crypto
	};
	return {
		isSecureContext: globalThis.isSecureContext,
		serviceWorker: 'serviceWorker' in navigator ? navigator.serviceWorker : undefined,
		base,
		begin,
		reload: () => location.reload(),
		caches: (globalThis as Partial<typeof globalThis>).caches,
		witness: {
			believed: (said) => believed(said, witness),
			lookAtLoader: (running, replaced) => lookAtLoader(running, replaced, witness)
		}
	};
}

/** Reading the name alone throws where a browser withholds it. */
function tabMemory(): Storage | undefined {
	try {
		return localStorage;
	} catch {
		return undefined;
	}
}

/**
 * The engines of this device: which model answers its person, which one is lent, and how far a load is.
 *
 * A small model is held twice, so that the person never waits for a stranger's job; a large one is held once and its callers take turns.
 */
import type { Engine, LoadProgress } from '#lib/ports/engine.ts';
import type { Models } from '#lib/ports/models.ts';
import type { Store } from '#lib/ports/store.ts';
import { codeOf, Refusal } from '#lib/protocol/errors.ts';
import type { EngineState } from './app.ts';
import { takeTurns, type Caller } from './turns.ts';
import { Watchable } from './watched.ts';

export interface HerePorts {
	readonly models: Models;
	readonly store: Pick<Store, 'settings'>;
	readonly now: () => number;
}

/** A second copy of a model up to this size is cheaper than a person who waits: the pocket model takes about 100 MB with its runtime. */
const HELD_TWICE_BYTES = 128 * 1024 * 1024;
/** Name of the setting that remembers the choice. */
const SETTING = 'chosen-model';

/** What stands for one model in memory. */
interface Held {
	readonly raw: readonly Engine[];
	of(caller: Caller): Engine;
}

export class Here {
	readonly engine = new Watchable<EngineState>({ state: 'idle' });
	readonly chosen: Watchable<string>;
	readonly #ports: HerePorts;
	readonly #held = new Map<string, Held>();
	#lent: string | undefined;
	/** What was written down last. */
	#remembered: string | undefined;
	/** What was chosen in an earlier visit; taken as soon as it is found to be here. */
	#wanted: string | undefined;

	constructor(ports: HerePorts) {
		this.#ports = ports;
		this.chosen = new Watchable(this.#builtIn);
	}

	get #builtIn(): string {
		const found = this.#ports.models.entries.find((entry) => entry.origin === 'built-in');
		if (found === undefined) throw new Refusal('internal', 'no built-in model');
		return found.id;
	}

	/** Reads what was chosen in an earlier visit and follows what becomes of the models. Returns how to stop. */
	async start(): Promise<() => void> {
		const kept = await this.#ports.store.settings.get(SETTING).catch(() => undefined);
		if (typeof kept?.value === 'string') this.#remembered = kept.value;
		if (typeof kept?.value === 'string' && this.chosen.value === this.#builtIn) this.#wanted = kept.value;
		return this.#ports.models.observe((entries) => {
			const here = (id: string) => entries.some((entry) => entry.id === id && entry.kept === 'whole');
			if (this.#wanted !== undefined && here(this.#wanted)) this.#take(this.#wanted);
			else if (!entries.some((entry) => entry.id === this.chosen.value)) void this.choose(this.#builtIn);
		});
	}

	/** See App.choose. Refusal `engine-not-ready` for a model that is not in the list. */
	async choose(id: string): Promise<void> {
		if (!this.#ports.models.entries.some((entry) => entry.id === id)) throw new Refusal('engine-not-ready', id);
		const before = this.chosen.value;
		this.#take(id);
		if (before !== id) await this.#drop(before, 'person');
		await this.#remember(id);
	}

	/** Where nothing can be kept the choice lasts as long as the tab. */
	async #remember(id: string): Promise<void> {
		if (this.#remembered === id) return;
		this.#remembered = id;
		const row = { id: SETTING, savedAt: this.#ports.now(), value: id };
		await this.#ports.store.settings.put(row).catch(() => undefined);
	}

	#take(id: string): void {
		this.#wanted = undefined;
		if (this.chosen.value === id) return;
		this.chosen.set(id);
		this.engine.set({ state: 'idle' });
	}

	/** The engine that answers the person of this device: the chosen one, or the one that began an answer. */
	forPerson(id: string = this.chosen.value): Engine {
		const engine = this.#hold(id).of('person');
		return {
			id,
			get state() {
				return engine.state;
			},
			load: (report, signal) => this.#load(engine, report, signal),
			generate: (request, signal) => this.#watched(engine, engine.generate(request, signal)),
			logits: (tokens, signal) => engine.logits(tokens, signal),
			countTokens: (turns) => engine.countTokens(turns),
			unload: () => this.#drop(id, 'person')
		};
	}

	/** The engine that answers others, until `endLending`. Refusal `not-verifiable`. */
	lend(id: string = this.#builtIn): Engine {
		const entry = this.#ports.models.entries.find((each) => each.id === id);
		if (entry?.lendable === false) throw new Refusal('not-verifiable', id);
		this.#lent = id;
		return this.#hold(id).of('job');
	}

	/** Frees what only lending needed. */
	async endLending(): Promise<void> {
		const lent = this.#lent;
		this.#lent = undefined;
		if (lent !== undefined) await this.#drop(lent, 'job');
	}

	#hold(id: string): Held {
		const held = this.#held.get(id) ?? this.#open(id);
		this.#held.set(id, held);
		return held;
	}

	#open(id: string): Held {
		const { models } = this.#ports;
		const memory = models.entries.find((entry) => entry.id === id)?.memoryBytes;
		const first = models.engine(id);
		if (memory === undefined || memory > HELD_TWICE_BYTES) return { raw: [first], of: takeTurns(first) };
		const second = models.engine(id);
		return { raw: [first, second], of: (caller) => (caller === 'person' ? first : second) };
	}

	/** Frees a model for one caller; one that the other caller still uses stays. */
	async #drop(id: string, caller: Caller): Promise<void> {
		const held = this.#held.get(id);
		if (held === undefined) return;
		const [first, second] = held.raw;
		const othersUse = caller === 'person' ? this.#lent === id : this.chosen.value === id;
		if (second !== undefined) await (caller === 'person' ? first : second)?.unload();
		else if (!othersUse) await first?.unload();
		if (!othersUse) this.#held.delete(id);
		if (caller === 'person' && this.chosen.value === id) this.engine.set({ state: 'idle' });
	}

	/** Follows a load, so that any screen sees how far it is. */
	async #load(engine: Engine, report: (progress: LoadProgress) => void, signal: AbortSignal) {
		const tell = (state: EngineState) => {
			if (this.chosen.value === engine.id) this.engine.set(state);
		};
		if (engine.state !== 'ready' && engine.state !== 'busy') tell({ state: 'loading', progress: undefined });
		try {
			const ready = await engine.load((progress) => {
				tell({ state: 'loading', progress });
				report(progress);
			}, signal);
			tell({ state: 'ready', ready });
			// Until its weights were hashed, a model goes by a name that the next visit does not know.
			if (this.chosen.value === engine.id) await this.#remember(ready.card.id);
			return ready;
		} catch (error) {
			const code = codeOf(error);
			tell(code === 'aborted' ? { state: 'idle' } : { state: 'failed', code });
			throw error;
		}
	}

	/** An answer that breaks its engine (a lost device, a dead worker) is seen on every screen. */
	async *#watched<T, R>(engine: Engine, steps: AsyncGenerator<T, R, void>): AsyncGenerator<T, R, void> {
		try {
			return yield* steps;
		} catch (error) {
			if (engine.state === 'failed' && this.chosen.value === engine.id)
				this.engine.set({ state: 'failed', code: codeOf(error) });
			throw error;
		}
	}
}

/**
 * The face of a running tab towards its screens: what `src/lib/tab.ts` provides and the user interface consumes.
 * Types only; the interface asks for nothing else.
 */
import type { Carrying } from '#lib/ports/carried.ts';
import type { Doors, Found } from '#lib/ports/doors.ts';
import type { Identity } from '#lib/ports/keys.ts';
import type { MeshEvent, Peer } from '#lib/ports/mesh.ts';
import type { EngineReady, LoadProgress, Turn } from '#lib/ports/engine.ts';
import type { Models } from '#lib/ports/models.ts';
import type { RunningRelease, ToldRelease } from '#lib/ports/shell.ts';
import type { Store } from '#lib/ports/store.ts';
import type { ExecutionPolicy } from '#lib/protocol/policy.ts';
import type { Sampling } from '#lib/protocol/sampler.ts';
import type { LendingLimits, PauseCause } from '#lib/market/lending.ts';
import type { Person } from '#lib/market/people.ts';
import type { Code } from '#lib/protocol/errors.ts';
import type { ContributeEvent, OriginateEvent } from './events.ts';
import type { FixedAnswer } from './fixed.ts';
import type { House } from './house.ts';

/** A wish to be answered, by this device or by the mesh. */
export interface Wish {
	readonly turns: readonly Turn[];
	/** Answer tokens already shown, when a lost or stopped answer is to go on. */
	readonly continueFrom: readonly number[];
	/** Undefined: here the chosen one, on the mesh any. */
	readonly model: string | undefined;
	readonly sampling: Sampling;
	readonly minTokens: number;
	readonly maxTokens: number;
	/** Key of the message the answer goes to. */
	readonly message: string | undefined;
}

/** An answer of this device. */
export type LocalEvent =
	| { readonly type: 'loading'; readonly progress: LoadProgress }
	| { readonly type: 'words'; readonly text: string; readonly tokens: readonly number[]; readonly position: number }
	| {
			readonly type: 'finished';
			readonly status: 'success' | 'cancelled';
			readonly tokens: number;
			readonly tokensPerSecond: number;
			readonly model: string;
			readonly modelName: string;
			readonly droppedTurns: number;
	  }
	/** Fixed, reviewed text stands in for the model (crisis, health, danger). */
	| { readonly type: 'fixed'; readonly text: string; readonly topic: string }
	| { readonly type: 'failed'; readonly code: Code };

/** The engine of the chosen model on this device. */
export type EngineState =
	| { readonly state: 'idle' }
	| { readonly state: 'loading'; readonly progress: LoadProgress | undefined }
	| { readonly state: 'ready'; readonly ready: EngineReady }
	| { readonly state: 'failed'; readonly code: Code };

export type ContributeState =
	| { readonly state: 'off' }
	/** `again`: what computed was lost in the middle of lending. */
	| { readonly state: 'loading'; readonly progress: LoadProgress | undefined; readonly again?: true }
	| { readonly state: 'connecting' }
	/** Waiting for jobs; `relays` and `peers` that can reach this tab. */
	| { readonly state: 'ready'; readonly tokensPerSecond: number; readonly model: string; readonly jobs: number }
	| { readonly state: 'working'; readonly tokensPerSecond: number; readonly model: string; readonly jobs: number }
	/** By a limit or by the person: nothing new is taken; the running job, if any, goes on. */
	| {
			readonly state: 'paused';
			readonly why: PauseCause;
			readonly tokensPerSecond: number;
			readonly model: string;
			readonly jobs: number;
	  }
	| { readonly state: 'failed'; readonly code: Code };

/** Limits under which this device may be lent. */
export interface LendingControl {
	readonly limits: Watched<LendingLimits>;
	/** Sets and keeps them. Refusals of the store; they hold for this visit all the same. */
	set(limits: LendingLimits): Promise<void>;
	/** The person's own pause. */
	pause(paused: boolean): void;
}
/** The list of people this person knows (docs/decisions/circle.md). */
export interface PeopleControl {
	readonly list: Watched<readonly Person[]>;
	/** Adds or changes one. Refusals: `malformed` for what is no account or no name, `oversized` when the list is full. */
	put(person: Person): Promise<void>;
	remove(account: string): Promise<void>;
}
export type { LendingLimits, PauseCause, Person };

export interface MeshState {
	/** `off`: not started (nothing leaves this device); `starting`, `on`, `alone`: started but nobody is reachable. */
	readonly state: 'off' | 'starting' | 'on' | 'alone';
	readonly peers: readonly Peer[];
	readonly relays: readonly { readonly address: string; readonly up: boolean }[];
	/** Executors heard of lately that offer a model. */
	readonly offers: readonly Offer[];
}

/** A model somebody offers, from its capability advertisement. */
export interface Offer {
	readonly executor: string;
	readonly account: string;
	readonly region: string | undefined;
	readonly model: string;
	readonly modelName: string;
	readonly tokensPerSecond: number;
	/** Microcredits per 1,000 tokens. */
	readonly pricePer1k: number;
	readonly free: boolean;
	/** It answers only people it knows; here only if its account may see this one. */
	readonly circle: boolean;
	/** At which it says it can be reached. */
	readonly addresses: readonly string[];
	readonly heardAt: number;
}

/** Observable value; calls back at once with the present value and on every change. */
export interface Watched<T> {
	readonly value: T;
	observe(listener: (value: T) => void): () => void;
}

/** One signature of a receipt, checked here and now. */
export interface SignatureCheck {
	readonly who: 'executor' | 'originator';
	/** Public key as did:key. */
	readonly key: string;
	readonly valid: boolean;
	/** Missing when that side never signed. */
	readonly present: boolean;
}

/** A receipt opened for reading, every field in plain values. */
export interface OpenedReceipt {
	readonly cid: string;
	readonly kind: 'sealed' | 'checkpoint';
	readonly role: 'originator' | 'executor';
	readonly job: string;
	readonly epoch: number;
	readonly status: 'success' | 'failed' | 'cancelled' | 'partial';
	readonly executor: string;
	readonly executorAccount: string | undefined;
	readonly model: string | undefined;
	readonly modelName: string | undefined;
	readonly engineClass: string | undefined;
	readonly weightsHash: string | undefined;
	readonly promptTokens: number | undefined;
	readonly answerTokens: number;
	/** Answer tokens that stood before its first one, from earlier parts. */
	readonly startPosition: number;
	readonly startedAt: number | undefined;
	readonly endedAt: number | undefined;
	/** Microcredits. */
	readonly price: number | undefined;
	readonly pricePer1k: number | undefined;
	readonly signatures: readonly SignatureCheck[];
	/** CIDs of receipts this one continues. */
	readonly predecessors: readonly string[];
	/** The CID recomputed over the bytes equals the recorded one. */
	readonly cidMatches: boolean;
	/** The whole document as JSON-able plain data for export. */
	readonly fields: Readonly<Record<string, string | number | boolean | null>>;
	/** Envelope bytes as stored, for export. */
	readonly document: Uint8Array;
}

/**
 * Whether this tab still keeps what it is told. `blocked`: an older tab holds the database and this one waits; `superseded`: a newer
 * version in another tab took it over; `newer`: it was made by a newer version; `terminated`: the browser took it away.
 */
export type StorageState = 'fine' | 'blocked' | 'superseded' | 'newer' | 'terminated';

export interface App {
	readonly identity: Identity;
	readonly store: Store;
	readonly storage: Watched<StorageState>;
	/** Other pages share this page's storage (a path gateway, or files opened from disk): keys stay in memory, nothing is lent, conversations can be read. */
	readonly sharedOrigin: boolean;
	readonly engine: Watched<EngineState>;
	readonly mesh: Watched<MeshState>;
	/** By how many ms this device's clock is ahead of what others sign (negative: behind); undefined while nothing is known against it. */
	readonly clockAhead: Watched<number | undefined>;
	readonly contribution: Watched<ContributeState>;
	/** Models that are or could be on this device. */
	readonly models: Models;
	/** Id of the model that answers on this device; kept over reloads. The built-in one until another is chosen, or when that one is gone. */
	readonly chosen: Watched<string>;
	/** Chooses it, and frees the memory of the one before, unless that one is lent just now. Loading waits for the first message or `warm`. */
	choose(model: string): Promise<void>;
	/** Frees the memory of the chosen model; the next message loads it again. */
	unload(): Promise<void>;
	/** Loads the chosen model ahead of the first message. */
	warm(): void;
	/**
	 * Fixed, reviewed text for crisis, health and danger (node/fixed). Asked before any model, wherever the answer would come from:
	 * on the mesh it is a pocket model too that would answer.
	 */
	fixedAnswer(text: string): FixedAnswer | undefined;
	/** Answers on this device. Aborting stops within a step and still ends with `finished`, status `cancelled`. */
	answerHere(wish: Wish, signal: AbortSignal): AsyncIterable<LocalEvent>;
	/** Answers over the mesh, starting it first when needed. `policy` is what departs from the usual one: `hedge`, say. */
	answerByMesh(wish: Wish, signal: AbortSignal, policy?: Partial<ExecutionPolicy>): AsyncIterable<OriginateEvent>;
	/** Messages whose answers over the mesh some page began and none has ended; one of them may still be written by another tab. */
	unfinished(): Promise<readonly string[]>;
	/**
	 * Goes on with the answer to a message that a page before this one began (docs/decisions/reattach.md); yields nothing when there is none
	 * to go on with. `shown` is the answer as it is kept. The caller holds the answer's lock.
	 */
	reattach(
		message: string,
		shown: { readonly tokens: readonly number[]; readonly text: string },
		signal: AbortSignal
	): AsyncIterable<OriginateEvent>;
	/** Joins the mesh without asking or contributing (so that offers become visible). */
	joinMesh(): Promise<void>;
	/** Lends a model of this device, the built-in one unless said otherwise. Refusals of loading, and `not-verifiable`, `insecure-context`. */
	startContributing(model?: string): Promise<void>;
	stopContributing(): Promise<void>;
	readonly lending: LendingControl;
	/** Accounts this person knows: whom a limit may name, and who may see this account when asked. */
	readonly people: PeopleControl;
	observeContribution(listener: (event: ContributeEvent) => void): () => void;
	observeMesh(listener: (event: MeshEvent) => void): () => void;
	/** Relay addresses from `?relay=` that need the person's word before use. */
	readonly relaysToConfirm: readonly string[];
	/** Uses a relay for this visit only; it is never stored. */
	useRelay(address: string): void;
	/** The app as one file, and whether this is one. */
	readonly carrying: Carrying;
	/** How this device finds others, and invitations. */
	readonly doors: Omit<Doors, 'start' | 'stop' | 'use'>;
	/** Joins the mesh by what the person was shown and confirmed. */
	useFound(found: Found): Promise<void>;
	openReceipt(cid: string): Promise<OpenedReceipt | undefined>;
	/** Backup, restore, and leaving without a trace. */
	readonly house: House;
	/** Test-only length wish from `?minTokens=` on loopback; 0 otherwise. */
	readonly minTokens: number;
	/** A release that others have and that is newer than what runs here; undefined until one is heard of. */
	readonly news: Watched<ToldRelease | undefined>;
	/** What runs here, as its documents: passed on to others, and what news is compared with. */
	runs(release: RunningRelease): void;
	/** Ends the mesh and lets go of the keys until this page is reloaded: what needs them is refused with `locked`. */
	lock(): Promise<void>;
	/** Says GOODBYE and releases locks; called on pagehide. */
	leave(): void;
}

/**
 * The desk where jobs wait for the engine: one runs, a few wait, the rest are told when to come back. What is fair is decided by market/queue
 * and market/askers; here are only their state and those who wait for it.
 */
import { isKnown, kept, lost, NOBODY, pauseOf, type Askers } from '#lib/market/askers.ts';
import {
	begin,
	EMPTY,
	end,
	enter,
	leave,
	MAX_WAIT_MS,
	retryMs,
	waitOf,
	type Queue,
	type Rank,
	type Request,
	type Share
} from '#lib/market/queue.ts';
import { workMs } from '#lib/market/admit.ts';
import { Refusal, type Code } from '#lib/protocol/errors.ts';
import type { PeerId } from '#lib/ports/mesh.ts';
import type { ExecutorPorts } from './ports.ts';

/** What is known of a job when it wants the engine. */
export interface Wanted {
	/** Of the assignment. */
	readonly id: string;
	/** At the other end of the channel. */
	readonly peer: PeerId;
	readonly sameAccount: boolean;
	readonly pricePer1k: number;
	readonly promptTokens: number;
	readonly maxTokens: number;
	/** From now, ms. */
	readonly deadlineMs: number;
}

/** A place in the queue, and then the engine. */
export interface Place {
	/** Resolves when the engine is this job's; rejects with `busy` (and when to come back) when somebody had a better right to the place. */
	readonly turn: Promise<void>;
	/** Until then, as far as can be told, ms. */
	waitMs(): number;
	/** Gives back the place or the engine. To be called whatever happened; costs nothing to call again. */
	done(): void;
	/** Remembers of its asker how a job ended that had the engine. */
	learn(outcome: Outcome): void;
	/** Its asker was away at the end and has come back and signed. What was charged to it meanwhile stays. */
	signedLate(): void;
}

/** How a job ended that had the engine. */
export interface Outcome {
	/** Answer tokens. */
	readonly tokens: number;
	/** Undefined when it ended well. */
	readonly code: Code | undefined;
	/** Its asker signed for all of it. */
	readonly acknowledged: boolean;
}

interface Waiter {
	readonly go: () => void;
	readonly refuse: (reason: Refusal) => void;
}

/** Answer tokens expected before any answer was seen. */
const USUAL_TOKENS = 200;
/** Weight of the newest answer in what is usual. */
const NEWEST = 0.2;
/** What may have been made in vain for an asker that vanished: three intervals (docs/spec/job.md), and its prompt. */
const UNACKNOWLEDGED_TOKENS = 96;
/** Ends that are the asker's doing and leave work that nobody acknowledged; none at all, when it took the whole answer and signed nothing. */
const ASKER_LEFT: readonly (Code | undefined)[] = [
	undefined,
	'no-acknowledgement',
	'channel-closed',
	'peer-lost',
	'wrong-signer',
	'terms-differ',
	'malformed'
];

export class Desk {
	readonly #ports: ExecutorPorts;
	#queue: Queue = EMPTY;
	#askers: Askers = NOBODY;
	#usualTokens = USUAL_TOKENS;
	readonly #waiters = new Map<string, Waiter>();
	/** Measured at load; 0 until then. */
	tokensPerSecond = 0;

	constructor(ports: ExecutorPorts) {
		this.#ports = ports;
	}

	/** Jobs that have the engine, and that wait. */
	get load(): { readonly running: number; readonly queued: number } {
		return { running: this.#queue.running === undefined ? 0 : 1, queued: this.#queue.waiting.length };
	}

	/** When somebody for whom there is no place now may find one, ms. */
	get retryMs(): number {
		return retryMs(this.#queue, this.#ports.clock.monotonic());
	}

	/**
	 * What a job would find; nothing is reserved by asking. A wish does not say whose it is, so what is told is what the best of all who may be
	 * asking would find: one who is known and had nothing lately. At the assignment everybody is who they are.
	 */
	outlook(job: Pick<Wanted, 'promptTokens' | 'maxTokens'>): { readonly waitMs: number } | { readonly retryMs: number } {
		const now = this.#ports.clock.monotonic();
		const anyKnown = this.#askers.known.size > 0;
		const pause = anyKnown ? 0 : pauseOf(this.#askers, '', now);
		if (pause > 0) return { retryMs: pause };
		const request: Request = {
			id: '',
			rank: 'paid',
			share: anyKnown ? 'known' : 'strangers',
			from: 'somebody',
			workMs: workMs(job, this.tokensPerSecond, this.#usualTokens),
			until: Infinity
		};
		const entry = enter(this.#queue, request, now);
		if (entry.type === 'refused') return { retryMs: entry.retryMs };
		return { waitMs: waitOf(entry.queue, request, now) };
	}

	/** Gives the job a place. Refusal `busy` with when to come back. */
	enter(wanted: Wanted): Place {
		const { clock } = this.#ports;
		const now = clock.monotonic();
		const { id, peer } = wanted;
		const pause = wanted.sameAccount ? 0 : pauseOf(this.#askers, peer, now);
		if (pause > 0) throw new Refusal('busy', 'too much was left unacknowledged', pause);
		const request: Request = {
			id,
			rank: rankOf(wanted),
			share: this.#shareOf(wanted),
			from: peer,
			workMs: workMs(wanted, this.tokensPerSecond, this.#usualTokens),
			until: now + wanted.deadlineMs
		};
		const entry = enter(this.#queue, request, now);
		if (entry.type === 'refused') throw new Refusal('busy', entry.why, entry.retryMs);
		this.#queue = entry.queue;
		if (entry.displaced !== undefined) this.#refuse(entry.displaced.id, 'displaced', retryMs(this.#queue, now));
		const { promise, resolve, reject } = Promise.withResolvers<void>();
		promise.catch(() => undefined);
		this.#waiters.set(id, { go: resolve, refuse: reject });
		this.#next();
		return {
			turn: promise,
			waitMs: () => Math.ceil(waitOf(this.#queue, request, clock.monotonic())),
			done: () => this.#done(request),
			learn: (outcome) => this.#learn(wanted, outcome),
			signedLate: () => {
				if (!wanted.sameAccount) this.#askers = kept(this.#askers, peer, clock.monotonic());
			}
		};
	}

	/** Nobody gets a turn any more. */
	close(): void {
		for (const { id } of this.#queue.waiting) this.#refuse(id, 'closing', MAX_WAIT_MS);
		this.#queue = { ...this.#queue, waiting: [] };
	}

	#refuse(id: string, why: string, ms: number): void {
		this.#waiters.get(id)?.refuse(new Refusal('busy', why, ms));
		this.#waiters.delete(id);
	}

	#next(): void {
		const now = this.#ports.clock.monotonic();
		// Whoever would have it too late has no use for it.
		for (const { id, until } of this.#queue.waiting) {
			if (until > now) continue;
			this.#queue = leave(this.#queue, id);
			this.#refuse(id, 'deadline', retryMs(this.#queue, now));
		}
		const before = this.#queue.running;
		this.#queue = begin(this.#queue, now);
		const { running } = this.#queue;
		if (running === undefined || running === before) return;
		this.#waiters.get(running.request.id)?.go();
		this.#waiters.delete(running.request.id);
	}

	#done(request: Request): void {
		this.#waiters.delete(request.id);
		if (this.#queue.running?.request !== request) {
			this.#queue = leave(this.#queue, request.id);
			return;
		}
		this.#queue = end(this.#queue, this.#ports.clock.monotonic());
		this.#next();
	}

	#shareOf({ sameAccount, peer }: Wanted): Share {
		if (sameAccount) return 'own';
		return isKnown(this.#askers, peer) ? 'known' : 'strangers';
	}

	#learn({ peer, sameAccount, promptTokens }: Wanted, { tokens, code, acknowledged }: Outcome): void {
		const now = this.#ports.clock.monotonic();
		if (code === undefined) this.#usualTokens += NEWEST * (tokens - this.#usualTokens);
		if (sameAccount) return;
		if (acknowledged) this.#askers = kept(this.#askers, peer, now);
		else if (ASKER_LEFT.includes(code)) {
			const maxTokens = Math.min(tokens, UNACKNOWLEDGED_TOKENS);
			const unpaidMs = workMs({ promptTokens, maxTokens }, this.tokensPerSecond, maxTokens);
			this.#askers = lost(this.#askers, peer, unpaidMs, now);
		}
	}
}

function rankOf({ sameAccount, pricePer1k }: Wanted): Rank {
	if (sameAccount) return 'own';
	return pricePer1k > 0 ? 'paid' : 'free';
}

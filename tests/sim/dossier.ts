/** All that is known of one job from outside: what was planned, what its asker saw, what engines ran, what was signed on the wire. */
import type { OriginateEvent } from '#lib/node/events.ts';
import type { GenerateRequest } from '#lib/ports/engine.ts';
import type { JobPlan } from './script.ts';
import type { Inhabitant } from './inhabitant.ts';

/** One run of an engine for the job. */
export interface Run {
	readonly by: Inhabitant;
	readonly request: GenerateRequest;
	/** Given tokens and those it made; grows. */
	readonly tokens: readonly number[];
	readonly at: number;
}

/** One signature by which the asker owes something, as it went over the wire. */
export interface Owed {
	readonly kind: 'receipt' | 'acknowledgement';
	readonly to: string;
	readonly epoch: number;
	/** Text of the CID that was signed. */
	readonly cid: string;
	/** Answer positions it counts; `from` is known of receipts only. */
	readonly from: number | undefined;
	readonly until: number;
	/** Microcredits; of receipts only. */
	readonly price: number | undefined;
	readonly promptTokens: number | undefined;
}

export interface Dossier {
	readonly plan: JobPlan;
	readonly asker: Inhabitant;
	readonly askedAt: number;
	readonly prompt: string;
	/** Hex of the job id, once it was announced. */
	hex: string | undefined;
	readonly events: OriginateEvent[];
	readonly runs: Run[];
	readonly owed: Owed[];
	/** Virtual ms when `originate` returned. */
	endedAt: number | undefined;
	/** Asked to see whether the network found itself again. */
	readonly probe: boolean;
}

/** What one executor showed, in the order of the answer. */
export interface Segment {
	readonly executor: string;
	readonly from: number;
	readonly tokens: readonly number[];
}

/** Who showed what. */
export function segments(events: readonly OriginateEvent[]): Segment[] {
	const found: { executor: string; from: number; tokens: number[] }[] = [];
	let shown = 0;
	for (const event of events) {
		if (event.type === 'assigned') found.push({ executor: event.executor.id, from: shown, tokens: [] });
		if (event.type === 'handed-over') found.push({ executor: event.to.id, from: shown, tokens: [] });
		if (event.type !== 'words') continue;
		shown += event.tokens.length;
		found.at(-1)?.tokens.push(...event.tokens);
	}
	return found;
}

/** Every token shown. */
export function shown(events: readonly OriginateEvent[]): number[] {
	return events.flatMap((event) => (event.type === 'words' ? [...event.tokens] : []));
}

/** A violation: which invariant, where, and what was seen. */
export interface Violation {
	readonly invariant: Invariant;
	/** Virtual ms. */
	readonly at: number;
	readonly job: number | undefined;
	readonly what: string;
}

export const INVARIANTS = {
	'one-end': 'an accepted job ends in one finished answer or a typed failure that its originator sees, within its time',
	'whole-answer': 'no answer has a lost, doubled, foreign or changed token',
	'one-chain': 'work has one receipt chain that verifies',
	'no-unearned': 'no receipt exists without work',
	'paid-once': 'a job is paid once: one receipt for each epoch, no position twice, never more than its most',
	'small-loss': 'what either side can lose to a cheat is bounded by checkpoints',
	bounded: 'queues, memory and streams are bounded, and nothing is held for jobs that are over',
	'finds-itself': 'after faults end, the network finds itself within a bound'
} as const;
export type Invariant = keyof typeof INVARIANTS;

/** Says that an invariant does not hold. */
export type Accuse = (invariant: Invariant, what: string) => void;

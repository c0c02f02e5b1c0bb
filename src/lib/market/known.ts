/**
 * What this originator has seen of one executor with its own eyes: how it kept its word, how fast it was, how steadily it was there. A pure
 * account that fades. Nothing of it is public, and nobody else's word enters it.
 *
 * How it would be cheated: docs/decisions/selection.md.
 */
import type { KnownExecutor } from '#lib/ports/store.ts';
import type { Code } from '#lib/protocol/errors.ts';

export type Known = KnownExecutor;

/** What became of one try with an executor. */
export type Outcome =
	| {
			readonly type: 'kept';
			readonly model: string;
			/** As read here; undefined when too little came to tell. */
			readonly tokensPerSecond: number | undefined;
			/** From its acceptance to the first token, ms. */
			readonly firstMs: number | undefined;
			/** What its bid said. */
			readonly promised: { readonly tokensPerSecond: number };
	  }
	/** `gravity`: how much it weighs, above 0; see `gravityOf`. */
	| { readonly type: 'broken'; readonly gravity: number };

/** Half of what was seen is forgotten in this time: a device that was slow a week ago may have been lent for a game. */
export const HALF_LIFE_MS = 3 * 24 * 3_600_000;
/** Good jobs count no further than this, so that a long good record is spent within three bad jobs (good, then bad). */
const MAX_KEPT = 8;
/** What is left of a good record after one bad job; of one that broke a rule, a sixteenth. */
const LEFT_AFTER_BROKEN = 0.5;
/** Weight of the newest measure. */
const NEWEST = 0.4;
/** Speeds beyond these come from a clock that jumped. */
const MOST_PER_SECOND = 10_000;
const LEAST_PER_SECOND = 0.01;

/** Executors remembered. */
export const MAX_KNOWN = 512;
/** Of them, at most so many that never did anything well: names cost nothing, and those who did well must not be pushed out by them. */
export const MAX_KNOWN_BAD = 256;

/** Who they are when they are met. */
export interface Who {
	readonly id: string;
	readonly account: string;
	readonly addresses: readonly string[];
}

/** As it weighs at `now` (Unix ms). A clock that went back fades nothing; one that leapt forward fades all, which makes a stranger of it and no more. */
export function faded<K extends Pick<Known, 'kept' | 'broken' | 'at'>>(known: K, now: number): K {
	const weight = 0.5 ** (Math.max(0, now - known.at) / HALF_LIFE_MS);
	// Never ahead of the clock: an experience out of the future would not fade until then.
	return { ...known, kept: known.kept * weight, broken: known.broken * weight, at: now };
}

/** Takes in what became of one try. `known` is undefined for somebody new. */
export function learn(known: Known | undefined, who: Who, outcome: Outcome, now: number): Known {
	const first = outcome.type === 'kept' ? 1 : -Math.min(1, outcome.gravity);
	const before = faded(known ?? { ...STRANGER, id: who.id, first, firstAt: now, at: now }, now);
	const met = { ...before, account: who.account, kind: kindOf(who.addresses) };
	if (outcome.type === 'broken') {
		const kept = met.kept * LEFT_AFTER_BROKEN ** outcome.gravity;
		return { ...met, kept, broken: met.broken + outcome.gravity };
	}
	const other = met.model !== outcome.model;
	const mix = (old: number, measured: number | undefined) =>
		measured === undefined ? old : old === 0 || other ? measured : old + NEWEST * (measured - old);
	const speed =
		outcome.tokensPerSecond === undefined
			? undefined
			: Math.min(MOST_PER_SECOND, Math.max(LEAST_PER_SECOND, outcome.tokensPerSecond));
	const ratio = speed === undefined ? undefined : Math.min(1, speed / Math.max(1, outcome.promised.tokensPerSecond));
	return {
		...met,
		kept: Math.min(MAX_KEPT, met.kept + 1),
		jobs: met.jobs + 1,
		model: outcome.model,
		tokensPerSecond: speed === undefined && other ? 0 : mix(met.tokensPerSecond, speed),
		firstMs: outcome.firstMs === undefined && other ? 0 : mix(met.firstMs, outcome.firstMs),
		// A boast is remembered across models: it is a habit of its owner's.
		honesty: ratio === undefined ? met.honesty : met.honesty + NEWEST * (ratio - met.honesty)
	};
}

const STRANGER = {
	...{ account: '', kind: '', kept: 0, broken: 0, jobs: 0, model: undefined },
	...{ tokensPerSecond: 0, firstMs: 0, honesty: 1, upMs: 0, downMs: 0 }
};

/** Between two statements of one who is there (`advertise.EVERY_MS` is 12 s); a longer pause counts as absence beyond this. */
const STEADY_MS = 30_000;
/** Longer than this, its person had gone to bed; that says nothing about how steady it is while it lends. */
const ABSENT_MS = 10 * 60_000;
/** Time beyond which old presence makes room for new, ms. */
const PRESENCE_MS = 24 * 3_600_000;

/** Heard to offer again, `sinceMs` after it was heard last. */
export function heardAgain(known: Known, sinceMs: number): Known {
	if (!(sinceMs > 0)) return known;
	const upMs = known.upMs + Math.min(sinceMs, STEADY_MS);
	const downMs = known.downMs + Math.min(Math.max(0, sinceMs - STEADY_MS), ABSENT_MS);
	const scale = Math.min(1, PRESENCE_MS / (upMs + downMs));
	return { ...known, upMs: upMs * scale, downMs: downMs * scale };
}

/** Part of the time it was there, 0 to 1; one that was hardly heard counts as half steady. */
export function steadiness({ upMs, downMs }: Pick<Known, 'upMs' | 'downMs'>): number {
	return (upMs + STEADY_MS) / (upMs + downMs + 2 * STEADY_MS);
}

/** A try while it is being hired, or while it answers. */
export type Stage = 'hiring' | 'answering';

/** "Not now", our own doing, or our own network: nothing against it. */
const NOTHING: readonly Code[] = [
	...(['busy', 'expired', 'rate-limited', 'aborted', 'limited-connection', 'relay-unavailable'] as const),
	...(['prompt-too-long', 'deadline-passed', 'locked', 'internal'] as const)
];
/** May be the way there, a closed lid, or a lender who needs the machine: half a failure. */
const MISFORTUNE: readonly Code[] = ['unreachable', 'peer-lost', 'channel-closed', 'declined', 'engine-not-ready'];
/** It held somebody up, or its engine does not hold. */
const FAILURE: readonly Code[] = [
	...(['stalled', 'no-acknowledgement', 'engine-busy', 'engine-failed', 'engine-load-failed'] as const),
	...(['out-of-memory', 'device-lost'] as const)
];
/** What no honest program does by accident. */
const BROKEN_RULE = 4;
/** A lender that stopped in the middle. */
const LEFT_OFF = 0.5;

/** How much an end with this code weighs against the executor. */
export function gravityOf(code: Code, stage: Stage): number {
	if (code === 'aborted' && stage === 'answering') return LEFT_OFF;
	if (NOTHING.includes(code)) return 0;
	if (MISFORTUNE.includes(code)) return 0.5;
	return FAILURE.includes(code) ? 1 : BROKEN_RULE;
}

/** Letters of a relay's name that tell it from others here. */
const RELAY_LETTERS = 12;

/**
 * What the addresses of a bid share with those of its operator's other names: the relays it waits at, or the network it stands in. Text of at most
 * 64 characters; empty when the addresses say nothing.
 */
export function kindOf(addresses: readonly string[]): string {
	const seen = addresses.map((address) => {
		const parts = address.split('/');
		const circuit = parts.indexOf('p2p-circuit');
		if (circuit > 1) return `relay ${(parts[circuit - 1] ?? '').slice(-RELAY_LETTERS)}`;
		const [, family, host = ''] = parts;
		if (family === 'ip4') return `net ${host.split('.').slice(0, 3).join('.')}`;
		if (family === 'ip6') return `net ${host.split(':').slice(0, 3).join(':')}`;
		return '';
	});
	return [...new Set(seen)]
		.filter((kind) => kind !== '')
		.sort()
		.join(' ')
		.slice(0, 64);
}

/** Whom to forget so that at most `MAX_KNOWN` are left: first those who never did well, the oldest first, then the oldest. */
export function tooMany(all: readonly Known[]): readonly Known[] {
	const byAge = [...all].sort((a, b) => a.at - b.at || (a.id < b.id ? -1 : 1));
	const bad = byAge.filter(({ jobs }) => jobs === 0);
	const leave = bad.slice(0, Math.max(0, bad.length - MAX_KNOWN_BAD));
	const rest = byAge.filter((known) => !leave.includes(known));
	const over = Math.max(0, rest.length - MAX_KNOWN);
	const order = [...rest.filter(({ jobs }) => jobs === 0), ...rest.filter(({ jobs }) => jobs > 0)];
	return [...leave, ...order.slice(0, over)];
}

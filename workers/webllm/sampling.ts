/**
 * Our sampler inside WebLLM: a logit processor that sees each step's raw logits, draws by protocol/sampler, and leaves the package no choice.
 * The package samples on the GPU all the same; that its token is ours shows that logits came and went unharmed.
 */
import type { LogitProcessor } from '@mlc-ai/web-llm';
import { Refusal } from '#lib/protocol/errors.ts';
import { exp, log } from '#lib/protocol/real.ts';
import { draw, MAX_CANDIDATES, topCandidates, type Candidate, type Sampling } from '#lib/protocol/sampler.ts';

/** Not −∞: WGSL may assume that there are no infinities. e^-1e9 is 0 in any float. */
const NEVER = -1e9;

/** What to do with the next logits. */
export type Order =
	/** A pass whose logits nobody needs. */
	| { readonly kind: 'skip' }
	/** The largest of them, and their sum for log-probabilities. */
	| { readonly kind: 'look' }
	| {
			readonly kind: 'draw';
			readonly sampling: Sampling;
			readonly seed: Uint8Array;
			readonly position: number;
			readonly masked: readonly number[];
	  };

export interface Seen {
	/** Falling; empty after `skip`. */
	readonly ranked: readonly Candidate[];
	/** After `draw`. */
	readonly token: number;
	/** After `look`. */
	readonly logSumExp: number;
}

/** What the package gave back is not what it was made to. */
export interface Sampler {
	readonly processor: LogitProcessor;
	/** Runs one pass under an order. Refusal `engine-failed` when the package's token is another. */
	under(order: Order, pass: () => Promise<number>): Promise<Seen>;
}

/** A sampler for rows of `vocabularySize` logits. One pass at a time. */
export function openSampler(vocabularySize: number): Sampler {
	const forced = new Float32Array(vocabularySize).fill(NEVER);
	const state: { order: Order | undefined; seen: Seen | undefined; committed: number | undefined } = {
		order: undefined,
		seen: undefined,
		committed: undefined
	};
	return {
		processor: {
			processLogits(row) {
				if (row.length !== vocabularySize) throw new Refusal('model-unsupported', 'another number of logits');
				if (state.order === undefined) throw new Refusal('engine-failed', 'logits nobody asked for');
				state.seen = seen(row, state.order);
				// The package copies what it gets, so one row serves all steps.
				forced[state.seen.token] = 0;
				return forced;
			},
			processSampledToken(token) {
				state.committed = token;
			},
			resetState() {}
		},
		async under(order, pass) {
			state.order = order;
			state.seen = undefined;
			state.committed = undefined;
			try {
				const token = await pass();
				const { seen, committed } = state as { seen: Seen | undefined; committed: number | undefined };
				if (seen === undefined || token !== seen.token || committed !== seen.token)
					throw new Refusal('engine-failed', 'another token than the one drawn');
				return seen;
			} finally {
				state.order = undefined;
				if (state.seen !== undefined) forced[(state.seen as Seen).token] = NEVER;
			}
		}
	};
}

function seen(row: Float32Array, order: Order): Seen {
	if (order.kind === 'skip') return { ranked: [], token: 0, logSumExp: 0 };
	const ranked = topCandidates(row, MAX_CANDIDATES, order.kind === 'draw' ? order.masked : []);
	if (order.kind === 'look')
		return { ranked, token: ranked[0]?.id ?? 0, logSumExp: logSumExp(row, ranked[0]?.logit ?? 0) };
	return { ranked, token: draw(ranked, order.sampling, order.seed, order.position), logSumExp: 0 };
}

/** With our own exp and log, as the CPU engine's. */
function logSumExp(row: Float32Array, top: number): number {
	return top + log(row.reduce((sum, value) => sum + exp(value - top), 0));
}

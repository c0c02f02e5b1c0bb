/**
 * One engine for several callers that take turns: the person of this device first, then jobs of others, each in order of arrival.
 *
 * A model of a gigabyte cannot be held twice, and an answer under way is never cut short for another: that would break a stranger's job
 * for its lender's impatience. Refused: interleaving step by step, which halves both and which a GPU engine with one cache cannot do.
 */
import type { Engine, GenerateEnd, GenerateRequest, Step } from '#lib/ports/engine.ts';
import { Refusal } from '#lib/protocol/errors.ts';

/** Who waits; the person goes before jobs. */
export type Caller = 'person' | 'job';

/** Answers that may wait; more are refused at once with `engine-busy`. */
const MAX_WAITING = 8;

/** The end of an answer that was stopped before its turn came. */
const NOTHING: GenerateEnd = {
	reason: 'aborted',
	promptTokens: 0,
	cachedTokens: 0,
	droppedTurns: 0,
	tokens: 0,
	prefillMs: 0,
	decodeMs: 0
};

interface Waiting {
	readonly caller: Caller;
	begin(): void;
}

/** Returns a view of `engine` for each caller. `generate` and `logits` wait for their turn; everything else goes straight through. */
export function takeTurns(engine: Engine): (caller: Caller) => Engine {
	const waiting: Waiting[] = [];
	let taken = false;

	/** Resolves when it is this caller's turn, with how to give it back; undefined when it was stopped meanwhile. Refusal `engine-busy`. */
	async function turn(caller: Caller, signal: AbortSignal): Promise<(() => void) | undefined> {
		if (signal.aborted) return undefined;
		if (taken) {
			if (waiting.length >= MAX_WAITING) throw new Refusal('engine-busy', 'too many wait');
			const begun = await new Promise<boolean>((resolve) => {
				const leave = () => {
					waiting.splice(waiting.indexOf(mine), 1);
					resolve(false);
				};
				const mine: Waiting = {
					caller,
					begin: () => {
						signal.removeEventListener('abort', leave);
						resolve(true);
					}
				};
				waiting.push(mine);
				signal.addEventListener('abort', leave);
			});
			if (!begun) return undefined;
		}
		taken = true;
		return () => {
			const next = waiting.find((each) => each.caller === 'person') ?? waiting[0];
			// Still taken when somebody waits, so that nobody slips in before it runs.
			taken = next !== undefined;
			if (next === undefined) return;
			waiting.splice(waiting.indexOf(next), 1);
			next.begin();
		};
	}

	return (caller) => ({
		get id() {
			return engine.id;
		},
		get state() {
			// For a job a waiting person is a busy engine: no bid is made that would have to wait.
			return engine.state === 'ready' && caller === 'job' && taken ? 'busy' : engine.state;
		},
		load: (onProgress, signal) => engine.load(onProgress, signal),
		async *generate(request: GenerateRequest, signal: AbortSignal): AsyncGenerator<Step, GenerateEnd, void> {
			const giveBack = await turn(caller, signal);
			if (giveBack === undefined) return NOTHING;
			try {
				return yield* engine.generate(request, signal);
			} finally {
				giveBack();
			}
		},
		async logits(tokens, signal) {
			const giveBack = await turn(caller, signal);
			if (giveBack === undefined) throw new Refusal('aborted');
			try {
				return await engine.logits(tokens, signal);
			} finally {
				giveBack();
			}
		},
		countTokens: (turns) => engine.countTokens(turns),
		unload: () => engine.unload()
	});
}

/** Engines of cheats: the scripted one with its words changed, its answers held back, its work overstated. */
import type { Engine, EngineReady, GenerateEnd, GenerateRequest, Step } from '#lib/ports/engine.ts';
import type { SeededRandom } from '../../doubles/chance.ts';
import type { NodeClock } from '../../doubles/clock.ts';

/** No engine of the network is as fast: every asker's choice ranks it first. */
const BOAST_TOKENS_PER_SECOND = 400;
const VOCABULARY = 64;

type Generate = (request: GenerateRequest, signal: AbortSignal) => AsyncGenerator<Step, GenerateEnd, void>;

function over(engine: Engine, change: { readonly generate?: Generate; readonly load?: Engine['load'] }): Engine {
	return {
		get id() {
			return engine.id;
		},
		get state() {
			return engine.state;
		},
		load: change.load ?? ((onProgress, signal) => engine.load(onProgress, signal)),
		generate: change.generate ?? ((request, signal) => engine.generate(request, signal)),
		logits: (tokens, signal) => engine.logits(tokens, signal),
		countTokens: (turns) => engine.countTokens(turns),
		unload: () => engine.unload()
	};
}

/** States a speed that it does not have. */
export function boasts(engine: Engine): Engine {
	const load = async (...args: Parameters<Engine['load']>): Promise<EngineReady> => ({
		...(await engine.load(...args)),
		tokensPerSecond: BOAST_TOKENS_PER_SECOND
	});
	return over(engine, { load });
}

/** Says something else than the model, from a position of chance on. */
export function lies(engine: Engine, chance: SeededRandom): Engine {
	return over(engine, {
		async *generate(request, signal) {
			const from = request.continueFrom.length + chance.below(30);
			const steps = engine.generate(request, signal);
			try {
				for (;;) {
					const next = await steps.next();
					if (next.done === true) return next.value;
					const { position, token } = next.value;
					const other = 1 + (token % (VOCABULARY - 1));
					yield position < from ? next.value : { ...next.value, token: other, text: `w${other} ` };
				}
			} finally {
				await steps.return(NOTHING);
			}
		}
	});
}

/** Answers a little and then nothing, without a word. */
export function stalls(engine: Engine, chance: SeededRandom, clock: NodeClock): Engine {
	return over(engine, {
		async *generate(request, signal) {
			const until = request.continueFrom.length + chance.below(70);
			const steps = engine.generate(request, signal);
			try {
				for (;;) {
					const next = await steps.next();
					if (next.done === true) return next.value;
					yield next.value;
					if (next.value.position >= until) await clock.sleep(1e9, signal).catch(() => undefined);
				}
			} finally {
				await steps.return(NOTHING);
			}
		}
	});
}

/** Counts the prompt as long as an asker that has no tokenizer can just believe: a token for every byte. */
export function overbills(engine: Engine): Engine {
	return over(engine, {
		async *generate(request, signal) {
			const end = yield* engine.generate(request, signal);
			const bytes = request.turns.reduce((sum, { content }) => sum + content.length + 16, 16);
			return { ...end, promptTokens: bytes + request.continueFrom.length };
		}
	});
}

const NOTHING: GenerateEnd = {
	reason: 'aborted',
	promptTokens: 0,
	cachedTokens: 0,
	droppedTurns: 0,
	tokens: 0,
	prefillMs: 0,
	decodeMs: 0
};

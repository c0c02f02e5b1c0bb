/** The short walk: a prompt answered by this very device, with nobody asked. */
import type { Clock } from '#lib/ports/clock.ts';
import type { Engine, LoadProgress } from '#lib/ports/engine.ts';
import type { Random } from '#lib/ports/random.ts';
import { codeOf } from '#lib/protocol/errors.ts';
import type { LocalEvent, Wish } from './app.ts';
import { fixedAnswer } from './fixed.ts';
import { Inbox } from './inbox.ts';

export interface LocalPorts {
	readonly engine: Engine;
	readonly clock: Clock;
	readonly random: Random;
}

/** A load reports far more often; waiting has to end somewhere, and then it goes on. */
const LOAD_GLANCE_MS = 60_000;

/**
 * Answers on this device. Yields `loading` while the model loads, `words`, and exactly one `finished`, `fixed` or `failed` at the end.
 * Aborting stops within a step: `finished` with status `cancelled`, or `failed` with `aborted` when nothing was answered yet. Never throws.
 */
export async function* answerHere(
	wish: Wish,
	ports: LocalPorts,
	signal: AbortSignal
): AsyncGenerator<LocalEvent, void, void> {
	const { engine, clock, random } = ports;
	try {
		const last = wish.turns.findLast((turn) => turn.role === 'user');
		const fixed = last === undefined ? undefined : fixedAnswer(last.content);
		if (fixed !== undefined) {
			yield { type: 'fixed', text: fixed.text, topic: fixed.topic };
			return;
		}
		const ready = yield* loadWith(engine, clock, signal);
		const steps = engine.generate(
			{
				turns: wish.turns,
				continueFrom: wish.continueFrom,
				seed: random.bytes(32),
				sampling: wish.sampling,
				minTokens: wish.minTokens,
				maxTokens: wish.maxTokens,
				cacheScope: 'here'
			},
			signal
		);
		for (;;) {
			const next = await steps.next();
			if (next.done === true) {
				const { reason, tokens, decodeMs, droppedTurns } = next.value;
				yield {
					type: 'finished',
					status: reason === 'aborted' ? 'cancelled' : 'success',
					tokens,
					tokensPerSecond: decodeMs > 0 ? (1000 * tokens) / decodeMs : 0,
					model: ready.card.id,
					modelName: ready.card.name,
					droppedTurns
				};
				return;
			}
			const { text, token, position } = next.value;
			yield { type: 'words', text, tokens: [token], position };
		}
	} catch (error) {
		yield { type: 'failed', code: codeOf(error) };
	}
}

/** Loads while telling how far it is. */
async function* loadWith(engine: Engine, clock: Clock, signal: AbortSignal) {
	const reports = new Inbox<LoadProgress | 'settled'>(clock);
	const loading = engine
		.load((progress) => reports.put(progress), signal)
		// Said, not looked for at intervals: with a model that is loaded already every answer would wait for the next look.
		.finally(() => reports.put('settled'));
	loading.catch(() => undefined);
	for (;;) {
		const report = await reports.take(LOAD_GLANCE_MS);
		if (report === 'settled') return loading;
		if (report !== undefined) yield { type: 'loading', progress: report } satisfies LocalEvent;
	}
}

/**
 * Step 9 when an executor is lost: the next one takes the prompt and every shown token, and goes on after them under a new epoch.
 *
 * Why it is done so, and how it would be cheated: docs/decisions/hand-over.md.
 */
import { sameClass } from '#lib/protocol/model.ts';
import { codeOf } from '#lib/protocol/errors.ts';
import type { Wish } from './app.ts';
import type { OriginateEvent } from './events.ts';
import { assign, facts, REACH_NEXT_MS, type Beginning, type HiredJob } from './hire.ts';
import type { NodePorts } from './ports.ts';
import { MAX_LOST, type Left } from './race.ts';
import type { Spares } from './spares.ts';

/** Offers tried in one hand-over, each under a higher epoch. */
const MAX_SUCCESSORS = 3;
/** No further offer is tried after this long; the person is told, and can go on with one click. */
const TAKE_OVER_MS = 8_000;

/** Yields `handed-over` and returns the job as its next executor has it, or yields how the job ends. Never throws. */
export async function* handOver(
	left: Left,
	wish: Wish,
	spares: Spares,
	ports: NodePorts,
	signal: AbortSignal
): AsyncGenerator<OriginateEvent, HiredJob | undefined, void> {
	const { hired } = left;
	const began = ports.clock.monotonic();
	const done = left.parts.length > MAX_LOST;
	const offers = left.over || done || signal.aborted ? [] : await spares.next(left.shown, left.parts, signal);
	for (const choice of offers.slice(0, MAX_SUCCESSORS)) {
		if (signal.aborted || ports.clock.monotonic() - began > TAKE_OVER_MS) break;
		const beginning: Beginning = {
			epoch: spares.nextEpoch(),
			continueFrom: left.shown,
			predecessors: left.predecessors,
			seedFrom: hired.seedFrom,
			deadlineAt: hired.deadlineAt,
			startedFrom: hired.startedFrom,
			parts: left.parts
		};
		spares.tried(choice.heard.executor);
		try {
			const next = await assign(hired.job, choice, beginning, wish, ports, signal, REACH_NEXT_MS);
			spares.hired(next);
			const why = left.code;
			ports.log('handed-over', { why, epoch: beginning.epoch, ms: Math.round(ports.clock.monotonic() - began) });
			const position = left.shown.length;
			const exact = left.agreed && sameClass(hired.executor.bid.model, choice.heard.bid.model);
			yield { type: 'handed-over', from: hired.executor.executor, to: facts(choice.heard), position, exact, why };
			return next;
		} catch (error) {
			ports.log('executor-not-hired', { code: codeOf(error) });
		}
	}
	// Stopped while nobody had it: there is no receipt to wait for.
	yield signal.aborted && left.ending.type === 'lost' ? { ...left.ending, code: 'aborted' } : left.ending;
	return undefined;
}

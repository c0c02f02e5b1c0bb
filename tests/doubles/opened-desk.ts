/** A desk on virtual time, and those who want its engine. */
import { Desk, type Outcome, type Wanted } from '#lib/node/desk.ts';
import type { ExecutorPorts } from '#lib/node/ports.ts';
import { codeOf, retryMsOf } from '#lib/protocol/errors.ts';
import { VirtualClock } from './clock.ts';

/** At ten tokens a second a job of 100 tokens takes ten seconds, and its prompt of 40 one more. */
export const TAKES_MS = 11_000;

/** An empty desk, and its callers. */
export function opened() {
	const clock = new VirtualClock();
	const desk = new Desk({ clock } as unknown as ExecutorPorts);
	desk.tokensPerSecond = 10;
	let count = 0;
	const wanted = (peer: string, change: Partial<Wanted> = {}): Wanted => ({
		...{ id: `job ${count++}`, peer, sameAccount: false, pricePer1k: 1, promptTokens: 40, maxTokens: 100 },
		...{ deadlineMs: 600_000, ...change }
	});
	/** A place, and what became of its turn. */
	const enter = (peer: string, change: Partial<Wanted> = {}) => {
		const place = desk.enter(wanted(peer, change));
		const turn = { is: 'waits' as string, retryMs: undefined as number | undefined };
		place.turn.then(
			() => (turn.is = 'has it'),
			(error: unknown) => Object.assign(turn, { is: codeOf(error), retryMs: retryMsOf(error) })
		);
		return { ...place, turn };
	};
	/** Why there is no place. */
	const refused = (peer: string, change: Partial<Wanted> = {}) => {
		try {
			desk.enter(wanted(peer, change)).done();
			return 'entered';
		} catch (error) {
			return [codeOf(error), retryMsOf(error)];
		}
	};
	/** A job of that node from its beginning to its end, in no time. */
	const ran = (peer: string, outcome: Partial<Outcome> = {}, change: Partial<Wanted> = {}) => {
		const place = desk.enter(wanted(peer, change));
		place.done();
		place.learn({ tokens: 100, code: undefined, acknowledged: true, ...outcome });
		return place;
	};
	return { clock, desk, enter, refused, ran };
}

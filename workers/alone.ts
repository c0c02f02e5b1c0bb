/** One piece of work at a time: a second one is refused, not queued, because only the page knows who may wait. */
import { Refusal } from '#lib/protocol/errors.ts';

/** Runs generators one at a time. Refusal `engine-busy` at the first `next()` of one that comes while another runs. */
export type Alone = <T, R>(work: () => AsyncGenerator<T, R, void>) => AsyncGenerator<T, R, void>;

export function oneAtATime(): Alone {
	let busy = false;
	return async function* alone(work) {
		if (busy) throw new Refusal('engine-busy');
		busy = true;
		try {
			return yield* work();
		} finally {
			busy = false;
		}
	};
}

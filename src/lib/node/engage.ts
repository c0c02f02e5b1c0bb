/** Steps 3 to 6 until somebody has the job: when all are full, the wish is said again at the time they gave, as long as that makes sense. */
import { askAgainIn, MAX_AGAIN } from '#lib/market/again.ts';
import { codeOf, Refusal, retryMsOf } from '#lib/protocol/errors.ts';
import type { AnnouncedJob } from './announce.ts';
import type { Wish } from './app.ts';
import { collectBids, restate, type RankedJob } from './bidding.ts';
import type { OriginateEvent } from './events.ts';
import { hire, MAX_TRIES, type HiredJob } from './hire.ts';
import type { NodePorts } from './ports.ts';

/** Who has the job, and who else had offered. */
export interface Engaged {
	readonly ranked: RankedJob;
	readonly hired: HiredJob;
}

/** Yields what `collectBids` and `hire` tell, and `busy` before each wait. Refusals: theirs; `busy` keeps its time when it is given up. */
export async function* engage(
	job: AnnouncedJob,
	wish: Wish,
	ports: NodePorts,
	signal: AbortSignal
): AsyncGenerator<OriginateEvent, Engaged, void> {
	const { clock, random } = ports;
	const began = clock.monotonic();
	let announced = job;
	for (let times = 0; ; times++) {
		try {
			const ranked = yield* collectBids(announced, ports, signal);
			const hired = yield* hire(ranked, wish, ports, signal, times * MAX_TRIES + 1);
			return { ranked, hired };
		} catch (error) {
			const said = retryMsOf(error);
			if (codeOf(error) !== 'busy' || said === undefined) throw error;
			const [byte = 0] = random.bytes(1);
			const ms = askAgainIn({ times, waitedMs: clock.monotonic() - began }, said, byte / 256);
			if (ms === undefined) throw error;
			yield { type: 'busy', retryMs: ms, tries: times + 1, most: MAX_AGAIN };
			await clock.sleep(ms, signal).catch(() => undefined);
			if (signal.aborted) throw new Refusal('aborted');
			announced = { ...job, announcement: await restate(job, {}, ports) };
		}
	}
}

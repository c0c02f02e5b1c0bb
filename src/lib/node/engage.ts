/** Steps 3 to 6 until somebody has the job: when all are full, the wish is said again at the time they gave, as long as that makes sense. */
import { askAgainIn, MAX_AGAIN } from '#lib/market/again.ts';
import { codeOf, Refusal, retryMsOf, type Code } from '#lib/protocol/errors.ts';
import type { AnnouncedJob } from './announce.ts';
import { askKnown, hangUpAll, type Asked } from './ask.ts';
import type { Wish } from './app.ts';
import { collectBids, NOBODY_MS, restate, type RankedJob } from './bidding.ts';
import type { OriginateEvent } from './events.ts';
import { hire, MAX_TRIES } from './hire.ts';
import type { HiredJob } from './hired-job.ts';
import type { NodePorts } from './ports.ts';

/** Who has the job, and who else had offered. */
export interface Engaged {
	readonly ranked: RankedJob;
	readonly hired: HiredJob;
	/** PeerIds that had their try. */
	readonly tried: ReadonlySet<string>;
}

/** Those who offered all failed: the wish is said again for others, as long as this has not passed since it was said first, ms. */
const OTHERS_FOR_MS = 45_000;
/** Then so long for the first bid: who is there has answered before, ms. */
const OTHERS_MS = 1_500;
/** Offers tried in one job, or asked in vain; half a dozen of them are shown the prompt at the most ordinary. */
const MAX_TRIED = 64;
/** Ends that another would only repeat, or that no other can mend. */
const HOPELESS: readonly Code[] = ['aborted', 'no-bids', 'prompt-too-long', 'malformed', 'locked', 'internal'];

const NOBODY_ASKED: Asked = { offers: [], enough: false };

function rankedOf(job: AnnouncedJob, { offers }: Asked, { registry, clock }: NodePorts): RankedJob {
	const { announcement, policy } = job;
	const choices = registry.rank(offers, announcement.body, policy, clock.monotonic());
	return { job, choices, announcements: [announcement] };
}

/** Yields what `askKnown`, `collectBids` and `hire` tell, and `busy` before each wait. Refusals: theirs; `busy` keeps its time when it is given up. */
export async function* engage(
	job: AnnouncedJob,
	wish: Wish,
	ports: NodePorts,
	signal: AbortSignal
): AsyncGenerator<OriginateEvent, Engaged, void> {
	const { clock, registry } = ports;
	const began = clock.monotonic();
	// Who lends to people it knows is asked directly or not at all.
	const among = () => ports.offers().some(({ circle }) => circle);
	const explore = registry.explores() && !among();
	const tried = new Set<string>();
	let announced = job;
	let busy = 0;
	/** Why those who had their try did not take it. */
	let before: unknown;
	let askedAt = began;
	// In a job to explore in, newcomers are to be heard.
	let asked: Asked = explore ? NOBODY_ASKED : yield* askKnown(job, ports, signal);
	for (let round = 0; ; round++) {
		try {
			const nobodyMs = tried.size === 0 ? NOBODY_MS : OTHERS_MS;
			const ranked = asked.enough
				? rankedOf(announced, asked, ports)
				: yield* collectBids(announced, ports, signal, { except: tried, explore, nobodyMs, already: asked.offers });
			const hired = yield* hire(ranked, wish, ports, signal, round * MAX_TRIES + 1, tried);
			hangUpAll(asked.offers, hired.executor);
			return { ranked, hired, tried };
		} catch (thrown) {
			hangUpAll(asked.offers);
			const { laterMs } = asked;
			asked = NOBODY_ASKED;
			// Somebody one knows could, later, and nobody else is there.
			const waits = laterMs !== undefined && codeOf(thrown) === 'no-bids';
			const stillMs = Math.max(0, (laterMs ?? 0) - (clock.monotonic() - askedAt));
			const error = waits ? new Refusal('busy', 'people one knows', stillMs) : thrown;
			// Nobody else is there: what the others said tells more than that.
			if (before !== undefined && codeOf(error) === 'no-bids') throw before;
			const waitedMs = clock.monotonic() - began;
			const said = retryMsOf(error);
			if (codeOf(error) === 'busy' && said !== undefined) {
				const ms = askAgainIn({ times: busy, waitedMs }, said, registry.chance());
				if (ms === undefined) throw error;
				yield { type: 'busy', retryMs: ms, tries: ++busy, most: MAX_AGAIN };
				await clock.sleep(ms, signal).catch(() => undefined);
			} else if (HOPELESS.includes(codeOf(error)) || waitedMs > OTHERS_FOR_MS || tried.size >= MAX_TRIED) throw error;
			else before = error;
			if (signal.aborted) throw new Refusal('aborted');
			announced = { ...job, announcement: await restate(job, {}, ports) };
			// They hear of it in no other way.
			if (codeOf(error) !== 'busy' || !among()) continue;
			askedAt = clock.monotonic();
			asked = yield* askKnown(announced, ports, signal, tried);
		}
	}
}

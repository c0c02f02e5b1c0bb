/**
 * Step 9 when an executor is lost: the next one takes the prompt and every shown token, and goes on after them under a new epoch.
 *
 * Why it is done so, and how it would be cheated: docs/decisions/hand-over.md.
 */
import { sameClass, sameTokens } from '#lib/protocol/model.ts';
import { codeOf } from '#lib/protocol/errors.ts';
import type { Wish } from './app.ts';
import type { OriginateEvent } from './events.ts';
import type { Choice } from '#lib/market/select.ts';
import { hangUpAll, isNewcomer, knock, KNOCKED, MAX_KNOCKED, newcomersFail } from './ask.ts';
import { restate, whoBid, type SignedBid } from './bidding.ts';
import { assign, QUICK } from './assign.ts';
import { facts } from './hire.ts';
import type { Beginning, HiredJob } from './hired-job.ts';
import type { NodePorts } from './ports.ts';
import { MAX_LOST, type Left } from './race.ts';
import type { Spares } from './spares.ts';

/** Offers tried in one hand-over, each under a higher epoch. */
const MAX_SUCCESSORS = 6;
/** No further offer is tried after this long; the person is told, and can go on with one click. */
const TAKE_OVER_MS = 15_000;

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
	let wary = newcomersFail(ports);
	let knocked = KNOCKED;
	for (let tries = 0; tries < MAX_SUCCESSORS && !left.over && !done; tries++) {
		if (signal.aborted || ports.clock.monotonic() - began > TAKE_OVER_MS) break;
		// Weighed anew each time, and asked for again when none is left.
		const offers = await spares.next(left.shown, left.parts, signal);
		let [choice] = offers;
		if (choice === undefined || signal.aborted) break;
		if (wary && isNewcomer(choice.heard, ports)) {
			const those = offers.filter(({ heard }) => isNewcomer(heard, ports)).slice(0, knocked);
			choice = await there(those, hired, spares, ports, signal);
			if (choice === undefined) {
				knocked = Math.min(MAX_KNOCKED, 2 * knocked);
				// Nobody was shown anything: that was no try.
				tries--;
				continue;
			}
		}
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
			const next = await assign(hired.job, choice, beginning, wish, ports, signal, QUICK);
			spares.hired(next);
			const why = left.code;
			ports.log('handed-over', { why, epoch: beginning.epoch, ms: Math.round(ports.clock.monotonic() - began) });
			const position = left.shown.length;
			const exact = left.agreed && sameClass(hired.executor.bid.model, choice.heard.bid.model);
			const { reason } = choice;
			const from = hired.executor.executor;
			let readOn = false;
			try {
				yield { type: 'handed-over', from, to: facts(choice.heard), position, exact, why, reason };
				readOn = true;
			} finally {
				// Its reader left at this news: nobody would hear it.
				if (!readOn) next.channel.abort();
			}
			return next;
		} catch (error) {
			ports.log('executor-not-hired', { code: codeOf(error) });
			// A flood has pushed it out there; then those of its age are gone elsewhere too.
			if (codeOf(error) === 'expired') spares.outdated(choice.heard.heardAt);
			else {
				spares.refused(choice.heard.executor);
				wary = true;
			}
			if (!signal.aborted) ports.registry.failed(whoBid(choice.heard), codeOf(error), 'hiring');
		}
	}
	// Stopped while nobody had it: there is no receipt to wait for.
	yield signal.aborted && left.ending.type === 'lost' ? { ...left.ending, code: 'aborted' } : left.ending;
	return undefined;
}

/** The best of those newcomers that is there, on terms no worse than it had bid; undefined when none is. */
async function there(
	those: readonly Choice<SignedBid>[],
	{ job, executor }: HiredJob,
	spares: Spares,
	ports: NodePorts,
	signal: AbortSignal
): Promise<Choice<SignedBid> | undefined> {
	// Under a fresh stamp: the first may be minutes old.
	const asked = { ...job, announcement: await restate(job, {}, ports) };
	const answered = await knock(
		those.map(({ heard }) => heard),
		asked,
		ports,
		signal
	);
	const found = those.flatMap(({ heard, reason }) => {
		const now = answered.find((each) => each.executor === heard.executor);
		const fits =
			now !== undefined && now.bid.pricePer1k <= heard.bid.pricePer1k && sameTokens(now.bid.model, executor.bid.model);
		if (fits) return [{ heard: now, reason }];
		// Nor one that has raised its price: it would be asked again and again.
		spares.refused(heard.executor);
		return [];
	});
	hangUpAll(answered, found[0]?.heard);
	return found[0];
}

/**
 * Hedging: by policy a second executor answers the same job under the same seed, beside the first, so that its cache is warm and its words are there
 * when the first is lost. It gets an assignment like any other and is shown nothing, so there is nothing to copy.
 *
 * Why it is done so, and how it would be cheated: docs/decisions/hedging.md.
 */
import { mostItCanCost } from '#lib/market/price.ts';
import { codeOf } from '#lib/protocol/errors.ts';
import type { Wish } from './app.ts';
import { whoBid } from './bidding.ts';
import { assign, QUICK } from './assign.ts';
import type { Beginning, HiredJob } from './hired-job.ts';
import type { NodePorts } from './ports.ts';
import type { Spares } from './spares.ts';

/** Offers tried for one place beside the first. */
const MAX_OFFERS = 2;

/** Resolves to the standby once it has accepted, to undefined when nobody of the bit-exact class is there. Never rejects. */
export async function standBy(
	running: readonly HiredJob[],
	beginning: Omit<Beginning, 'epoch'>,
	wish: Wish,
	spares: Spares,
	ports: NodePorts,
	signal: AbortSignal
): Promise<HiredJob | undefined> {
	const [leader] = running;
	if (leader === undefined) return undefined;
	const { body } = leader.job.announcement;
	const promised = running.reduce(
		(sum, { executor }) => sum + (executor.sameAccount ? 0 : mostItCanCost(body, executor.bid.pricePer1k)),
		0
	);
	const offers = await spares.beside(running, beginning.continueFrom, beginning.parts, promised, signal);
	for (const choice of offers.slice(0, MAX_OFFERS)) {
		if (signal.aborted) return undefined;
		spares.tried(choice.heard.executor);
		try {
			const epoch = spares.nextEpoch();
			const hired = await assign(leader.job, choice, { ...beginning, epoch }, wish, ports, signal, QUICK);
			ports.log('standing-by', { epoch, position: beginning.continueFrom.length });
			// The race ended while it was being reached.
			if (!signal.aborted) return hired;
			hired.channel.abort();
		} catch (error) {
			ports.log('executor-not-hired', { code: codeOf(error) });
			if (!signal.aborted) ports.registry.failed(whoBid(choice.heard), codeOf(error), 'hiring');
		}
	}
	return undefined;
}

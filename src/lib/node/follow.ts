/** Steps 8 to 10 at the originator: an answer as it comes in, until its receipt, or until nobody is left who gives it. */
import { codeOf } from '#lib/protocol/errors.ts';
import { sameClass } from '#lib/protocol/model.ts';
import type { Wish } from './app.ts';
import type { Again, OriginateEvent } from './events.ts';
import { facts } from './hire.ts';
import type { HiredJob } from './hired-job.ts';
import type { NodePorts } from './ports.ts';
import { lossOf, Race, type Left, type Loss } from './race.ts';
import type { Runner } from './runner.ts';
import type { Spares } from './spares.ts';

/**
 * Yields `accepted`, `standby`, `words`, `checkpoint`, `handed-over` to a standby, and `finished` when it does; else returns what is left. Never
 * throws.
 */
export async function* follow(
	hired: HiredJob,
	wish: Wish,
	spares: Spares,
	ports: NodePorts,
	signal: AbortSignal
): AsyncGenerator<OriginateEvent | Again, Left | undefined, void> {
	const race = new Race(hired, wish, spares, ports, signal);
	try {
		yield { type: 'accepted' };
		for (;;) {
			await race.wait();
			const joined = race.join();
			if (joined !== undefined) yield { type: 'standby', executor: facts(joined.hired.executor) };
			for (const runner of [...race.runners]) {
				const loss = yield* hear(runner, race, ports);
				if (loss === 'finished') return undefined;
				if (loss === undefined) continue;
				const [leader] = race.runners;
				const left = race.lose(runner, loss);
				if (left !== undefined) return left;
				if (runner === leader) yield promoted(runner, loss, race, spares, ports);
			}
		}
	} finally {
		race.close();
	}
}

/** One turn of one runner. Returns why it is lost, or that the answer is whole. Never throws. */
async function* hear(
	runner: Runner,
	race: Race,
	ports: NodePorts
): AsyncGenerator<OriginateEvent | Again, Loss | 'finished' | undefined, void> {
	const { hearing, hired } = runner;
	try {
		const mail = hired.inbox.poll();
		const heard = await runner.turn(mail);
		if (mail === undefined && !hearing.cancelled && runner.punctuality === 'late') race.warm();
		if (heard?.type === 'frame') {
			const words = race.show(runner);
			if (words !== undefined) yield words;
			else if (hired.resumed !== undefined) yield { ...heard.frame, type: 'again' };
		} else if (heard?.type === 'checkpoint') {
			// Those of a standby are kept, but the answer's proof is the leader's.
			if (runner === race.runners[0])
				yield { type: 'checkpoint', tokens: hearing.position, receipt: heard.cid.toString() };
			// Only now: by then the record has it (record.ts), and what is acknowledged is never asked for again.
			await hearing.acknowledge();
		} else if (heard?.type === 'receipt') {
			const { status } = heard.receipt.body;
			const whole = status === 'cancelled' || (status === 'success' && hearing.position >= race.position);
			if (!whole) return lossOf(heard.receipt);
			yield race.finish(runner, heard.receipt);
			return 'finished';
		}
		return undefined;
	} catch (error) {
		const code = codeOf(error);
		if (code === 'internal') ports.log('follow-failed', { error: String(error) });
		return { code, parted: runner.parted };
	}
}

/** Another one leads, with its cache warm: nothing is to be reached, run again or waited for. */
function promoted(
	runner: Runner,
	{ code, parted }: Loss,
	race: Race,
	spares: Spares,
	ports: NodePorts
): OriginateEvent {
	const next = (race.runners[0] as Runner).hired;
	const { hired } = runner;
	spares.hired(next);
	const { position } = race;
	ports.log('handed-over', { why: code, epoch: next.assignment.body.epoch, ms: 0 });
	const exact = parted !== true && sameClass(hired.executor.bid.model, next.executor.bid.model);
	const [from, to] = [hired.executor.executor, facts(next.executor)];
	return { type: 'handed-over', from, to, position, exact, why: code, reason: 'it stood by' };
}

/** Newcomers are asked once more whether they are there: who answers has an open way, and what is remembered of those who do not. */
import { beforeEach, describe, expect, it } from 'vitest';
import { hangUpAll, isNewcomer, knock, newcomersFail } from '#lib/node/ask.ts';
import type { AnnouncedJob } from '#lib/node/announce.ts';
import { whoBid, type SignedBid } from '#lib/node/bidding.ts';
import { Refusal, type Code } from '#lib/protocol/errors.ts';
import { square, Wire, type Lender, type Square } from '../doubles/square.ts';

let at: Square;
let job: AnnouncedJob;
let lenders: readonly Lender[];
let newcomers: readonly SignedBid[];
beforeEach(async () => {
	at = await square();
	job = await at.job();
	lenders = await Promise.all([1, 2, 3, 4].map((name) => at.lender(name)));
	newcomers = await Promise.all(lenders.map((lender) => lender.heard(job)));
});
const never = new AbortController().signal;
/** Once a lender has heard the wish, this happens at that time. */
function then(lender: number, ms: number, what: (wire: Wire) => void): void {
	at.ways.to.set((lenders[lender] as Lender).peer, (wire) => {
		wire.far = () => void at.clock.at(ms, () => what(wire));
	});
}
async function bids(lender: number, ms: number): Promise<void> {
	const { bytes } = await (lenders[lender] as Lender).bid(job);
	then(lender, ms, (wire) => wire.say(bytes));
}
async function knocking(signal = never) {
	const begun = at.clock.monotonic();
	const answered = await at.clock.until(knock(newcomers, job, at.ports, signal));
	return { ms: at.clock.monotonic() - begun, who: answered.map(({ executor }) => numberOf(executor)), answered };
}
const numberOf = (executor: string) => lenders.findIndex(({ peer }) => peer === executor);
/** What is held against each that something is remembered of. */
const remembered = () =>
	Object.fromEntries(
		[...at.registry.knowledge().executors.values()].map(({ id, broken }) => [numberOf(id), Number(broken.toFixed(3))])
	);

describe('newcomers that are knocked at', () => {
	it('are all shown the wish, at the addresses of their bids; the first that answers ends it a moment later', async () => {
		await bids(0, 300);
		await bids(2, 449);
		await bids(3, 451);
		then(1, 9_999, () => undefined);
		const { ms, who, answered } = await knocking();
		expect([ms, who]).toEqual([450, [0, 2]]);
		expect(at.ways.opened.map(({ addresses }) => addresses)).toEqual([1, 2, 3, 4].map((n) => [`/memory/${n}`]));
		for (const { peer } of lenders) expect(at.ways.wire(peer).sent).toEqual([job.announcement.bytes]);
		expect(answered.every(({ line, executor }) => line?.channel === at.ways.wire(executor))).toBe(true);
		await at.clock.pass(10);
		expect(lenders.map(({ peer }) => at.ways.wire(peer).aborted)).toEqual([0, 1, 0, 1]);
		expect(remembered()).toEqual({});
	});

	it('are waited for a second and a half; who is silent, or was not reached by then, has not failed', async () => {
		const slow = (wait: number) => at.ways.to.set((lenders[wait] as Lender).peer, () => at.clock.sleep(1_000 * wait));
		for (const wait of [2, 3]) slow(wait);
		then(0, 100, (wire) => wire.end());
		const { ms, who } = await knocking();
		expect([ms, who]).toEqual([1_500, []]);
		await at.clock.pass(10_000);
		expect(remembered()).toEqual({ 0: 0.5 });
		for (const { peer } of lenders) expect(at.ways.wire(peer).aborted).toBeGreaterThan(0);
	});

	it('and close the way, or say no, are there: half a failure; who cannot be reached counts as silent', async () => {
		const other = await (lenders[2] as Lender).bid(job);
		then(0, 10, (wire) => wire.end());
		then(1, 20, (wire) => wire.say(other.bytes));
		const refusing = (lender: number, code: Code) =>
			at.ways.to.set((lenders[lender] as Lender).peer, () => Promise.reject(new Refusal(code)));
		refusing(2, 'unreachable');
		refusing(3, 'limited-connection');
		expect(await knocking()).toMatchObject({ ms: 20, who: [] });
		expect(remembered()).toEqual({ 0: 0.5, 1: 0.5, 2: 1, 3: 1 });
		const first = at.registry.knowledge().executors.get((lenders[0] as Lender).peer);
		expect(first).toMatchObject({ account: lenders[0]?.identity.account });
	});

	it('and are lost while they are asked are not there', async () => {
		then(0, 10, (wire) => wire.end('peer-lost'));
		then(1, 20, (wire) => wire.end('channel-closed'));
		newcomers = newcomers.slice(0, 2);
		expect(await knocking()).toMatchObject({ ms: 20, who: [] });
		expect(remembered()).toEqual({ 0: 1, 1: 0.5 });
	});

	it('and are full, or still load, did nothing wrong', async () => {
		const [busy, loading] = await Promise.all([lenders[0]?.interest(job, { why: 'busy' }), lenders[1]?.interest(job)]);
		then(0, 10, (wire) => wire.say(busy?.bytes as Uint8Array));
		then(1, 20, (wire) => wire.say(loading?.bytes as Uint8Array));
		newcomers = newcomers.slice(0, 2);
		expect(await knocking()).toMatchObject({ ms: 20, who: [] });
		expect(remembered()).toEqual({});
	});

	it('are forgiven all of it by one who stops', async () => {
		then(0, 10, (wire) => wire.end());
		const stop = new AbortController();
		at.clock.at(50, () => stop.abort());
		expect(await knocking(stop.signal)).toMatchObject({ ms: 50, who: [] });
		expect(remembered()).toEqual({});
	});
});

describe('a newcomer', () => {
	it('is one of whom nothing is remembered', () => {
		const [first, second] = newcomers as [SignedBid, SignedBid];
		at.registry.failed(whoBid(first), 'unreachable', 'hiring');
		expect([isNewcomer(first, at.ports), isNewcomer(second, at.ports)]).toEqual([false, true]);
	});

	it('is asked first when newcomers failed lately, and not when one was lost as by a closed lid', () => {
		const [first, second] = newcomers as [SignedBid, SignedBid];
		expect(newcomersFail(at.ports)).toBe(false);
		at.registry.failed(whoBid(first), 'peer-lost', 'hiring');
		expect(newcomersFail(at.ports)).toBe(false);
		at.registry.failed(whoBid(second), 'stalled', 'hiring');
		expect(newcomersFail(at.ports)).toBe(true);
		for (const lender of lenders.slice(2)) lender.didWell();
		expect(newcomersFail(at.ports)).toBe(false);
	});
});

it('ways of all offers are closed but one, and offers without a way are none’s concern', () => {
	const wires = [new Wire('a'), new Wire('b')];
	const offer = (executor: string, channel?: Wire) =>
		({ executor, ...(channel === undefined ? {} : { line: { channel } }) }) as unknown as SignedBid;
	const offers = [offer('a', wires[0]), offer('b', wires[1]), offer('c')];
	hangUpAll(offers, offers[1]);
	expect(wires.map(({ aborted }) => aborted)).toEqual([1, 0]);
	hangUpAll(offers);
	expect(wires.map(({ aborted }) => aborted)).toEqual([2, 1]);
});

/** The bids of one round: who is known is always heard, and of newcomers each has the same chance, however many there are and however early they came. */
import { describe, expect, it } from 'vitest';
import type { AnnouncedJob } from '#lib/node/announce.ts';
import type { SignedBid } from '#lib/node/bidding.ts';
import { Bids } from '#lib/node/bids.ts';
import type { NodePorts } from '#lib/node/ports.ts';
import { SeededRandom } from '../doubles/chance.ts';
import { square, type Lender } from '../doubles/square.ts';

const MAX_NEWCOMERS = 64;
const MAX_OPENED = 256;
const NOBODY: ReadonlySet<string> = new Set();
const offer = (executor: string) => ({ executor }) as unknown as SignedBid;

/** A round in which `known` are known and `proven` did well. */
function round(chance: () => number = () => 0, known: readonly string[] = [], proven: readonly string[] = []) {
	const executors = new Map([...known, ...proven].map((id) => [id, {}]));
	const registry = { knowledge: () => ({ executors }), proven: (id: string) => proven.includes(id), chance };
	return new Bids({ registry } as unknown as NodePorts);
}
const who = (bids: Bids) => bids.all.map(({ executor }) => executor);
/** With newcomers 0 … 63. */
function full(chance: () => number, known: readonly string[] = []) {
	const bids = round(chance, known);
	for (let i = 0; i < MAX_NEWCOMERS; i++) expect(bids.add(offer(`n${i}`))).toBe(true);
	return bids;
}

describe('an offer', () => {
	it('is taken once of each', () => {
		const bids = round();
		expect([bids.size, bids.has('a'), bids.all]).toEqual([0, false, []]);
		const first = offer('a');
		expect(bids.add(first)).toBe(true);
		expect(bids.add(offer('a'))).toBe(false);
		expect([bids.size, bids.has('a'), bids.has('b')]).toEqual([1, true, false]);
		expect(bids.all[0]).toBe(first);
	});

	it('of one who did well here is counted, and of no other', () => {
		const bids = round(() => 0, ['known'], ['good', 'better']);
		for (const name of ['known', 'good', 'new', 'good']) bids.add(offer(name));
		expect(bids.proven).toBe(1);
		bids.add(offer('better'));
		expect(bids.proven).toBe(2);
		expect(who(bids)).toEqual(['known', 'good', 'new', 'better']);
	});

	it('of one who is known has a place beside all newcomers', () => {
		const bids = full(() => 0.999_999, ['known']);
		expect(bids.add(offer('late'))).toBe(false);
		expect(bids.add(offer('known'))).toBe(true);
		expect(bids.size).toBe(MAX_NEWCOMERS + 1);
	});

	it('of one newcomer more is drawn by lot, and takes the place that was drawn', () => {
		let drawn = 0;
		const bids = full(() => drawn);
		// The place of the last, the first one that is none, and the first.
		drawn = 63 / 65;
		expect(bids.add(offer('a'))).toBe(true);
		expect([bids.has('n63'), bids.has('a'), bids.size]).toEqual([false, true, MAX_NEWCOMERS]);
		drawn = 64 / 66;
		expect(bids.add(offer('b'))).toBe(false);
		expect([bids.has('b'), bids.size]).toEqual([false, MAX_NEWCOMERS]);
		drawn = 0;
		expect(bids.add(offer('c'))).toBe(true);
		expect([bids.has('n0'), bids.has('c'), bids.size]).toEqual([false, true, MAX_NEWCOMERS]);
		// Who came by lot can be drawn out again, and the seventieth has a chance of 64 in 70.
		drawn = 63 / 68;
		expect(bids.add(offer('d'))).toBe(true);
		expect(bids.has('a')).toBe(false);
		for (let i = 69; i < 70; i++) bids.add(offer(`more ${i}`));
		drawn = 64 / 70;
		expect(bids.add(offer('e'))).toBe(false);
		drawn = 0.9;
		expect(bids.add(offer('f'))).toBe(true);
	});

	it('that comes late has the same chance as one that came first', () => {
		const random = new SeededRandom('reservoir');
		const kept = { early: 0, late: 0 };
		for (let i = 0; i < 300; i++) {
			const bids = round(() => random.unit());
			for (let n = 0; n < 2 * MAX_NEWCOMERS; n++) bids.add(offer(`n${n}`));
			if (bids.has('n0')) kept.early++;
			if (bids.has(`n${2 * MAX_NEWCOMERS - 1}`)) kept.late++;
			expect(bids.size).toBe(MAX_NEWCOMERS);
		}
		// Half of 300, within five standard deviations.
		for (const count of [kept.early, kept.late]) expect(Math.abs(count - 150)).toBeLessThan(44);
	});
});

describe('a message', () => {
	async function lenders(count: number) {
		const at = await square();
		const job = await at.job();
		const all: Lender[] = [];
		for (let i = 0; i < count; i++) all.push(await at.lender(i % 100, new Uint8Array(32).fill(i)));
		return { job, all };
	}
	const said = async ({ bid }: Lender, job: AnnouncedJob) => (await bid(job)).bytes;

	it('is not opened when it is none, or another than a bid or an interest', async () => {
		const { job, all } = await lenders(2);
		const [one, two] = all as [Lender, Lender];
		const bids = round();
		expect(bids.worthOpening(Uint8Array.of(1, 2), NOBODY)).toBe(false);
		expect(bids.worthOpening(job.announcement.bytes, NOBODY)).toBe(false);
		expect(bids.worthOpening(await said(one, job), NOBODY)).toBe(true);
		expect(bids.worthOpening((await two.interest(job)).bytes, NOBODY)).toBe(true);
	});

	it('of somebody who has bid, or had its try, is not opened', async () => {
		const { job, all } = await lenders(2);
		const [one, two] = all as [Lender, Lender];
		const bids = round(() => 0, [two.peer]);
		bids.add(offer(one.peer));
		expect(bids.worthOpening(await said(one, job), NOBODY)).toBe(false);
		expect(bids.worthOpening(await said(two, job), new Set([two.peer]))).toBe(false);
		expect(bids.worthOpening(await said(two, job), new Set([one.peer]))).toBe(true);
	});

	it('of a newcomer is opened as long as there are not too many; of one who is known always', async () => {
		const { job, all } = await lenders(3);
		const [one, two, known] = all as [Lender, Lender, Lender];
		const bids = round(() => 0, [known.peer]);
		const bytes = await Promise.all([one, two, known].map((each) => said(each, job)));
		const [first, second, third] = bytes as [Uint8Array, Uint8Array, Uint8Array];
		expect(bids.worthOpening(Uint8Array.of(1), NOBODY)).toBe(false);
		for (let i = 0; i < MAX_OPENED; i++) {
			expect(bids.worthOpening(i % 2 === 0 ? first : second, NOBODY)).toBe(true);
			if (i % 32 === 0) expect(bids.worthOpening(third, NOBODY)).toBe(true);
		}
		expect(bids.worthOpening(first, NOBODY)).toBe(false);
		expect(bids.worthOpening((await two.interest(job)).bytes, NOBODY)).toBe(false);
		expect(bids.worthOpening(third, NOBODY)).toBe(true);
	});
});

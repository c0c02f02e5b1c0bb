/** The bids that a lender has out: each is taken once, with all of its job, and runs out at its time. */
import { describe, expect, it } from 'vitest';
import { MAX_OPEN_BIDS, OpenBids, type OpenBid } from '#lib/node/open-bids.ts';
import { toHex, type Link } from '#lib/protocol/encode.ts';

const id = (job: number) => Uint8Array.of(job >> 8, job & 255);
const hex = (job: number) => toHex(id(job));
const link = (name: string) => ({ toString: () => name }) as unknown as Link;
const bid = (job: number, name: string, madeAt = 0, validMs = 1_000) =>
	({ bid: { cid: link(name), body: { job: id(job), validMs } }, madeAt }) as unknown as OpenBid;

function out(...bids: readonly OpenBid[]) {
	const state = { now: 0 };
	const made = new OpenBids(() => state.now);
	for (const each of bids) made.add(each);
	return { made, state };
}

describe('a bid', () => {
	it('is handed over by its name, and all of its job with it; those of other jobs stay', () => {
		const [older, middle, newer, other] = [bid(1, 'older'), bid(1, 'middle'), bid(1, 'newer'), bid(2, 'other')];
		const { made } = out(older, middle, other, newer);
		expect(made.take(hex(1), link('middle'))).toBe(middle);
		expect(made.size).toBe(1);
		expect(made.take(hex(1), link('older'))).toBeUndefined();
		expect(made.take(hex(2), link('other'))).toBe(other);
		expect(made.size).toBe(0);
	});

	it('of a name that is not out is the newest of that job', () => {
		const [older, middle, newer] = [bid(1, 'older'), bid(1, 'middle'), bid(1, 'newer')];
		const { made } = out(older, middle, newer, bid(2, 'other'));
		expect(made.take(hex(1), link('other'))).toBe(newer);
		expect(made.take(hex(3), link('other'))).toBeUndefined();
		expect(made.size).toBe(1);
	});

	it('holds until its time is over, and not a moment longer', () => {
		const first = bid(1, 'first', 50, 1_000);
		const { made, state } = out(first, bid(2, 'second', 60, 1_000));
		state.now = 1_049;
		expect(made.size).toBe(2);
		state.now = 1_050;
		expect(made.size).toBe(1);
		expect(made.take(hex(1), link('first'))).toBeUndefined();
		const again = out(first);
		again.state.now = 1_049;
		expect(again.made.take(hex(1), link('first'))).toBe(first);
		const late = out(first);
		late.state.now = 1_050;
		expect(late.made.take(hex(1), link('first'))).toBeUndefined();
	});

	it('is the one that goes, as the oldest, when there are too many', () => {
		const all = Array.from({ length: MAX_OPEN_BIDS }, (_, i) => bid(i, `bid ${i}`));
		const full = out(...all);
		expect(full.made.size).toBe(MAX_OPEN_BIDS);
		expect(full.made.take(hex(0), link('bid 0'))).toBe(all[0]);
		const over = out(...all, bid(1_000, 'one more'));
		expect(over.made.size).toBe(MAX_OPEN_BIDS);
		expect(over.made.take(hex(0), link('bid 0'))).toBeUndefined();
		expect(over.made.take(hex(1), link('bid 1'))).toBe(all[1]);
	});
});

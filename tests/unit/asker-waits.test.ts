/** How long an executor waits for its asker: for an acknowledgement, for one that is away, and for what is to come last. */
import { describe, expect, it } from 'vitest';
import { attended } from '../doubles/attended.ts';

const never = new AbortController().signal;

describe('credit', () => {
	it('is there at once when nothing waits, and while one is away with two that wait', async () => {
		const { asker, watch, clock, sent, end } = await attended();
		const first = watch(asker.credit(never));
		await clock.pass(0);
		expect(first.value).toBe(true);
		await end('peer-lost');
		await sent(32);
		await sent(64);
		const second = watch(asker.credit(never));
		await clock.pass(0);
		expect(second.value).toBe(true);
		await sent(96);
		const third = watch(asker.credit(never));
		await clock.pass(0);
		expect(third.value).toBeUndefined();
	});

	it('comes with the acknowledgement, which has ten seconds', async () => {
		const { asker, watch, clock, sent, acknowledge } = await attended();
		const made = await sent(32);
		const waits = watch(asker.credit(never));
		await clock.pass(9_999);
		expect(waits.value).toBeUndefined();
		await acknowledge(made);
		expect(waits.value).toBe(true);
		await sent(64);
		const late = watch(asker.credit(never));
		await clock.pass(9_999);
		expect(late.value).toBeUndefined();
		await clock.pass(1);
		expect(late.value).toBe(false);
	});

	it('has its ten seconds in all, whatever is said in between', async () => {
		const { asker, watch, clock, sent, acknowledge } = await attended();
		const first = await sent(32);
		await sent(64);
		const waits = watch(asker.credit(never));
		await clock.pass(6_000);
		await acknowledge(first);
		await clock.pass(3_999);
		expect(waits.value).toBeUndefined();
		await clock.pass(1);
		expect(waits.value).toBe(false);
	});

	it('ends as soon as the asker is gone, and at once when the work is stopped', async () => {
		const { asker, watch, clock, sent } = await attended();
		await sent(32);
		const waits = watch(asker.credit(never));
		await clock.pass(1);
		asker.dismiss('expired');
		await clock.pass(0);
		expect([waits.value, asker.gone]).toEqual([true, { code: 'expired' }]);
		const other = await attended();
		await other.sent(32);
		const stopped = other.watch(other.asker.credit(AbortSignal.abort()));
		await other.clock.pass(0);
		expect(stopped.value).toBe(true);
	});

	it('of one that is away has fifteen seconds in all of its absences, and ten more whenever it is back', async () => {
		const { asker, watch, clock, sent, end, comeBack } = await attended();
		for (const tokens of [32, 64, 96]) await sent(tokens);
		const waits = watch(asker.credit(never));
		await clock.pass(5_000);
		await end('peer-lost');
		await clock.pass(6_000);
		const another = await comeBack();
		await clock.pass(9_999);
		expect(waits.value).toBeUndefined();
		await end('peer-lost', another);
		await clock.pass(8_999);
		expect(waits.value).toBeUndefined();
		await clock.pass(1);
		expect(waits.value).toBe(false);
	});

	it('of one that is back and silent ends after ten seconds', async () => {
		const { asker, watch, clock, sent, end, comeBack } = await attended();
		for (const tokens of [32, 64, 96]) await sent(tokens);
		await end('peer-lost');
		const waits = watch(asker.credit(never));
		await clock.pass(4_000);
		await comeBack();
		await clock.pass(9_999);
		expect(waits.value).toBeUndefined();
		await clock.pass(1);
		expect(waits.value).toBe(false);
	});
});

describe('waiting until something holds', () => {
	it('ends when it does, when time is over, and when the asker is gone', async () => {
		const { asker, watch, clock, papers, say } = await attended();
		const signed = () => asker.countersignature !== undefined;
		const [early, first] = [watch(asker.until(() => true, 0)), watch(asker.until(signed, 100))];
		await clock.pass(0);
		expect(early.value).toBe(true);
		await clock.pass(99);
		expect(first.value).toBeUndefined();
		await clock.pass(1);
		expect(first.value).toBe(false);
		const second = watch(asker.until(signed, 100));
		await clock.pass(50);
		await say((await papers.countersigned(await papers.receipt())).bytes);
		expect(second.value).toBe(true);
		const third = watch(asker.until(() => false, 100));
		await clock.pass(50);
		asker.dismiss(undefined);
		await clock.pass(0);
		expect(third.value).toBe(false);
	});

	it('is not held up by what is said meanwhile', async () => {
		const { asker, watch, clock, sent, acknowledge, end } = await attended();
		const back = watch(asker.until(() => asker.away !== undefined, 100));
		await clock.pass(60);
		await acknowledge(await sent(32));
		await clock.pass(39);
		expect(back.value).toBeUndefined();
		await end('peer-lost');
		expect(back.value).toBe(true);
		const late = watch(asker.until(() => false, 0));
		await clock.pass(0);
		expect(late.value).toBe(false);
	});
});

/** Whom a job is said to before everybody: those who did well here, and people one knows, who can be asked in no other way. */
import { describe, expect, it } from 'vitest';
import { BIDS, engaging as stage } from '../doubles/engaging.ts';
import type { Lender, Play } from '../doubles/lender.ts';

describe('those who are known', () => {
	const direct: Play = { direct: () => 'bid', assigned: () => 'accepted' };
	const all = (lenders: readonly Lender[]) => lenders.map(({ stated }) => stated);

	it('are asked first; where one is as good as expected nobody else hears of it, and the others are let go', async () => {
		const set = await stage([direct, direct], { stated: all, proven: true });
		const { engaged } = await set.end();
		expect(set.types()).toEqual(['asked', 'bid', 'bid', 'assigned']);
		expect(set.lenders.map(({ wishes }) => wishes.length)).toEqual([0, 0]);
		expect(engaged?.ranked.choices.map(({ heard }) => heard.executor)).toEqual(set.lenders.map(({ id }) => id));
		expect(engaged?.ranked.announcements).toHaveLength(1);
		await set.clock.pass(100);
		expect(set.lenders.map(({ ended }) => ended.length)).toEqual([0, 1]);
	});

	it('are weighed with the others where none of them is enough', async () => {
		const set = await stage([BIDS, direct], { stated: (lenders) => all(lenders).slice(1) });
		const { engaged } = await set.end();
		expect(set.types()).toEqual(['asked', 'bid', 'announced', 'bid', 'assigned']);
		expect(engaged?.ranked.choices.map(({ heard }) => heard.executor)).toEqual(set.lenders.map(({ id }) => id));
		await set.clock.pass(100);
		expect(set.lenders[1]?.ended).toHaveLength(1);
	});

	it('are let go of when they did not take it', async () => {
		const set = await stage([{ direct: () => 'bid', assigned: () => ({ code: 'malformed' }) }, direct], {
			...{ stated: all, proven: true }
		});
		const { engaged } = await set.end();
		expect(engaged?.hired.executor.executor).toBe(set.lenders[1]?.id);
		const none = await stage([{ direct: () => 'bid', assigned: () => ({ code: 'malformed' }) }], {
			stated: all,
			proven: true
		});
		expect((await none.end()).code).toBe('malformed');
		await none.clock.pass(100);
		expect(none.lenders[0]?.ended).toHaveLength(1);
	});

	it('are not asked first in a job to explore in, unless people one knows lend', async () => {
		const set = await stage([{ ...BIDS, direct: () => 'bid' }], { stated: all, proven: true, explores: true });
		await set.end();
		expect(set.types()).toEqual(['announced', 'bid', 'assigned']);
		expect(set.ranks[0]?.explore).toBe(true);
		const among = await stage([{ ...BIDS, direct: () => 'bid' }], {
			...{
				proven: true,
				explores: true,
				stated: (lenders: readonly Lender[]) => all(lenders).map((each) => ({ ...each, circle: true }))
			}
		});
		await among.end();
		expect(among.types()).toEqual(['asked', 'bid', 'assigned']);
	});
});

describe('people one knows', () => {
	const circle = (lenders: readonly Lender[]) => lenders.slice(0, 1).map(({ stated }) => ({ ...stated, circle: true }));

	it('that are full are asked again, in no other way, at the time they gave', async () => {
		const set = await stage(
			[{ direct: (nth) => (nth === 0 ? { fullMs: 12_000 } : 'bid'), assigned: () => 'accepted' }],
			{
				stated: circle
			}
		);
		const { engaged } = await set.end();
		expect(set.types()).toEqual(['asked', 'announced', 'busy', 'asked', 'bid', 'assigned']);
		const [asked, , busy, again] = set.events;
		const waited = (busy?.[0] ?? 0) - (asked?.[0] ?? 0);
		// What was waited for the others is part of the time.
		expect(set.busy()[0]?.retryMs).toBe(12_000 - waited);
		expect(again?.[0]).toBe((busy?.[0] ?? 0) + 12_000 - waited);
		expect(engaged?.hired.assignment.body.epoch).toBe(9);
		expect(set.lenders[0]?.direct).toHaveLength(2);
		expect(set.lenders[0]?.direct[1]?.cid.equals(set.job.announcement.cid)).toBe(false);
	});

	it('whose time is over meanwhile are asked again after the shortest pause', async () => {
		const set = await stage([{ direct: (nth) => (nth === 0 ? { loadMs: 100 } : 'bid'), assigned: () => 'accepted' }], {
			stated: circle
		});
		await set.end();
		expect(set.busy()).toMatchObject([{ retryMs: 1_000 }]);
	});

	it('each time is counted from when they were asked', async () => {
		const set = await stage([{ direct: (nth) => (nth < 2 ? { fullMs: 12_000 } : 'bid'), assigned: () => 'accepted' }], {
			stated: circle
		});
		await set.end();
		const [first, second] = set.busy();
		expect(first?.retryMs).toBe(second?.retryMs);
	});

	it('that said no time are not waited for', async () => {
		const set = await stage([{ direct: () => undefined }], { stated: circle });
		expect((await set.end()).code).toBe('no-bids');
		expect(set.types()).toEqual(['asked', 'announced']);
	});

	it('are not asked again because somebody else failed, and who was tried is not asked at all', async () => {
		const set = await stage(
			[
				{ direct: () => 'bid', assigned: () => ({ code: 'terms-differ' }) },
				{ gossip: (nth) => (nth === 0 ? { fullMs: 2_000 } : 'bid'), assigned: () => 'accepted' }
			],
			{ stated: circle }
		);
		const { engaged } = await set.end();
		expect(engaged?.hired.executor.executor).toBe(set.lenders[1]?.id);
		expect(set.lenders[0]?.direct).toHaveLength(1);
	});
});

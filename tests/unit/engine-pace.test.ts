/** Speed and time left of a load. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { paced } from '#lib/engine/pace.ts';
import type { WorkerProgress } from '#workers/messages.ts';

const fetching = (loadedBytes: number, totalBytes: number | 'unknown' = 10_000): WorkerProgress => ({
	stage: 'fetching',
	loadedBytes,
	totalBytes: totalBytes === 'unknown' ? undefined : totalBytes
});

function walk(reports: readonly (readonly [number, WorkerProgress])[]) {
	let now = 0;
	const pace = paced(() => now);
	return reports.map(([at, progress]) => {
		now = at;
		return pace(progress);
	});
}

it('says nothing before it can tell, then bytes per second and the seconds that are left', () => {
	const [first, soon, later] = walk([
		[0, fetching(0)],
		[100, fetching(900)],
		[1000, fetching(2000)]
	]);
	expect([first?.bytesPerSecond, soon?.bytesPerSecond, soon?.secondsLeft]).toEqual([undefined, undefined, undefined]);
	expect(later).toEqual({ ...fetching(2000), bytesPerSecond: 2000, secondsLeft: 4 });
});

it('forgets how fast it was: only the last seconds count', () => {
	const reports = walk([
		[0, fetching(0)],
		[1000, fetching(5000)],
		[10_000, fetching(5000)],
		[12_000, fetching(5200)]
	]);
	expect(reports[3]?.bytesPerSecond).toBe(100);
	expect(reports[3]?.secondsLeft).toBe(48);
});

it('has no time left for a length that is not known, nor for a load that stands still or prepares', () => {
	const [, unknown] = walk([
		[0, fetching(0, 'unknown')],
		[1000, fetching(5000, 'unknown')]
	]);
	expect(unknown?.bytesPerSecond).toBe(5000);
	expect(unknown?.secondsLeft).toBeUndefined();
	const [, still] = walk([
		[0, fetching(5)],
		[1000, fetching(5)]
	]);
	expect(still?.secondsLeft).toBeUndefined();
	const [prepares] = walk([[0, { stage: 'preparing', loadedBytes: 1, totalBytes: 1 }]]);
	expect(prepares?.bytesPerSecond).toBeUndefined();
});

it('is never negative nor endless, however reports come', () => {
	const report = fc.tuple(fc.nat(2_000), fc.nat(20_000));
	fc.assert(
		fc.property(fc.array(report, { maxLength: 40 }), (steps) => {
			let at = 0;
			for (const { bytesPerSecond = 0, secondsLeft = 0 } of walk(
				steps.map(([wait, bytes]) => [(at += wait), fetching(bytes)] as const)
			)) {
				expect(bytesPerSecond).toBeGreaterThanOrEqual(0);
				expect(Number.isFinite(bytesPerSecond) && Number.isFinite(secondsLeft) && secondsLeft >= 0).toBe(true);
			}
		})
	);
});

/** When is an executor late, when is it gone: on made-up time, with the pauses that real ones make. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arrived, expecting, nextLookMs, punctuality, waited, type Lateness } from '#lib/market/lateness.ts';
import { SeededRandom } from '../doubles/chance.ts';

/** An executor that has sent `count` frames at one pace. */
function steady(gapMs: number, count = 40): Lateness {
	let pace = arrived(expecting(50, 1000 / gapMs));
	for (let i = 0; i < count; i++) pace = arrived(waited(pace, gapMs, gapMs));
	return pace;
}

/** Waits as `follow` does until the next frame comes after `ms`; tells whether it was late and whether it was given up before. */
function through(pace: Lateness, ms: number) {
	let left = ms;
	const seen = { late: false, gone: false };
	for (;;) {
		const asked = nextLookMs(pace);
		const took = Math.min(asked, left);
		pace = waited(pace, asked, took);
		left -= took;
		if (left <= 0) return { pace: arrived(pace), ...seen };
		const now = punctuality(pace);
		if (now === 'gone') return { pace, late: true, gone: true };
		if (now === 'late') seen.late = true;
	}
}

const thresholds = ({ lateMs, goneMs }: Lateness) => ({ late: lateMs, gone: goneMs });
const silentFor = (pace: Lateness, ms: number) => punctuality(waited(pace, ms, ms));

describe('lateness', () => {
	it('is four medians and never under 150 ms; gone is ten times as much, 5 s at least, 30 s at most', () => {
		expect(thresholds(steady(10))).toEqual({ late: 150, gone: 5_000 });
		expect(thresholds(steady(50))).toEqual({ late: 200, gone: 5_000 });
		expect(thresholds(steady(500))).toEqual({ late: 2_000, gone: 20_000 });
		expect(thresholds(steady(5_000))).toEqual({ late: 20_000, gone: 30_000 });
		expect(silentFor(steady(10), 149)).toBe('on-time');
		expect(silentFor(steady(10), 150)).toBe('late');
		expect(silentFor(steady(10), 5_000)).toBe('gone');
	});

	it('before the first frame is what was promised, at a pace of which four pauses are known', () => {
		expect(expecting(300, 20)).toEqual({
			...{ silentMs: 0, firstMs: 300, gapsMs: [50, 50, 50, 50], lateMs: 1_600, goneMs: 9_200 }
		});
		expect(expecting(40_000, 20)).toMatchObject({ lateMs: 60_000, goneMs: 60_000 });
		// Nobody is waited for at a pace that nobody reads.
		expect(expecting(0, 0)).toMatchObject({ gapsMs: Array(4).fill(30_000), lateMs: 1_000, goneMs: 8_000 });
		expect(expecting(0, 1 / 40).gapsMs).toEqual(Array(4).fill(30_000));
		expect(expecting(0, 1 / 20).gapsMs).toEqual(Array(4).fill(20_000));
	});

	it('counts the pauses between frames, the newest 32, and not the wait for the first', () => {
		let pace = arrived(waited(expecting(300, 20), 9_000, 9_000));
		expect(pace).toEqual({ silentMs: 0, firstMs: undefined, gapsMs: [50, 50, 50, 50], lateMs: 200, goneMs: 5_000 });
		pace = arrived(waited(pace, 70, 60));
		expect(pace.gapsMs).toEqual([50, 50, 50, 50, 60]);
		for (let gap = 1; gap <= 32; gap++) pace = arrived(waited(pace, gap, gap));
		expect(pace.gapsMs).toEqual(Array.from({ length: 32 }, (_, i) => i + 1));
	});

	it('takes the middle pause, or what lies between the two in the middle, whatever their order', () => {
		const after = (...gapsMs: number[]) => {
			const next = arrived({ ...steady(100), gapsMs: gapsMs.slice(0, -1), silentMs: gapsMs.at(-1) ?? 0 });
			return [next.lateMs, next.goneMs];
		};
		expect(after(900, 200, 1_000)).toEqual([3_600, 30_000]);
		expect(after(1_000, 100, 200, 400)).toEqual([1_200, 12_000]);
		expect(after(200)).toEqual([800, 8_000]);
		// Before any pause there is none to go by.
		expect(arrived({ ...expecting(0, 20), gapsMs: [] })).toMatchObject({ lateMs: 150, goneMs: 5_000 });
	});

	it('is said at the very millisecond, and a wait that went backwards is none', () => {
		const pace = { ...steady(100), lateMs: 400, goneMs: 5_000 };
		const at = (silentMs: number) => punctuality({ ...pace, silentMs });
		expect([at(399), at(400), at(4_999), at(5_000)]).toEqual(['on-time', 'late', 'late', 'gone']);
		expect(waited(pace, 100, -5)).toEqual({ ...pace, silentMs: 0 });
		expect(waited({ ...pace, silentMs: 10 }, 100, 40)).toEqual({ ...pace, silentMs: 50 });
	});

	it('is looked at again after a quarter of a second, or when it can change', () => {
		const pace = { ...steady(100), lateMs: 400, goneMs: 5_000 };
		const at = (silentMs: number) => nextLookMs({ ...pace, silentMs });
		expect([at(0), at(150), at(300), at(399.5), at(400)]).toEqual([250, 250, 100, 1, 250]);
		expect([at(4_750), at(4_900), at(5_000), at(9_000)]).toEqual([250, 100, 1, 1]);
	});

	it('gives the first frame the time that was promised, twice and four times, within a minute', () => {
		const start = expecting(2_000, 50);
		expect(thresholds(start)).toEqual({ late: 5_000, gone: 16_000 });
		expect(thresholds(expecting(3_600_000, 50)).gone).toBe(60_000);
		// What it took does not count as its pace.
		expect(thresholds(arrived(waited(start, 9_000, 9_000))).late).toBe(150);
	});

	it('does not take our own lateness for theirs: a wait counts no longer than it was meant', () => {
		fc.assert(
			fc.property(
				fc.array(fc.record({ asked: fc.integer({ min: 1, max: 250 }), extra: fc.integer({ min: 0, max: 60_000 }) })),
				(waits) => {
					const pace = waits.reduce((state, { asked, extra }) => waited(state, asked, asked + extra), steady(20));
					expect(pace.silentMs).toBe(waits.reduce((sum, { asked }) => sum + asked, 0));
				}
			)
		);
		// A laptop that slept for an hour.
		expect(punctuality(waited(steady(20), 130, 3_600_000))).toBe('on-time');
	});

	it('never takes back a verdict without a frame, and a frame always clears it', () => {
		fc.assert(
			fc.property(fc.array(fc.integer({ min: 0, max: 3_000 }), { maxLength: 60 }), fc.nat(40_000), (gaps, silence) => {
				const order = ['on-time', 'late', 'gone'];
				let pace = expecting(100, 50);
				for (const gap of gaps) pace = arrived(waited(pace, gap, gap));
				let before = 0;
				for (let at = 0; at <= silence; at += 500) {
					const now = order.indexOf(silentFor(pace, at));
					expect(now).toBeGreaterThanOrEqual(before);
					before = now;
				}
				expect(punctuality(arrived(waited(pace, silence, silence)))).toBe('on-time');
			})
		);
	});

	it('looks again when the verdict can change, and never waits long enough to mistake a freeze for silence', () => {
		fc.assert(
			fc.property(
				fc.double({ min: 0, max: 60_000, noNaN: true }),
				fc.double({ min: 1, max: 2_000, noNaN: true }),
				(silentMs, gap) => {
					const pace = { ...steady(gap), silentMs };
					expect(nextLookMs(pace)).toBeGreaterThan(0);
					expect(nextLookMs(pace)).toBeLessThanOrEqual(250);
				}
			)
		);
	});

	it('bounds what a slow drip gains by raising its own median', () => {
		let pace = expecting(100, 50);
		for (let gap = 20; gap < 60_000; gap *= 1.3) pace = arrived(waited(pace, gap, gap));
		for (let i = 0; i < 40; i++) pace = arrived(waited(pace, 29_000, 29_000));
		expect(thresholds(pace).gone).toBe(30_000);
	});

	it('gives up fewer than one living executor in 1,000 minutes of model traffic, and finds it late a few times a minute', () => {
		// What interrupts an even pace, on average: every 2 s 50–400 ms (garbage, repainting, other tabs), every 30 s 0.4–1.2 s (a lost packet, a
		// busy machine), every 10 min 1.5–3.5 s (a packet lost thrice, another network). They may come together.
		const pauses = [
			{ perMinute: 30, from: 50, to: 400 },
			{ perMinute: 2, from: 400, to: 1_200 },
			{ perMinute: 0.1, from: 1_500, to: 3_500 }
		];
		const chance = new SeededRandom('traffic');
		const minutes = 1_000;
		const count = { late: 0, gone: 0, total: 0 };
		for (const perSecond of [8, 25, 60, 120]) {
			const gap = 1_000 / perSecond;
			const pace = steady(gap);
			count.total += minutes;
			for (const { perMinute, from, to } of pauses)
				for (let i = 0; i < perMinute * minutes; i++) {
					let ms = gap + from + (to - from) * chance.unit();
					// Another one may begin before this one is over.
					for (const other of pauses)
						if (chance.unit() < (other.perMinute * ms) / 60_000)
							ms += other.from + (other.to - other.from) * chance.unit();
					const step = through(pace, ms);
					count.late += Number(step.late);
					count.gone += Number(step.gone);
				}
		}
		const { late, gone, total } = count;
		console.log(
			`lateness in model traffic: ${total} job-minutes, ${(late / total).toFixed(1)} times late a minute, ${gone} given up`
		);
		expect(gone).toBeLessThan(total / 1_000);
		expect(late / total).toBeLessThan(30);
	});
});

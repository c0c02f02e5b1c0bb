/** That this device's clock is the odd one, concluded from what others signed, and how that could be forged or hidden. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { clockError, type ClockWitness } from '#lib/node/clock-error.ts';
import { ClockWatch, FORGET_MS, MAX_ACCOUNTS, STEADY_MS } from '#lib/node/clock-watch.ts';
import { CLOCK_SKEW_MS } from '#lib/protocol/limits.ts';
import { statement } from '../doubles/contributor.ts';
import { Seals } from '../doubles/seals.ts';

const HOUR = 3_600_000;
/** `n` accounts that `from` handed on, all of one opinion. */
const say = (from: string, aheadMs: number, n = 3): ClockWitness[] =>
	Array.from({ length: n }, (_, i) => ({ account: `${from}:${i}`, from, aheadMs: aheadMs + 1_000 * i }));

describe('the conclusion', () => {
	test('three accounts through one relay say the same', () =>
		expect(clockError(say('relay', HOUR))).toBe(HOUR + 1_000));
	test('behind as well as ahead', () => expect(clockError(say('relay', -HOUR))).toBeLessThan(-HOUR / 2));
	test('nobody, one and two say nothing', () => {
		expect([0, 1, 2].map((n) => clockError(say('relay', HOUR, n)))).toEqual([undefined, undefined, undefined]);
	});
	test('one account is one word, however often it is said', () =>
		expect(clockError(say('relay', HOUR, 5).map((one) => ({ ...one, account: 'the same' })))).toBeUndefined());
	test('a difference within the window is none', () =>
		expect(clockError(say('relay', CLOCK_SKEW_MS - 5_000))).toBeUndefined());
	test('times that contradict each other say nothing', () =>
		expect(
			clockError(
				[HOUR, 2 * HOUR, 3 * HOUR, 4 * HOUR].flatMap((at, i) =>
					say('relay', at, 1).map((w) => ({ ...w, account: `${i}` }))
				)
			)
		).toBeUndefined());

	test('a neighbour with a thousand names cannot raise it while another hands on one clock that agrees', () =>
		expect(clockError([...say('hostile', HOUR, 1000), ...say('relay', 0, 1)])).toBeUndefined());
	test('nor beside a neighbour who hands on what it likes, when they lie apart', () =>
		expect(clockError([...say('hostile', HOUR), ...say('other', -HOUR)])).toBeUndefined());
	test('most of the neighbours carry it over one that denies it', () => {
		expect(clockError([...say('relay', HOUR), ...say('second', HOUR), ...say('hostile', 0, 50)])).toBeGreaterThan(0);
		expect(clockError([...say('relay', HOUR), ...say('hostile', 0, 50)])).toBeUndefined();
	});
	test('a few liars among the honest of one relay move it nowhere', () =>
		expect(
			clockError([
				...say('relay', HOUR, 5),
				...say('relay', 9 * HOUR, 2).map((w) => ({ ...w, account: `x${w.account}` }))
			])
		).toBe(HOUR + 3_000));

	test('it never names an error that nobody bore out, and never one that is none', () => {
		const witness = fc.record({
			account: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
			from: fc.constantFrom('r', 's', 't'),
			aheadMs: fc.integer({ min: -10 * CLOCK_SKEW_MS, max: 10 * CLOCK_SKEW_MS })
		});
		fc.assert(
			fc.property(fc.array(witness, { maxLength: 30 }), (all) => {
				const error = clockError(all);
				if (error === undefined) return;
				expect(Math.abs(error)).toBeGreaterThan(CLOCK_SKEW_MS);
				const near = new Set(all.filter((w) => Math.abs(w.aheadMs - error) <= CLOCK_SKEW_MS).map((w) => w.account));
				expect(near.size).toBeGreaterThanOrEqual(3);
			})
		);
	});
});

/** A watch whose wall clock can be set apart from its monotonic one, and lenders with the right time. */
async function device(aheadMs: number) {
	const start = 1_800_000_000_000;
	const state = { passed: 0, aheadMs };
	const seals = new Seals();
	const secret = (n: number) => new Uint8Array(32).fill(n);
	const own = await seals.identity(secret(200), secret(201), start);
	const clock = { now: () => start + state.passed + state.aheadMs, monotonic: () => state.passed };
	const watch = new ClockWatch({ crypto: seals, clock, own: own.account });
	/** Account `n` states at the right time, or `lateMs` before it is heard. */
	const states = async (n: number, { from = 'relay', lateMs = 0, node = n + 50 } = {}) => {
		const identity = n === 200 ? own : await seals.identity(secret(n), secret(node), start);
		await watch.hear(await statement(identity, start + state.passed - lateMs), from);
	};
	const round = async (who: readonly number[], how = {}) => {
		for (const n of who) await states(n, how);
		state.passed += STEADY_MS;
	};
	return { state, seals, watch, round, states };
}

describe('the watch', () => {
	test('three lenders heard twice tell a clock that is a day ahead, and setting it right ends it at once', async () => {
		const { watch, round, state } = await device(24 * HOUR);
		await round([1, 2, 3]);
		expect(watch.error()).toBeUndefined();
		await round([1, 2, 3]);
		expect(watch.error()).toBe(24 * HOUR);
		state.aheadMs = 0;
		expect(watch.error()).toBeUndefined();
		await round([1, 2, 3]);
		await round([1, 2, 3]);
		expect(watch.error()).toBeUndefined();
	});

	test('what waited while the tab slept comes at once and old: that is no wrong clock', async () => {
		const { watch, states, state } = await device(0);
		for (const lateMs of [60, 50, 40, 30].map((minutes) => minutes * 60_000))
			for (const n of [1, 2, 3]) await states(n, { lateMs });
		state.passed += STEADY_MS;
		for (const n of [1, 2, 3]) await states(n);
		expect(watch.error()).toBeUndefined();
	});

	test('a device that slept forgets what it had noted', async () => {
		const { watch, round, state } = await device(0);
		await round([1, 2, 3]);
		await round([1, 2, 3]);
		// Monotonic time stands still during sleep in some browsers.
		state.aheadMs = 8 * HOUR;
		expect(watch.error()).toBeUndefined();
	});

	test('other tabs of this account prove nothing; five nodes of one account are one', async () => {
		const { watch, round } = await device(HOUR);
		for (let i = 0; i < 2; i++) {
			await round([1, 2, 200]);
			for (const node of [60, 61, 62]) await round([1], { node });
		}
		expect(watch.error()).toBeUndefined();
	});

	test('nobody is a witness without the signature and the certificate', async () => {
		const { watch, seals, state } = await device(HOUR);
		for (let i = 0; i < 2; i++) {
			for (const n of [1, 2, 3]) {
				const identity = await seals.identity(
					new Uint8Array(32).fill(n),
					new Uint8Array(32).fill(n + 50),
					1_800_000_000_000
				);
				const whole = await statement(identity, 1_800_000_000_000 + state.passed);
				const changed = whole.slice();
				const last = changed.length - 1;
				changed[last] = (changed[last] ?? 0) ^ 1;
				await watch.hear(changed, 'relay');
				await watch.hear(await statement({ ...identity, certificate: new Uint8Array(3) }, 1_800_000_000_000), 'relay');
			}
			state.passed += STEADY_MS;
		}
		await watch.hear(new Uint8Array(3), 'relay');
		expect(watch.error()).toBeUndefined();
	});

	test('a crowd of names costs a bounded number of looks and pushes nobody out', async () => {
		const { watch, round, states, seals } = await device(HOUR);
		await round([1, 2, 3]);
		const before = seals.checked;
		for (let n = 4; n < 4 + 2 * MAX_ACCOUNTS; n++) await states(n);
		expect((seals.checked - before) / 2).toBe(MAX_ACCOUNTS - 3);
		await round([1, 2, 3]);
		expect(watch.error()).toBe(HOUR);
	});

	test('who is gone is forgotten', async () => {
		const { watch, round, state } = await device(HOUR);
		await round([1, 2, 3]);
		await round([1, 2, 3]);
		state.passed += FORGET_MS;
		expect(watch.error()).toBeUndefined();
	});
});

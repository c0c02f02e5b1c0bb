/** When a device may be lent, by the limits its owner set. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
	DEFAULT_LIMITS,
	pauseCause,
	readLimits,
	writeLimits,
	type Circumstances,
	type LendingLimits
} from '#lib/market/lending.ts';

const NOW: Circumstances = { minuteOfDay: 600, pluggedIn: true, hidden: false, jobsToday: 0 };
const minute = fc.integer({ min: 0, max: 1439 });
const limits: fc.Arbitrary<LendingLimits> = fc.record({
	hours: fc.option(fc.record({ from: minute, to: minute }), { nil: undefined }),
	onlyPluggedIn: fc.boolean(),
	whileHidden: fc.boolean(),
	jobsPerDay: fc.option(fc.integer({ min: 1, max: 100_000 }), { nil: undefined }),
	onlyPeople: fc.boolean()
});

describe('limits of a contributor', () => {
	it.each<[string, Partial<LendingLimits>, Partial<Circumstances>, string | undefined]>([
		['nothing set', {}, {}, undefined],
		['inside the hours', { hours: { from: 540, to: 660 } }, {}, undefined],
		['at the end of the hours', { hours: { from: 540, to: 600 } }, {}, 'hours'],
		['over midnight, late', { hours: { from: 1320, to: 360 } }, { minuteOfDay: 1400 }, undefined],
		['over midnight, early', { hours: { from: 1320, to: 360 } }, { minuteOfDay: 359 }, undefined],
		['over midnight, by day', { hours: { from: 1320, to: 360 } }, { minuteOfDay: 360 }, 'hours'],
		['from and to alike', { hours: { from: 5, to: 5 } }, {}, undefined],
		['on battery', {}, { pluggedIn: false }, 'battery'],
		['on battery, allowed', { onlyPluggedIn: false }, { pluggedIn: false }, undefined],
		['a browser that does not tell', {}, { pluggedIn: undefined }, undefined],
		['not looked at', { whileHidden: false }, { hidden: true }, 'hidden'],
		['not looked at, allowed', {}, { hidden: true }, undefined],
		['one job left', { jobsPerDay: 3 }, { jobsToday: 2 }, undefined],
		['no job left', { jobsPerDay: 3 }, { jobsToday: 3 }, 'jobs']
	])('%s', (_, set, now, cause) => {
		expect(pauseCause({ ...DEFAULT_LIMITS, ...set }, { ...NOW, ...now })).toBe(cause);
	});

	it('an hour range and its complement never both allow, and one of them always does', () => {
		fc.assert(
			fc.property(minute, minute, minute, (from, to, minuteOfDay) => {
				fc.pre(from !== to);
				const allows = (hours: { from: number; to: number }) =>
					pauseCause({ ...DEFAULT_LIMITS, hours }, { ...NOW, minuteOfDay }) === undefined;
				expect(allows({ from, to })).toBe(!allows({ from: to, to: from }));
			})
		);
	});

	it('come back as they were written', () => {
		fc.assert(
			fc.property(limits, (value) => {
				expect(readLimits(writeLimits(value))).toEqual(value);
			})
		);
	});

	it('whatever stands in storage is read as sound limits', () => {
		fc.assert(
			fc.property(fc.oneof(fc.anything(), fc.json(), fc.string()), (value) => {
				const read = readLimits(value);
				expect(readLimits(writeLimits(read))).toEqual(read);
			})
		);
		expect(readLimits('{"hours":{"from":-1,"to":2},"jobsPerDay":0}')).toEqual(DEFAULT_LIMITS);
	});
});

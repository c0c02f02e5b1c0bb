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

	it.each<[string, Partial<LendingLimits>, Partial<Circumstances>, string | undefined]>([
		['at the beginning of the hours', { hours: { from: 600, to: 660 } }, {}, undefined],
		['a minute before them', { hours: { from: 601, to: 660 } }, {}, 'hours'],
		['in their last minute', { hours: { from: 540, to: 601 } }, {}, undefined],
		['over midnight, at the beginning', { hours: { from: 600, to: 60 } }, {}, undefined],
		['over midnight, a minute before', { hours: { from: 601, to: 60 } }, {}, 'hours'],
		['plugged in, not looked at but allowed', { onlyPluggedIn: true }, { hidden: true }, undefined],
		['looked at', { whileHidden: false }, {}, undefined],
		['more jobs than are allowed now', { jobsPerDay: 3 }, { jobsToday: 4 }, 'jobs'],
		['as many as come', {}, { jobsToday: 1e6 }, undefined],
		['only people, which is asked of each asker', { onlyPeople: true }, {}, undefined]
	])('%s', (_, set, now, cause) => {
		expect(pauseCause({ ...DEFAULT_LIMITS, ...set }, { ...NOW, ...now })).toBe(cause);
	});

	it('from one minute to the same is the whole day', () => {
		fc.assert(
			fc.property(minute, minute, (from, minuteOfDay) => {
				expect(pauseCause({ ...DEFAULT_LIMITS, hours: { from, to: from } }, { ...NOW, minuteOfDay })).toBeUndefined();
			})
		);
	});

	it('are told one at a time: the hours, then the battery, then the screen, then the jobs', () => {
		const all: LendingLimits = {
			...{ hours: { from: 0, to: 1 }, onlyPluggedIn: true, whileHidden: false, jobsPerDay: 1, onlyPeople: false }
		};
		const now = { minuteOfDay: 600, pluggedIn: false, hidden: true, jobsToday: 1 };
		expect(pauseCause(all, now)).toBe('hours');
		expect(pauseCause({ ...all, hours: undefined }, now)).toBe('battery');
		expect(pauseCause({ ...all, hours: undefined, onlyPluggedIn: false }, now)).toBe('hidden');
		expect(pauseCause({ ...all, hours: undefined, onlyPluggedIn: false, whileHidden: true }, now)).toBe('jobs');
	});

	it('are at first: at any time, plugged in where that is told, also unseen, any number of jobs, for anybody', () => {
		expect(DEFAULT_LIMITS).toEqual({
			...{ hours: undefined, onlyPluggedIn: true, whileHidden: true, jobsPerDay: undefined, onlyPeople: false }
		});
	});

	it('are read one by one: what is not sound is as at first, and the others stay', () => {
		const set = {
			hours: { from: 0, to: 1439 },
			onlyPluggedIn: false,
			whileHidden: false,
			jobsPerDay: 7,
			onlyPeople: true
		};
		const read = (change: Readonly<Record<string, unknown>>) => readLimits(JSON.stringify({ ...set, ...change }));
		expect(read({})).toEqual(set);
		for (const hours of [
			...[null, 'all day', 7, true, [], {}, { from: 1 }, { to: 1 }],
			...[
				{ from: -1, to: 5 },
				{ from: 1440, to: 5 },
				{ from: 5, to: -1 },
				{ from: 5, to: 1440 }
			],
			...[
				{ from: 0.5, to: 5 },
				{ from: '1', to: 5 },
				{ from: 5, to: null }
			]
		])
			expect(read({ hours })).toEqual({ ...set, hours: undefined });
		expect(read({ hours: { from: 1439, to: 0, more: 1 } })).toStrictEqual({ ...set, hours: { from: 1439, to: 0 } });
		for (const jobsPerDay of [null, 0, -1, 1.5, '3', 100_001, [3]])
			expect(read({ jobsPerDay })).toEqual({ ...set, jobsPerDay: undefined });
		for (const jobsPerDay of [1, 100_000]) expect(read({ jobsPerDay })).toEqual({ ...set, jobsPerDay });
		expect(read({ onlyPluggedIn: 0 })).toEqual({ ...set, onlyPluggedIn: true });
		expect(read({ whileHidden: 'no' })).toEqual({ ...set, whileHidden: true });
		expect(read({ onlyPeople: 1 })).toEqual({ ...set, onlyPeople: false });
	});

	it('are as at first where nothing that was written stands', () => {
		const written = '{"onlyPluggedIn":false}';
		expect(readLimits(written)).toEqual({ ...DEFAULT_LIMITS, onlyPluggedIn: false });
		for (const text of [
			undefined,
			null,
			5,
			true,
			'',
			'{',
			'null',
			'5',
			'"text"',
			'[]',
			[written],
			{ onlyPluggedIn: false }
		])
			expect(readLimits(text)).toEqual(DEFAULT_LIMITS);
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

/** What the Contribute page says: consent, times, pauses, jobs of earlier visits, and the line of speeds. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEFAULT_LIMITS } from '#lib/market/lending.ts';
import { paces, polyline } from '#lib/ui/contribute/pace.ts';
import { standingOf, usualPace } from '#lib/ui/contribute/standing.ts';
import { agreed, agreedToAnother, clockTime, CONSENT_VERSION, minuteOf, pauseWords } from '#lib/ui/contribute/terms.ts';
import { earlierJob, hearJob, type JobLine } from '#lib/ui/contribute/contribution.svelte.ts';
import { badged, lendingMark } from '#lib/ui/shell/lending-mark.ts';

const LINE: JobLine = {
	...{ id: 'a', startedAt: 0, sameAccount: false, tokens: 20, state: 'success', price: 0 },
	...{ receipt: undefined, code: undefined, tokensPerSecond: 10 }
};

describe('consent', () => {
	it('covers its own version and no other', () => {
		expect(agreed(CONSENT_VERSION)).toBe(true);
		for (const other of [undefined, true, 'yes', CONSENT_VERSION - 1, CONSENT_VERSION + 1])
			expect(agreed(other)).toBe(false);
		expect(agreedToAnother(CONSENT_VERSION - 1)).toBe(true);
		for (const none of [undefined, CONSENT_VERSION]) expect(agreedToAnother(none)).toBe(false);
	});
});

describe('times', () => {
	it('every minute of a day comes back as it was written', () => {
		fc.assert(
			fc.property(fc.integer({ min: 0, max: 1439 }), (minute) => {
				expect(minuteOf(clockTime(minute))).toBe(minute);
			})
		);
	});
	it.each(['', '24:00', '12:60', 'noon', '1:00'])('%j is no time', (text) => expect(minuteOf(text)).toBeUndefined());
});

it('a pause says why, and until when where that is known', () => {
	const limits = { ...DEFAULT_LIMITS, hours: { from: 22 * 60 + 30, to: 60 } };
	const said = (['person', 'hours', 'battery', 'hidden', 'jobs'] as const).map((cause) => pauseWords(cause, limits));
	expect(new Set(said).size).toBe(5);
	expect(said[1]).toContain('22:30');
});

it('a job that was running when its tab went is not shown as running', () => {
	const kept = {
		...{ id: 'a', createdAt: 1_000, endedAt: undefined, model: 'm', state: 'running' as const, tokens: 3, price: 0 },
		...{ sameAccount: false, receipt: undefined, code: undefined }
	};
	expect(earlierJob(kept)).toMatchObject({ state: 'partial', tokensPerSecond: undefined });
	expect(earlierJob({ ...kept, state: 'success', endedAt: 2_500 }).tokensPerSecond).toBe(2);
});

it('a finished job has its speed, one without a word has none', () => {
	const started = hearJob([], { type: 'started', job: 'a', sameAccount: false }, 1_000);
	const end = { type: 'ended', job: 'a', status: 'success', price: 0, receipt: undefined, code: undefined } as const;
	expect(hearJob(started, { ...end, tokens: 50 }, 3_000)[0]?.tokensPerSecond).toBe(25);
	expect(hearJob(started, { ...end, tokens: 0 }, 3_000)[0]?.tokensPerSecond).toBeUndefined();
});

describe('the line of speeds', () => {
	it('leaves out jobs too short to tell, and runs from old to new', () => {
		const jobs = [LINE, { ...LINE, tokens: 2, tokensPerSecond: 99 }, { ...LINE, tokensPerSecond: 30 }];
		expect(paces(jobs)).toEqual([30, 10]);
	});
	it('stays in its box', () => {
		const values = fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { minLength: 2, maxLength: 60 });
		fc.assert(
			fc.property(values, (speeds) => {
				for (const point of polyline(speeds, 300, 48).split(' ')) {
					const [x, y] = point.split(',').map(Number) as [number, number];
					expect(x >= 0 && x <= 300 && y >= 0 && y <= 48).toBe(true);
				}
			})
		);
		expect(polyline([1], 300, 48)).toBe('');
	});
});

it('the title tells lending apart from pausing and from neither', () => {
	const marks = (['off', 'ready', 'working', 'paused'] as const).map(lendingMark);
	expect(new Set(marks).size).toBe(4);
	expect(marks[0]).toBe('');
	expect([badged('working'), badged('ready')]).toEqual([true, false]);
});

describe('standing', () => {
	const record = (
		kind: 'sealed' | 'checkpoint',
		signed: boolean,
		createdAt = 5,
		role: 'executor' | 'originator' = 'executor'
	) => ({
		...{ kind, role, createdAt },
		counterpart: signed ? new Uint8Array(1) : undefined
	});

	it('counts answers given, and a receipt as proof only with both signatures', () => {
		expect(
			standingOf([
				record('sealed', true, 9),
				record('sealed', true, 7),
				record('sealed', false, 8),
				record('checkpoint', true),
				record('sealed', true, 1, 'originator')
			])
		).toEqual({ signedByBoth: 2, signedHere: 1, cutShort: 1, since: 5 });
		expect(standingOf([])).toEqual({ signedByBoth: 0, signedHere: 0, cutShort: 0, since: undefined });
	});

	it('tells the usual speed as one that was measured', () => {
		expect(usualPace([])).toBeUndefined();
		const at = (tokensPerSecond: number): JobLine => ({ ...LINE, tokensPerSecond });
		expect(usualPace([at(30), at(10), at(1000)])).toBe(30);
		expect(usualPace([at(30), at(10)])).toBe(10);
	});
});

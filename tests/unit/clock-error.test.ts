/** Whether this clock is the odd one: every bound at which words become a vote and votes a conclusion. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { clockError, LEAST_ACCOUNTS, type ClockWitness } from '#lib/node/clock-error.ts';
import { CLOCK_SKEW_MS } from '#lib/protocol/limits.ts';

const HOUR = 3_600_000;
/** One word each of as many accounts, handed on by `from`. */
const say = (from: string, ...aheadMs: readonly number[]): ClockWitness[] =>
	aheadMs.map((ahead, i) => ({ account: `${from}:${i}`, from, aheadMs: ahead }));
/** A neighbour of whose words nothing can be doubted. */
const agreed = (from: string, aheadMs: number) => say(from, aheadMs, aheadMs, aheadMs);

describe('what one neighbour’s messages say', () => {
	test('three accounts are enough and two are not', () => {
		expect(LEAST_ACCOUNTS).toBe(3);
		expect(clockError(say('relay', HOUR, HOUR, HOUR))).toBe(HOUR);
		expect(clockError(say('relay', HOUR, HOUR))).toBeUndefined();
	});

	test.each([1, -1])('a difference up to the window is none, one beyond it is (sign %i)', (sign) => {
		expect(clockError(agreed('relay', sign * CLOCK_SKEW_MS))).toBeUndefined();
		expect(clockError(agreed('relay', sign * (CLOCK_SKEW_MS + 1)))).toBe(sign * (CLOCK_SKEW_MS + 1));
	});

	test('those agree who are no further apart than the window, whichever is the later', () => {
		for (const sign of [1, -1]) {
			const words = (apart: number) => say('relay', HOUR, HOUR + sign * apart, HOUR - sign * CLOCK_SKEW_MS);
			expect(clockError(words(CLOCK_SKEW_MS))).toBe(HOUR);
			expect(clockError(words(CLOCK_SKEW_MS + 1))).toBeUndefined();
		}
	});

	test('more than half of its accounts have to agree', () => {
		const three = [HOUR, HOUR + 1, HOUR + 2];
		expect(clockError(say('relay', ...three, 9 * HOUR, 11 * HOUR))).toBe(HOUR + 2);
		expect(clockError(say('relay', ...three, 9 * HOUR, 11 * HOUR, 13 * HOUR))).toBeUndefined();
	});

	test('of two in the middle the one counts that says less', () => {
		const words = [HOUR, HOUR + 1, HOUR + 2, HOUR + 3];
		expect(clockError(say('relay', ...words))).toBe(HOUR + 1);
		expect(clockError(say('relay', ...words.map((ms) => -ms)))).toBe(-(HOUR + 1));
	});

	test('of one account the last word counts', () => {
		const same = (...aheadMs: number[]) => say('relay', ...aheadMs).map((one) => ({ ...one, account: 'one' }));
		const two = say('relay', HOUR, HOUR);
		expect(clockError([...same(0, HOUR), ...two])).toBe(HOUR);
		expect(clockError([...same(HOUR, 9 * HOUR), ...two])).toBeUndefined();
	});
});

describe('what the neighbours say together', () => {
	test('one clock that is borne out through another neighbour silences one alarm', () => {
		expect(clockError([...agreed('a', HOUR), ...say('b', 0)])).toBeUndefined();
		expect(clockError([...agreed('a', HOUR), ...say('b', CLOCK_SKEW_MS)])).toBeUndefined();
		expect(clockError([...agreed('a', HOUR), ...say('b', -CLOCK_SKEW_MS)])).toBeUndefined();
		// Alone it bears nothing out, and is too few to say the contrary.
		expect(clockError([...agreed('a', HOUR), ...say('b', CLOCK_SKEW_MS + 1)])).toBe(HOUR);
	});

	test('more than half of those who say anything have to agree', () => {
		const two = [...agreed('a', HOUR), ...agreed('b', HOUR + 1)];
		expect(clockError([...two, ...say('c', 0)])).toBe(HOUR);
		expect(clockError([...two, ...say('c', 0), ...say('d', 0)])).toBeUndefined();
		expect(clockError([...two, ...agreed('c', 9 * HOUR)])).toBe(HOUR + 1);
		expect(clockError([...two, ...agreed('c', 9 * HOUR), ...agreed('d', 11 * HOUR)])).toBeUndefined();
	});

	test('votes agree up to the window too, and those that say nothing do not count', () => {
		expect(clockError([...agreed('a', HOUR), ...agreed('b', HOUR + CLOCK_SKEW_MS)])).toBe(HOUR);
		expect(clockError([...agreed('a', HOUR), ...agreed('b', HOUR + CLOCK_SKEW_MS + 1)])).toBeUndefined();
		const mute = ['b', 'c', 'd'].flatMap((from) => say(from, 9 * HOUR, 11 * HOUR, 13 * HOUR));
		expect(clockError([...agreed('a', HOUR), ...mute])).toBe(HOUR);
	});

	test('by how much it is wrong is told by those alone who say that it is', () =>
		expect(clockError([...say('a', 0), ...agreed('b', HOUR), ...agreed('c', HOUR + 1), ...agreed('d', HOUR + 2)])).toBe(
			HOUR + 1
		));

	test('an hour ahead is told of as an hour behind is, and in any order', () => {
		const witness = fc.record({
			account: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
			from: fc.constantFrom('r', 's', 't'),
			aheadMs: fc.integer({ min: -5, max: 5 }).map((n) => n * 60_000 + n)
		});
		const words = fc.uniqueArray(witness, { maxLength: 15, selector: ({ account, from }) => `${account} ${from}` });
		fc.assert(
			fc.property(words, (all) => {
				const error = clockError(all);
				expect(clockError(all.toReversed())).toBe(error);
				const mirrored = clockError(all.map((one) => ({ ...one, aheadMs: -one.aheadMs })));
				expect(mirrored).toBe(error === undefined ? undefined : -error);
			})
		);
	});
});

/** Whom an executor knows and what they may cost it for nothing, millisecond by millisecond. */
import { describe, expect, it } from 'vitest';
import {
	isKnown,
	KNOWN_LOSS,
	kept,
	lost,
	MAX_KNOWN,
	NEWCOMERS,
	NOBODY,
	pauseOf,
	STRANGER_LOSS,
	STRANGERS_LOSS,
	type Askers
} from '#lib/market/askers.ts';

const MINUTE = 60_000;
/** Who became known one after the other, a minute each so that all do. */
const known = (...names: readonly string[]): Askers =>
	names.reduce((so, name, i) => kept(so, name, i * MINUTE), NOBODY);

it('at first nobody is known, and nobody has to wait', () => {
	expect(NOBODY).toEqual({ known: new Map(), strangers: new Map(), pool: undefined, newcomers: undefined });
	expect(pauseOf(NOBODY, 'a', 0)).toBe(0);
	expect(STRANGERS_LOSS).toEqual({ burst: 30_000, perMs: 0.25 });
	expect(STRANGER_LOSS).toEqual({ burst: 10_000, perMs: 0.02 });
	expect(KNOWN_LOSS).toEqual({ burst: 30_000, perMs: 0.05 });
	expect(NEWCOMERS).toEqual({ burst: 8, perMs: 1 / 60_000 });
});

describe('a stranger', () => {
	it('waits until it may cost a second again, at a fiftieth of the time', () => {
		const at = (ms: number, now = 0) => pauseOf(lost(NOBODY, 'p', ms, 0), 'p', now);
		expect([at(9_000), at(9_001), at(10_000), at(12_000)]).toEqual([0, 50, 50_000, 150_000]);
		expect([at(10_000, 49_999), at(10_000, 50_000)]).toEqual([1, 0]);
	});

	it('waits for all of them together, at a quarter of the time', () => {
		let askers: Askers = NOBODY;
		for (const name of ['p', 'q', 'r', 's']) askers = lost(askers, name, 7_500, 0);
		expect(pauseOf(askers, 'fresh', 0)).toBe(4_000);
		expect(pauseOf(askers, 'p', 0)).toBe(4_000);
		expect(pauseOf(askers, 'fresh', 4_000)).toBe(0);
		// Its own is the longer wait for one that wasted more.
		expect(pauseOf(lost(askers, 'p', 2_500, 0), 'p', 0)).toBe(50_000);
	});

	it('is remembered among 256, those that wasted something last', () => {
		let askers: Askers = NOBODY;
		for (let i = 0; i < 256; i++) askers = lost(askers, `p${i}`, 10_000, i);
		expect(askers.strangers.size).toBe(256);
		askers = lost(askers, 'p0', 1, 256);
		askers = lost(askers, 'new', 10_000, 257);
		expect(askers.strangers.size).toBe(256);
		expect([...askers.strangers.keys()].at(0)).toBe('p2');
		expect([...askers.strangers.keys()].slice(-2)).toEqual(['p0', 'new']);
	});
});

describe('a node that is known', () => {
	it('has an allowance of its own from then on, a twentieth of the time', () => {
		const askers = lost(known('a'), 'a', 29_000, 0);
		expect(isKnown(askers, 'a')).toBe(true);
		expect(askers.strangers.size).toBe(0);
		expect(askers.pool).toBeUndefined();
		expect(pauseOf(askers, 'a', 0)).toBe(0);
		const more = lost(askers, 'a', 500, 0);
		expect([pauseOf(more, 'a', 0), pauseOf(more, 'a', 10_000)]).toEqual([10_000, 0]);
	});

	it('is known no longer when it has used that up, and then has what a stranger has', () => {
		const almost = lost(known('a', 'b'), 'a', 29_999, 0);
		expect(isKnown(almost, 'a')).toBe(true);
		const over = lost(almost, 'a', 1, 0);
		expect([isKnown(over, 'a'), isKnown(over, 'b')]).toEqual([false, true]);
		expect(pauseOf(over, 'a', 0)).toBe(0);
		expect(pauseOf(lost(over, 'a', 10_000, 0), 'a', 0)).toBe(50_000);
	});

	it('is one of eight at once and then one a minute', () => {
		let askers: Askers = NOBODY;
		for (let i = 0; i < 9; i++) askers = kept(askers, `a${i}`, 0);
		expect(askers.known.size).toBe(8);
		expect(kept(askers, 'a8', 59_999)).toBe(askers);
		expect(isKnown(kept(askers, 'a8', 60_000), 'a8')).toBe(true);
	});

	it('that is kept again takes no place of a newcomer, keeps what it owes, and is the last to be forgotten', () => {
		const askers = lost(known('a', 'b'), 'a', 20_000, MINUTE);
		const again = kept(lost(askers, 'b', 1, MINUTE), 'a', MINUTE);
		expect(again.newcomers).toEqual(askers.newcomers);
		expect(again.known.get('a')).toEqual({ left: 10_000, at: MINUTE });
		expect([...again.known.keys()]).toEqual(['b', 'a']);
	});

	it('is one of 64: the one that was not seen for longest goes', () => {
		const names = Array.from({ length: MAX_KNOWN }, (_, i) => `a${i}`);
		const full = known(...names);
		expect(full.known.size).toBe(64);
		const later = lost(kept(full, 'a0', 99 * MINUTE), 'a1', 10, 99 * MINUTE);
		const next = kept(later, 'new', 99 * MINUTE);
		expect([...next.known.keys()]).toEqual([...names.slice(3), 'a0', 'a1', 'new']);
	});
});

/** A value that screens follow: told at once, and in order. */
import { describe, expect, it } from 'vitest';
import { Watchable } from '#lib/node/watched.ts';

describe('a watched value', () => {
	it('is told at once to whoever comes, and on every change in the order they came, until they leave', () => {
		const value = new Watchable('a');
		const told: string[] = [];
		const leave = value.observe((now) => told.push(`first ${now}`));
		value.observe((now) => told.push(`second ${now} ${value.value}`));
		expect(told).toEqual(['first a', 'second a a']);
		value.set('b');
		expect(value.value).toBe('b');
		expect(told.slice(2)).toEqual(['first b', 'second b b']);
		leave();
		leave();
		value.set('c');
		expect(told.slice(4)).toEqual(['second c c']);
	});
	it('tells one that is set to the same once more', () => {
		const value = new Watchable(1);
		const told: number[] = [];
		value.observe((now) => told.push(now));
		value.set(1);
		expect(told).toEqual([1, 1]);
	});
});

/**
 * The matcher of fixed answers against a table of wordings. Rates are asserted, so that a change which loses people or catches
 * harmless talk is seen; what is missed is listed by name in docs/spec/fixed-answers.md.
 */
import { describe, expect, test } from 'vitest';
import { FIXED_TEXTS, fixedAnswer } from '#lib/node/fixed.ts';
import { CRISIS, DANGER, HARMLESS, HEALTH } from '../fixtures/fixed-wordings.ts';

const topicOf = (text: string) => fixedAnswer(text)?.topic;
const SPOKEN = { CRISIS, DANGER, HEALTH };

describe('fixed answers', () => {
	test('the table is large enough to mean something', () => {
		expect(CRISIS.length + DANGER.length + HEALTH.length).toBeGreaterThanOrEqual(120);
		expect(HARMLESS.length).toBeGreaterThanOrEqual(80);
		const all = [...CRISIS, ...DANGER, ...HEALTH, ...HARMLESS];
		expect(new Set(all).size).toBe(all.length);
	});

	test.each(Object.entries(SPOKEN))('%s: nobody is left to the model', (_, wordings) => {
		expect(wordings.filter((text) => topicOf(text) === undefined)).toEqual([]);
	});

	test('a crisis is answered as one', () => {
		expect(CRISIS.filter((text) => topicOf(text) !== 'crisis')).toEqual([]);
	});

	test('the other topics are told apart in nine of ten', () => {
		const right = [
			...DANGER.filter((text) => topicOf(text) === 'danger'),
			...HEALTH.filter((text) => topicOf(text) === 'health')
		].length;
		expect(right / (DANGER.length + HEALTH.length)).toBeGreaterThanOrEqual(0.9);
	});

	test('harmless talk goes to the model', () => {
		expect(HARMLESS.filter((text) => topicOf(text) !== undefined)).toEqual([]);
	});

	test('no country is a crisis', () => {
		const names = new Intl.DisplayNames('en', { type: 'region' });
		const letters = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'];
		const countries = letters.flatMap((a) => letters.map((b) => names.of(a + b) ?? ''));
		const asked = countries.flatMap((name) => [`What is the capital of ${name}?`, `which continent is ${name} on`]);
		expect(asked.filter((text) => topicOf(text) !== undefined)).toEqual([]);
	});

	test.each([
		(text: string) => text.toUpperCase(),
		(text: string) => `  ${text}!!!`,
		(text: string) => `ok so ${text}`,
		(text: string) => text.replaceAll(' ', '\n'),
		(text: string) => text.replaceAll('e', 'e\u200b'),
		(text: string) => `${'Nice weather. '.repeat(2000)}${text}`
	])('a crisis is found in another dress (%#)', (dress) => {
		expect(CRISIS.filter((text) => topicOf(dress(text)) !== 'crisis')).toEqual([]);
	});

	test('hostile input costs little', () => {
		const began = performance.now();
		for (const text of [
			'a '.repeat(50_000),
			'kill '.repeat(20_000),
			'my is got has '.repeat(9_000),
			'x'.repeat(100_000)
		])
			fixedAnswer(text);
		expect(performance.now() - began).toBeLessThan(2_000);
	});

	test('the texts hold no address, and say that they are fixed and where help is', () => {
		for (const text of Object.values(FIXED_TEXTS)) {
			expect(text).not.toMatch(/https?:|www\.|\.org|\.com/);
			expect(text).toMatch(/fixed text/);
			expect(text).toMatch(/local emergency number/);
			expect(text.length).toBeLessThan(700);
		}
	});
});

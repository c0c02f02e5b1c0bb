/** What the first screen makes wait, and for how long at most. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { atRest, drawn } from '#lib/ui/first-screen.ts';
import { COMPILE_HINT, hintFirst } from '../../scripts/first-screen.ts';

type Then = () => void;
const asked: Then[] = [];
const next = async () => {
	asked.shift()?.();
	await vi.advanceTimersByTimeAsync(0);
};
const settles = (promise: Promise<unknown>) => {
	const seen = { settled: false };
	void promise.then(() => (seen.settled = true));
	return seen;
};

beforeEach(() => {
	vi.useFakeTimers();
	asked.length = 0;
	vi.stubGlobal('requestAnimationFrame', (then: Then) => asked.push(then));
	vi.stubGlobal('requestIdleCallback', (then: Then) => asked.push(then));
});
afterEach(() => {
	vi.unstubAllGlobals();
	vi.useRealTimers();
});

describe('the tab', () => {
	test('is loaded when the frame was drawn, then what stands in it, and the browser rests', async () => {
		const seen = settles(drawn());
		for (const each of ['a frame', 'its rest', 'the second frame']) {
			expect([each, seen.settled]).toEqual([each, false]);
			await next();
		}
		expect(seen.settled).toBe(false);
		await next();
		expect(seen.settled).toBe(true);
	});

	test('waits a second at most for a frame that never comes', async () => {
		const seen = settles(drawn());
		await vi.advanceTimersByTimeAsync(999);
		expect(seen.settled).toBe(false);
		await vi.advanceTimersByTimeAsync(1);
		expect(seen.settled).toBe(true);
	});

	test('where the browser has no word for rest, the next frame is taken for it', async () => {
		vi.stubGlobal('requestIdleCallback', undefined);
		const seen = settles(drawn());
		for (let frame = 0; frame < 4; frame++) await next();
		expect(seen.settled).toBe(true);
	});
});

describe('the offline shell', () => {
	test('begins when the tab stands and the browser rests', async () => {
		const tab = Promise.withResolvers<void>();
		const seen = settles(atRest(tab.promise));
		await next();
		expect([asked.length, seen.settled]).toEqual([0, false]);
		tab.resolve();
		await vi.advanceTimersByTimeAsync(0);
		expect([asked.length, seen.settled]).toEqual([1, false]);
		await next();
		expect(seen.settled).toBe(true);
	});

	test('begins after five seconds beside a tab that hangs', async () => {
		const seen = settles(atRest(new Promise(() => undefined)));
		await vi.advanceTimersByTimeAsync(4_999);
		expect(seen.settled).toBe(false);
		await vi.advanceTimersByTimeAsync(1);
		expect(seen.settled).toBe(true);
	});
});

test('the hint to compile a file at once stands before all code, or the browser does not see it', () => {
	expect(hintFirst(`const deps = 1;\n${COMPILE_HINT}import '$&';`)).toBe(
		`${COMPILE_HINT}const deps = 1;\nimport '$&';`
	);
	expect(hintFirst(`${COMPILE_HINT}code`)).toBe(`${COMPILE_HINT}code`);
	expect(hintFirst('other code')).toBe('other code');
});

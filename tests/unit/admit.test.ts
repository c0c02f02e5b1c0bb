/** May a stranger spend this device now: every reason to say no, and the edges of each. */
import { describe, expect, it } from 'vitest';
import { admit, prefillMs, workMs, type ExecutorView } from '#lib/market/admit.ts';
import type { JobAnnouncement } from '#lib/protocol/announcement.ts';
import type { OfferedModel } from '#lib/protocol/model.ts';
import { DEFAULT_POLICY, priceOf, type ExecutionPolicy } from '#lib/protocol/policy.ts';

const model = {
	id: 'small',
	weightsHash: new Uint8Array(32).fill(1),
	engineClass: 'this-wasm-1t',
	contextTokens: 1_000
} as unknown as OfferedModel;
const view: ExecutorView = {
	model,
	engine: 'ready',
	readyInMs: 0,
	queue: { waitMs: 0 },
	pricePer1k: 100_000,
	tokensPerSecond: 25,
	region: 'Porto'
};
const verdict = (
	policy: Partial<ExecutionPolicy> = {},
	here: Partial<ExecutorView> = {},
	job: Partial<JobAnnouncement> = {}
) =>
	admit({ promptTokens: 200, maxTokens: 400, ...job, policy: { ...DEFAULT_POLICY, ...policy } } as JobAnnouncement, {
		...view,
		...here
	});
const no = (why: string) => ({ type: 'decline', why });

describe('a wish of a stranger', () => {
	it('is bid for, with what it waits for and then reads', () => {
		expect(verdict()).toEqual({ type: 'bid', pricePer1k: 100_000, firstTokenMs: 2_000, waitMs: 0 });
		expect(verdict({}, { queue: { waitMs: 700.4 } })).toMatchObject({ firstTokenMs: 2_701, waitMs: 701 });
		expect(verdict({}, { queue: { waitMs: 10.5 } }, { promptTokens: 0 })).toMatchObject({
			firstTokenMs: 11,
			waitMs: 11
		});
	});

	it('for another model, other weights or another class is declined', () => {
		expect(verdict({}, {}, { model: 'small' })).toMatchObject({ type: 'bid' });
		expect(verdict({}, {}, { model: 'large' })).toEqual(no('another-model'));
		expect(verdict({ weightsHash: new Uint8Array(32).fill(1) })).toMatchObject({ type: 'bid' });
		expect(verdict({ weightsHash: new Uint8Array(32).fill(2) })).toEqual(no('another-model'));
		expect(verdict({ engineClass: 'this-wasm-1t' })).toMatchObject({ type: 'bid' });
		expect(verdict({ engineClass: 'other' })).toEqual(no('another-model'));
	});

	it('for other regions is declined, also by one that tells no region', () => {
		expect(verdict({ regions: ['Lisbon', 'Porto'] })).toMatchObject({ type: 'bid' });
		expect(verdict({ regions: ['Lisbon'] })).toEqual(no('region'));
		expect(verdict({ regions: ['Lisbon'] }, { region: undefined })).toEqual(no('region'));
		expect(verdict({}, { region: undefined })).toMatchObject({ type: 'bid' });
	});

	it('for more than the model holds is declined', () => {
		expect(verdict({}, {}, { maxTokens: 1_000 })).toMatchObject({ type: 'bid' });
		expect(verdict({}, {}, { maxTokens: 1_001 })).toEqual(no('too-long'));
	});

	it('that pays less is declined, by the thousand or in all', () => {
		expect(verdict({ maxPricePer1k: 100_000 })).toMatchObject({ type: 'bid' });
		expect(verdict({ maxPricePer1k: 99_999 })).toEqual(no('price'));
		const most = priceOf(100_000, 600);
		expect(verdict({ maxPrice: most })).toMatchObject({ type: 'bid' });
		expect(verdict({ maxPrice: most - 1 })).toEqual(no('price'));
	});

	it('whose first word would come too late is declined', () => {
		expect(verdict({ deadlineMs: 2_000 })).toMatchObject({ type: 'bid' });
		expect(verdict({ deadlineMs: 1_999 })).toEqual(no('deadline'));
	});

	it('hears when a model that loads is ready, and when there is room', () => {
		expect(verdict({}, { engine: 'loading', readyInMs: 900 })).toEqual({ type: 'interest', readyInMs: 900 });
		expect(verdict({}, { queue: { retryMs: 4_000 } })).toEqual({ type: 'busy', retryMs: 4_000 });
		// Its own queue says how long; an engine that is at work is no reason by itself.
		expect(verdict({}, { engine: 'busy', queue: { waitMs: 300 } })).toMatchObject({ type: 'bid', waitMs: 300 });
		expect(verdict({ regions: ['Lisbon'] }, { engine: 'loading' }), 'never promised').toEqual(no('region'));
	});
});

describe('the time of a job', () => {
	it('is a prompt at four times the speed of an answer, and an answer as long as they usually are', () => {
		expect(prefillMs(100, 25)).toBe(1_000);
		expect(prefillMs(100, 0)).toBe(100_000);
		// No slower than a token a second.
		expect([prefillMs(100, 0.25), prefillMs(100, 0.2), prefillMs(100, 0.5)]).toEqual([100_000, 100_000, 50_000]);
		expect(workMs({ promptTokens: 100, maxTokens: 500 }, 25, 50)).toBe(3_000);
		expect(workMs({ promptTokens: 100, maxTokens: 25 }, 25, 50)).toBe(2_000);
		expect(workMs({ promptTokens: 0, maxTokens: 1 }, 0, 50)).toBe(1_000_000);
	});
});

/** Models in words. */
import { describe, expect, it } from 'vitest';
import type { Offer } from '#lib/node/app.ts';
import {
	choiceLine,
	context,
	meshModels,
	nearlyFull,
	obstacle,
	progressWords,
	shelves,
	timeLeft
} from '#lib/ui/models/words.ts';
import { modelEntry, SOME_MODELS } from '../doubles/models.ts';

const offer = (model: string, tokensPerSecond: number, pricePer1k: number): Offer => ({
	executor: `${model}-${tokensPerSecond}`,
	account: 'did:key:z6Mk',
	region: undefined,
	circle: false,
	model,
	modelName: model.toUpperCase(),
	tokensPerSecond,
	pricePer1k,
	free: pricePer1k === 0,
	addresses: [],
	heardAt: 0
});

describe('models in words', () => {
	it('puts each on its shelf, and finds by name', () => {
		const { here, could, cannot } = shelves(SOME_MODELS);
		expect(here.map(({ name }) => name)).toEqual(['Pocket', 'SmolLM2 135M Instruct', 'TinyStories 33M']);
		expect(could.map(({ name }) => name)).toEqual(['Qwen3 0.6B', 'Llama 3.2 1B Instruct']);
		expect(cannot.map(({ name }) => name)).toEqual(['Llama 3.1 70B Instruct']);
		expect(shelves(SOME_MODELS, ' llama ').could).toHaveLength(1);
		// What is partly here can at least be deleted, whatever fits.
		const stranded = modelEntry('x', { kept: 'partly', fit: { fits: false, why: 'storage-full' } });
		expect(shelves([stranded]).could).toEqual([stranded]);
	});

	it('says how far a download is, and when it will be over', () => {
		const progress = {
			stage: 'fetching',
			loadedBytes: 12e6,
			totalBytes: 120e6,
			bytesPerSecond: 2e6,
			secondsLeft: 54
		} as const;
		expect(progressWords(progress)).toBe('12 MB of 120 MB · 2 MB per second · 54 seconds left');
		expect(progressWords({ ...progress, stage: 'checking' })).toMatch(/Checking/);
		expect([timeLeft(1), timeLeft(240), timeLeft(7200)]).toEqual([
			'1 second left',
			'about 4 minutes left',
			'about 2 hours left'
		]);
	});

	it('gives a reason for everything that does not fit, and none for what does', () => {
		expect(obstacle({ fits: true })).toBeUndefined();
		for (const why of [
			'no-graphics',
			'out-of-memory',
			'storage-full',
			'storage-unavailable',
			'insecure-context',
			'model-unsupported'
		] as const)
			expect(obstacle({ fits: false, why })).toMatch(/^[A-Z].+\.$/);
	});

	it('shows offers by model, the most offered first', () => {
		const lines = meshModels([offer('b', 20, 400_000), offer('a', 10, 0), offer('b', 30, 200_000)]);
		expect(lines).toEqual([
			{ id: 'b', line: 'B · 2 computers · up to 30 tok/s · from 0.2 credits per 1,000 tokens' },
			{ id: 'a', line: 'A · 1 computer · up to 10 tok/s · free' }
		]);
		expect(meshModels([])).toEqual([]);
	});

	it('measures a context in pages, and room by its share', () => {
		expect([context(1024), context(8192)]).toEqual([
			'1,024 tokens, about a page and a half',
			'8,192 tokens, about 14 pages'
		]);
		expect([nearlyFull(95, 100), nearlyFull(10, 100), nearlyFull(10, undefined), nearlyFull(0, 0)]).toEqual([
			true,
			false,
			false,
			false
		]);
		expect(choiceLine(modelEntry('x', { name: 'X', bytes: 5e6 }), 41)).toBe('X · 5 MB · 41 tok/s');
	});
});

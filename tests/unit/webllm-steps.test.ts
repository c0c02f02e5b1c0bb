/** WebLLM's sampler, self-test and refusals, without WebLLM. That they fit the package is for tests/interop/webllm.browser.test.ts. */
import { describe, expect, test } from 'vitest';
import { codeOf, Refusal } from '#lib/protocol/errors.ts';
import { draw, topCandidates, type Sampling } from '#lib/protocol/sampler.ts';
import { refusalOf, watchDevices } from '#workers/webllm/refusals.ts';
import { openSampler, type Order } from '#workers/webllm/sampling.ts';
import { apart, checkConsistency, noise, SELF_TEST_POSITIONS } from '#workers/webllm/self-test.ts';
import { chunks, type Passes } from '#workers/webllm/steps.ts';

const VOCABULARY = 64;
const SEED = Uint8Array.from({ length: 32 }, (_, i) => i);
const SAMPLING: Sampling = { temperatureMilli: 1000, topK: 20, topPMilli: 900 };
const row = (state: number) =>
	Float32Array.from({ length: VOCABULARY }, (_, id) => ((id * 7919 + state * 104_729) % 997) / 100);
const codeIn = async (work: () => Promise<unknown>) => {
	try {
		await work();
	} catch (error) {
		return codeOf(error);
	}
	return 'ok';
};

describe('the sampler', () => {
	const order: Order = { kind: 'draw', sampling: SAMPLING, seed: SEED, position: 3, masked: [5] };
	const honest = (logits: Float32Array, sampler: ReturnType<typeof openSampler>) => async () => {
		const forced = sampler.processor.processLogits(logits);
		const token = forced.reduce((best, value, id) => (value > (forced[best] as number) ? id : best), 0);
		sampler.processor.processSampledToken(token);
		return token;
	};

	test('draws as protocol/sampler does and leaves the package one token', async () => {
		const sampler = openSampler(VOCABULARY);
		for (let state = 0; state < 20; state++) {
			const seen = await sampler.under(order, honest(row(state), sampler));
			const ranked = topCandidates(row(state), 20, [5]);
			expect(seen).toMatchObject({ ranked, token: draw(ranked, SAMPLING, SEED, 3) });
		}
		const { logSumExp } = await sampler.under({ kind: 'look' }, honest(row(1), sampler));
		expect(logSumExp).toBeCloseTo(Math.log(row(1).reduce((sum, value) => sum + Math.exp(value), 0)), 6);
	});

	test('refuses another token, logits nobody asked for, rows of another length and NaN', async () => {
		const sampler = openSampler(VOCABULARY);
		const pass = honest(row(1), sampler);
		expect(await codeIn(() => sampler.under(order, async () => (await pass()) + 1))).toBe('engine-failed');
		expect(await codeIn(() => sampler.under(order, async () => 1))).toBe('engine-failed');
		expect(await codeIn(pass)).toBe('engine-failed');
		expect(await codeIn(() => sampler.under(order, honest(new Float32Array(63), sampler)))).toBe('model-unsupported');
		expect(await codeIn(() => sampler.under(order, honest(row(1).fill(Number.NaN, 9, 10), sampler)))).toBe(
			'engine-failed'
		);
		expect(await codeIn(() => sampler.under(order, pass))).toBe('ok');
	});
});

describe('the self-test', () => {
	/** A model whose logits depend on all tokens; `long` is added after passes of more than one. */
	function passes(long: number): Passes {
		let history: number[] = [];
		return {
			clear: async () => void (history = []),
			async run(tokens) {
				history.push(...tokens);
				const state = history.reduce((sum, token) => (sum * 31 + token) % 10_007, 1);
				const logits = row(state).map((value, id) => value + (tokens.length > 1 ? long * (id % 2) : 0));
				return { ranked: topCandidates(logits, 20), token: 0, logSumExp: 0 };
			}
		};
	}

	test('passes a model that agrees with itself, and says how far apart it was', async () => {
		const { selfTest } = await checkConsistency(passes(0.004), VOCABULARY, 0.01, () => 0);
		expect(selfTest.kind).toBe('consistency');
		expect(selfTest.positions).toBeGreaterThanOrEqual(64);
		expect(selfTest.worst).toBeCloseTo(0.004, 5);
	});

	test.each([0.02, 5, Number.NaN])('refuses one that is %s apart after a long pass', async (long) => {
		const test = checkConsistency(passes(long), VOCABULARY, 0.01, () => 0);
		expect(await codeIn(() => test)).toMatch(/self-test-failed|engine-failed/);
	});

	test('refuses a model whose state is not cleared', async () => {
		const kept = passes(0);
		const test = checkConsistency({ ...kept, clear: async () => {} }, VOCABULARY, 0.01, () => 0);
		expect(await codeIn(() => test)).toBe('self-test-failed');
	});

	test('compares by id', () => {
		const one = [
			{ id: 1, logit: 3 },
			{ id: 2, logit: 2 }
		];
		expect(apart(one, one)).toBe(0);
		expect(
			apart(one, [
				{ id: 2, logit: 2.5 },
				{ id: 1, logit: 2.25 }
			])
		).toBe(0.75);
		expect(
			apart(one, [
				{ id: 1, logit: 3 },
				{ id: 9, logit: 2.125 }
			])
		).toBe(0.125);
		expect(apart(one, [{ id: 1, logit: 3 }])).toBe(Number.POSITIVE_INFINITY);
		expect(
			apart(one, [
				{ id: 1, logit: Number.NaN },
				{ id: 2, logit: 2 }
			])
		).toBeNaN();
		expect(noise(SELF_TEST_POSITIONS, 7).every((token) => token >= 0 && token < 7)).toBe(true);
		expect(new Set(noise(64, 1000)).size).toBeGreaterThan(50);
	});
});

test('a prompt is cut into passes', () => {
	expect(chunks([1, 2, 3, 4, 5], 2)).toEqual([[1, 2], [3, 4], [5]]);
	expect(chunks([], 2)).toEqual([]);
});

describe('refusals', () => {
	const fine = { lost: false, outOfMemory: false };
	const named = (name: string, message = '') => Object.assign(new Error(message), { name });
	test.each<[unknown, string]>([
		[new WebAssembly.LinkError('x'), 'model-unsupported'],
		[new WebAssembly.CompileError('x'), 'model-unsupported'],
		[new TypeError('WebAssembly.instantiate(): Import #0 "x": module is not an object'), 'model-unsupported'],
		[new Error('Cannot find required VM function `decode`. Available'), 'model-unsupported'],
		[new Error('Cannot find global function vm.builtin.x'), 'model-unsupported'],
		[named('ShaderF16SupportError'), 'no-graphics'],
		[new Error('Unable to find a compatible GPU. This'), 'no-graphics'],
		[named('DeviceLostError'), 'device-lost'],
		[named('ModelNotLoadedError'), 'device-lost'],
		[new Error('Object has already been disposed'), 'device-lost'],
		[new RangeError('x'), 'out-of-memory'],
		[new Error('Cannot allocate 128 bytes in Wasm memory'), 'out-of-memory'],
		[new DOMException('x', 'QuotaExceededError'), 'storage-full'],
		[new Refusal('weights-corrupt'), 'weights-corrupt'],
		[new Error('What is the capital of Peru?'), 'engine-failed'],
		['text', 'engine-failed'],
		[undefined, 'engine-failed']
	])('%s is %s', (error, code) => {
		const refusal = refusalOf(error, fine, 'engine-failed');
		expect(refusal.code).toBe(code);
		expect(refusal.message).not.toContain('Peru');
	});

	test('a lost device and one without memory explain everything else', () => {
		expect(refusalOf(new Error('x'), { lost: true, outOfMemory: false }, 'engine-failed').code).toBe('device-lost');
		expect(refusalOf(new Error('x'), { lost: true, outOfMemory: true }, 'engine-failed').code).toBe('out-of-memory');
	});

	test('a device is watched from its birth', async () => {
		class NoMemory {}
		const lost = Promise.withResolvers<GPUDeviceLostInfo>();
		const device = { lost: lost.promise, popErrorScope: async () => new NoMemory() } as unknown as GPUDevice;
		const adapters = { requestDevice: async () => device } as unknown as GPUAdapter;
		const fate = watchDevices(adapters, NoMemory);
		const made = await adapters.requestDevice();
		expect(fate).toMatchObject({ lost: false, outOfMemory: false });
		await made.popErrorScope();
		expect(fate.outOfMemory).toBe(true);
		const endless = fate.during(() => new Promise(() => {}));
		lost.resolve({} as GPUDeviceLostInfo);
		// It would wait for ever.
		await expect(endless).rejects.toBeUndefined();
		await fate.settle();
		expect(fate.lost).toBe(true);
	});
});

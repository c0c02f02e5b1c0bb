import { afterAll, beforeAll, describe, it } from 'vitest';
import type { Engine } from '#lib/ports/engine.ts';
import { ENGINE_CASES } from '../compliance/engine.ts';
import { pocketCases } from '../compliance/engine-pocket.ts';
import { ortNode } from '../doubles/ort-node.ts';

/** A load takes a second on a quiet machine; the slowest case answers ten prompts at 65 tokens per second. */
const PATIENCE_MS = 120_000;

describe.each(['q4', 'fp32'] as const)('the CPU engine in Node, %s', (weights) => {
	let shared: Engine;
	const place = { fresh: async () => ortNode({ weights }), ready: async () => shared, model: true };

	beforeAll(async () => {
		shared = ortNode({ weights });
		await shared.load(() => {}, new AbortController().signal);
	}, PATIENCE_MS);
	afterAll(() => shared.unload());

	// The port's own cases run on q4 in Chromium (tests/interop); here on fp32 alone, which is six times faster.
	const cases = weights === 'fp32' ? [...ENGINE_CASES, ...pocketCases(weights)] : pocketCases(weights);
	for (const { name, run } of cases) it(name, () => run(place), PATIENCE_MS);
});

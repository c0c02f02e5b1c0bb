import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, it } from 'vitest';
import type { Engine } from '#lib/ports/engine.ts';
import { pocketCases } from '../compliance/engine-pocket.ts';
import { rows } from '../compliance/engine-rows.ts';
import { ortNode, pocketOnDisk, type OrtNodeInit } from '../doubles/ort-node.ts';

/** A load takes a second on a quiet machine; the slowest case answers ten prompts at 65 tokens per second. */
const PATIENCE_MS = 120_000;

describe.each(['q4', 'fp32'] as const)('the CPU engine in Node, %s', (weights) => {
	let shared: Engine;
	let spoilt = false;
	const spoil: OrtNodeInit['spoil'] = (bytes) => {
		if (!spoilt) return;
		bytes.weights = bytes.weights.slice();
		bytes.weights[2_000_000] = (bytes.weights[2_000_000] as number) ^ 1;
	};
	const place = {
		fresh: async () => ortNode({ weights }),
		ready: async () => shared,
		model: true,
		faults: {
			async corrupt() {
				spoilt = true;
				return ortNode({ weights, spoil });
			},
			async junk() {
				const { record } = await pocketOnDisk(weights);
				const bytes = new Uint8Array(1000).fill(7);
				const file = { sha256: createHash('sha256').update(bytes).digest('hex'), bytes: bytes.length };
				const forged = { ...record, files: { ...record.files, weights: file } };
				return ortNode({ weights, record: forged, spoil: (given) => (given.weights = bytes) });
			},
			async heal() {
				spoilt = false;
			}
		}
	};

	beforeAll(async () => {
		shared = ortNode({ weights });
		await shared.load(() => {}, new AbortController().signal);
	}, PATIENCE_MS);
	afterAll(() => shared.unload());

	// The port's own cases run on q4 in Chromium (tests/interop); here on fp32 alone, which is six times faster.
	for (const { name, run, reason } of weights === 'fp32' ? rows('ort-node', place) : []) {
		if (run === undefined) it.skip(`${name} (${reason})`, () => {});
		else it(name, run, PATIENCE_MS);
	}
	for (const { name, run } of pocketCases(weights)) it(name, () => run(place), PATIENCE_MS);
});

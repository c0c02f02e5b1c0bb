/** Ours, as the app starts it: src/lib/engine/cpu.ts with workers/cpu.ts. Every load checks hashes and runs the self-test. */
import { cpuEngine, startCpuWorker } from '#lib/engine/cpu.ts';
import { POCKET_FILES } from '#lib/engine/pocket-files.ts';
import { POCKET } from '#lib/engine/pocket.ts';
import { GREEDY } from '#lib/protocol/sampler.ts';
import type { Clock } from '#lib/ports/clock.ts';
import type { Engine } from '#lib/ports/engine.ts';
import type { Contender } from '../contest.ts';

const clock: Clock = {
	now: () => Date.now(),
	monotonic: () => performance.now(),
	sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms))
};

export function contender(): Contender {
	let engine: Engine | undefined;
	return {
		async load({ record, address, selfTest }) {
			const other = record as typeof POCKET | undefined;
			engine = cpuEngine(
				{ startWorker: startCpuWorker, clock, locks: navigator.locks },
				other === undefined
					? { model: POCKET, source: { kind: 'addresses', addresses: POCKET_FILES } }
					: {
							model: other,
							source: {
								kind: 'addresses',
								addresses: { ...POCKET_FILES, weights: address, reference: selfTest ?? '' }
							}
						}
			);
			await engine.load(() => undefined, new AbortController().signal);
		},
		async answer({ turns, maxTokens, forced }) {
			if (engine === undefined) throw new TypeError('load first');
			const tokensAt: number[] = [];
			let text = '';
			const started = performance.now();
			// No cacheScope: nothing of an earlier prompt is used.
			const steps = engine.generate(
				{
					turns,
					continueFrom: [],
					seed: new Uint8Array(32),
					sampling: GREEDY,
					minTokens: forced ? maxTokens : 0,
					maxTokens
				},
				new AbortController().signal
			);
			for (;;) {
				const next = await steps.next();
				const now = performance.now() - started;
				if (next.done === true) {
					const { promptTokens, prefillMs, decodeMs } = next.value;
					return { text, promptTokens, tokensAt, endedAt: now, own: { prefillMs, decodeMs } };
				}
				tokensAt.push(now);
				text += next.value.text;
			}
		}
	};
}

/** wllama, as its README shows it: the page's class starts the worker, the model comes from an address and is kept in OPFS. */
import { LoggerWithoutDebug, Wllama } from '@wllama/wllama';
import wasm from '../peers/node_modules/@wllama/wllama/esm/wasm/wllama.wasm?url';
import type { Contender } from '../contest.ts';

export function contender(): Contender {
	const wllama = new Wllama(
		{ default: new URL(wasm, location.href).href },
		{ logger: LoggerWithoutDebug, suppressNativeLog: true }
	);
	return {
		async load({ address }) {
			// The CPU, with one thread, as the others; everything else as it comes.
			await wllama.loadModelFromUrl(new URL(address, location.href).href, { n_gpu_layers: 0, n_threads: 1 });
		},
		async answer({ turns, maxTokens, forced }) {
			const tokensAt: number[] = [];
			let text = '';
			let timings: { prompt_n: number; prompt_ms: number; predicted_ms: number } | undefined;
			const started = performance.now();
			const chunks = await wllama.createChatCompletion({
				messages: turns,
				max_tokens: maxTokens,
				temperature: 0,
				top_k: 1,
				ignore_eos: forced,
				// Otherwise the beginning of the last prompt is not run again.
				cache_prompt: false,
				stream: true
			});
			for await (const chunk of chunks) {
				const piece = chunk.choices[0]?.delta.content;
				if (typeof piece === 'string' && piece !== '') {
					tokensAt.push(performance.now() - started);
					text += piece;
				}
				timings = chunk.timings ?? timings;
			}
			const endedAt = performance.now() - started;
			if (timings === undefined) throw new TypeError('wllama told no timings');
			const own = { prefillMs: timings.prompt_ms, decodeMs: timings.predicted_ms };
			return { text, promptTokens: timings.prompt_n, tokensAt, endedAt, own };
		}
	};
}

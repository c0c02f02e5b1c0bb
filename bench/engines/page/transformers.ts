/** transformers.js, as its examples show it: a worker of one's own (transformers-worker.ts), which sends each token as it comes. */
import type { Ask, Contender, ModelPlace } from '../contest.ts';
import type { FromTransformers } from './transformers-worker.ts';

export function contender(): Contender {
	const worker = new Worker(new URL('./transformers-worker.ts', import.meta.url), { type: 'module' });
	/** Sends one request and reads until `last`, an error, or the death of the worker. */
	function exchange(
		request: { readonly load: ModelPlace & { readonly page: string } } | { readonly ask: Ask },
		onMessage: (message: FromTransformers) => boolean
	): Promise<void> {
		return new Promise((resolve, reject) => {
			worker.onerror = (event) => reject(new Error(`transformers.js: ${event.message}`));
			worker.onmessage = ({ data }: MessageEvent<FromTransformers>) => {
				if (data.kind === 'failed') reject(new Error(`transformers.js: ${data.message}`));
				else if (onMessage(data)) resolve();
			};
			worker.postMessage(request);
		});
	}
	return {
		load: (place) => exchange({ load: { ...place, page: location.href } }, ({ kind }) => kind === 'loaded'),
		async answer(ask) {
			const tokensAt: number[] = [];
			let text = '';
			let promptTokens = Number.NaN;
			const started = performance.now();
			await exchange({ ask }, (message) => {
				if (message.kind === 'token') tokensAt.push(performance.now() - started);
				if (message.kind === 'text') text += message.text;
				if (message.kind === 'ended') promptTokens = message.promptTokens;
				return message.kind === 'ended';
			});
			return { text, promptTokens, tokensAt, endedAt: performance.now() - started };
		}
	};
}

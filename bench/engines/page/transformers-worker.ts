/** The worker that a user of transformers.js writes. Files come from the bench's server only; the library's default is its makers' hosts. */
import { env, pipeline, TextStreamer, type TextGenerationPipeline } from '@huggingface/transformers';
import factory from '../peers/node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.asyncify.mjs?url';
import wasm from '../peers/node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.asyncify.wasm?url';
import type { Ask, ModelPlace } from '../contest.ts';

export type FromTransformers =
	| { readonly kind: 'loaded' | 'token' }
	| { readonly kind: 'text'; readonly text: string }
	| { readonly kind: 'ended'; readonly promptTokens: number }
	| { readonly kind: 'failed'; readonly message: string };

const post = (message: FromTransformers) => globalThis.postMessage(message);

function makeWorker(): (request: {
	readonly load?: ModelPlace & { readonly page: string };
	readonly ask?: Ask;
}) => Promise<void> {
	let generator: TextGenerationPipeline | undefined;
	return async ({ load, ask }) => {
		if (load !== undefined) {
			// `address` is a folder: what is above it is where models lie, its name is the model.
			const folder = new URL(load.address, load.page);
			env.allowRemoteModels = false;
			env.allowLocalModels = true;
			// A path, as the default is: of a whole address it does not see which files are there.
			env.localModelPath = new URL('..', folder).pathname;
			const onnx = env.backends.onnx as { wasm: { wasmPaths: unknown; numThreads: number } };
			onnx.wasm.wasmPaths = { mjs: new URL(factory, import.meta.url).href, wasm: new URL(wasm, import.meta.url).href };
			onnx.wasm.numThreads = 1;
			const name = folder.pathname.split('/').at(-2) ?? '';
			generator = await pipeline('text-generation', name, { device: 'wasm', dtype: load.weights });
			post({ kind: 'loaded' });
		}
		if (ask !== undefined && generator !== undefined) await answer(generator, ask);
	};
}

async function answer(generator: TextGenerationPipeline, { turns, maxTokens, forced }: Ask): Promise<void> {
	const streamer = new TextStreamer(generator.tokenizer, {
		skip_prompt: true,
		token_callback_function: () => post({ kind: 'token' }),
		callback_function: (text) => post({ kind: 'text', text })
	});
	await generator([...turns], {
		max_new_tokens: maxTokens,
		...(forced ? { min_new_tokens: maxTokens } : {}),
		do_sample: false,
		streamer
	});
	const promptTokens = generator.tokenizer.apply_chat_template([...turns], {
		add_generation_prompt: true,
		return_tensor: false,
		return_dict: false
	}) as number[];
	post({ kind: 'ended', promptTokens: promptTokens.length });
}

const handle = makeWorker();
globalThis.onmessage = ({ data }: MessageEvent<Parameters<typeof handle>[0]>) => {
	handle(data).catch((error: unknown) =>
		post({ kind: 'failed', message: error instanceof Error ? error.message : String(error) })
	);
};

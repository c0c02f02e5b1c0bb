/** A session of ONNX Runtime's wasm backend over bytes at hand. */
import * as ort from 'onnxruntime-web/wasm';
import { Refusal } from '#lib/protocol/errors.ts';
import { failure, modelOver, type Model } from './model.ts';
import type { Bytes } from './files.ts';

export interface SessionInit {
	/** The library's wasm: given as bytes, so that it fetches nothing by itself. */
	readonly runtime: Bytes;
	readonly weights: Bytes;
	/** Files beside the graph, by their names inside it. */
	readonly external: readonly { readonly location: string; readonly bytes: Bytes }[];
	readonly threads: number;
	/** Size of the tokenizer's vocabulary. */
	readonly tokens: number;
}

/** Refusals: `model-unsupported`, `engine-load-failed` when the library will not start, `out-of-memory`. */
export async function openModel({ runtime, weights, external, threads, tokens }: SessionInit): Promise<Model> {
	// The library reads these once, at its first session.
	ort.env.wasm.numThreads = threads;
	ort.env.wasm.proxy = false;
	ort.env.wasm.wasmBinary = runtime;
	ort.env.logLevel = 'error';
	const session = await ort.InferenceSession.create(weights, {
		executionProviders: ['wasm'],
		graphOptimizationLevel: 'all',
		...(external.length > 0 && {
			externalData: external.map(({ location, bytes }) => ({ path: location, data: bytes }))
		})
	}).catch((error: unknown) => {
		throw failure(error, 'engine-load-failed');
	});
	try {
		// Where memory cannot be shared the library takes one thread and only warns; the card must not claim more.
		if (ort.env.wasm.numThreads !== threads)
			throw new Refusal('engine-load-failed', 'threads cannot share memory here');
		return modelOver(ort, session, tokens);
	} catch (error) {
		await session.release();
		throw error;
	}
}

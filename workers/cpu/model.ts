/**
 * One model on ONNX Runtime's wasm backend, one thread: token ids and the keys and values of everything before them go in, logits and
 * grown keys and values come out. Works on any decoder graph with Hugging Face's names of inputs and outputs (batch 1).
 */
import * as ort from 'onnxruntime-web/wasm';
import { Refusal } from '#lib/protocol/errors.ts';

/**
 * Keys and values of the first `length` tokens. Never written to: every run returns new ones, so an older state may be kept and
 * gone back to.
 */
export interface Past {
	readonly length: number;
	readonly tensors: Readonly<Record<string, ort.Tensor>>;
}

export interface Forward {
	/** One row of `vocabularySize` raw logits for each token that went in. */
	readonly rows: readonly Float32Array[];
	readonly past: Past;
}

export interface Model {
	readonly library: string;
	readonly empty: Past;
	/** Runs `tokens` after `past`. One call is one step shape: its width is part of the bit-exact class. */
	forward(tokens: readonly number[], past: Past): Promise<Forward>;
	/** The state as it was after the first `length` tokens. */
	cut(past: Past, length: number): Past;
	close(): Promise<void>;
}

const PAST = 'past_key_values.';
const PRESENT = 'present.';

/** Refusals: `engine-load-failed` when the graph is not of this kind or the library will not start, `out-of-memory`. */
export async function openModel(
	runtime: Uint8Array<ArrayBuffer>,
	weights: Uint8Array<ArrayBuffer>,
	vocabularySize: number
): Promise<Model> {
	// The library reads these once, at its first session. Given as bytes, so that it fetches nothing by itself.
	ort.env.wasm.numThreads = 1;
	ort.env.wasm.proxy = false;
	ort.env.wasm.wasmBinary = runtime;
	ort.env.logLevel = 'error';
	const session = await ort.InferenceSession.create(weights, {
		executionProviders: ['wasm'],
		graphOptimizationLevel: 'all'
	}).catch((error: unknown) => {
		throw failure(error, 'engine-load-failed');
	});
	const shapes = pastShapes(session);
	const empty: Past = {
		length: 0,
		tensors: Object.fromEntries(shapes.map(([name, shape]) => [name, float32(new Float32Array(0), shape, 0)]))
	};
	return {
		library: `onnxruntime-web ${ort.env.versions.web ?? ort.env.versions.common}`,
		empty,
		async forward(tokens, past) {
			const length = past.length + tokens.length;
			const feeds = {
				...past.tensors,
				input_ids: new ort.Tensor('int64', BigInt64Array.from(tokens, BigInt), [1, tokens.length]),
				attention_mask: new ort.Tensor('int64', new BigInt64Array(length).fill(1n), [1, length])
			};
			const results = await session.run(feeds).catch((error: unknown) => {
				throw failure(error, 'engine-failed');
			});
			const logits = results.logits?.data;
			if (!(logits instanceof Float32Array) || logits.length !== tokens.length * vocabularySize) {
				throw new Refusal('engine-failed', 'logits of another shape');
			}
			const rows = tokens.map((_, i) => logits.subarray(i * vocabularySize, (i + 1) * vocabularySize));
			return {
				rows,
				past: { length, tensors: Object.fromEntries(shapes.map(([name]) => [name, present(results, name)])) }
			};
		},
		cut(past, length) {
			if (length === past.length) return past;
			const tensors = shapes.map(([name, shape]) => [
				name,
				cutTensor(past.tensors[name] as ort.Tensor, shape, past.length, length)
			]);
			return { length, tensors: Object.fromEntries(tensors) };
		},
		close: () => session.release()
	};
}

interface PastShape {
	readonly heads: number;
	readonly width: number;
}

/** Name and shape of every input that takes keys or values: [batch, heads, past, width]. */
function pastShapes(session: ort.InferenceSession): (readonly [string, PastShape])[] {
	const shapes = session.inputMetadata.flatMap((input) => {
		if (!input.isTensor || !input.name.startsWith(PAST)) return [];
		const [, heads, , width] = input.shape;
		if (typeof heads !== 'number' || typeof width !== 'number')
			throw new Refusal('engine-load-failed', 'past of unknown shape');
		return [[input.name, { heads, width }] as const];
	});
	const names = new Set(session.inputNames);
	if (
		shapes.length === 0 ||
		names.size !== shapes.length + 2 ||
		!names.has('input_ids') ||
		!names.has('attention_mask')
	) {
		throw new Refusal('engine-load-failed', 'not a decoder graph of the kind known here');
	}
	return shapes;
}

function present(results: ort.InferenceSession.OnnxValueMapType, pastName: string): ort.Tensor {
	const tensor = results[PRESENT + pastName.slice(PAST.length)];
	if (tensor === undefined) throw new Refusal('engine-failed', 'no keys and values came back');
	return tensor as ort.Tensor;
}

function float32(data: Float32Array, { heads, width }: PastShape, length: number): ort.Tensor {
	return new ort.Tensor('float32', data, [1, heads, length, width]);
}

function cutTensor(tensor: ort.Tensor, shape: PastShape, from: number, to: number): ort.Tensor {
	const data = tensor.data as Float32Array;
	const kept = new Float32Array(shape.heads * to * shape.width);
	for (let head = 0; head < shape.heads; head++) {
		const start = head * from * shape.width;
		kept.set(data.subarray(start, start + to * shape.width), head * to * shape.width);
	}
	return float32(kept, shape, to);
}

/** The library throws plain errors; what they say of memory is all that can be told apart. */
function failure(error: unknown, code: 'engine-failed' | 'engine-load-failed'): Refusal {
	const text = error instanceof Error ? error.message : String(error);
	const memory =
		error instanceof RangeError || /bad_alloc|out of memory|OutOfMemory|memory access out of bounds/i.test(text);
	return new Refusal(memory ? 'out-of-memory' : code, text.slice(0, 200));
}

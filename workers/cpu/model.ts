/**
 * One decoder on ONNX Runtime: token ids and the keys and values of everything before them go in, logits and grown keys and values come out
 * (batch 1). What the graph takes and gives is found by layout.ts; the session is handed in, so that tests can bring one of another backend.
 */
import type * as ort from 'onnxruntime-web/wasm';
import { Refusal } from '#lib/protocol/errors.ts';
import { fromHalf } from './half.ts';
import { decoderLayout, stateBytes, type CountLayout, type PastLayout } from './layout.ts';

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
	/** Name and version of what computes. */
	readonly library: string;
	/** Tokens that can be drawn: those of the tokenizer that the logits have a column for. */
	readonly vocabularySize: number;
	/** Keys and values of one position, in bytes. */
	readonly stateBytes: number;
	readonly empty: Past;
	/** Runs `tokens` after `past`. One call is one step shape: its width is part of the bit-exact class. */
	forward(tokens: readonly number[], past: Past): Promise<Forward>;
	/** The state as it was after the first `length` tokens. */
	cut(past: Past, length: number): Past;
	close(): Promise<void>;
}

/** What is used of the library. */
export type Library = Pick<typeof ort, 'Tensor' | 'env'>;
export type Session = Pick<ort.InferenceSession, 'run' | 'release' | 'inputMetadata' | 'outputMetadata'>;

/**
 * The decoder that a session holds. `tokens` is the size of the tokenizer's vocabulary; logits beyond it (padding) are never handed out.
 * Refusal `model-unsupported` when the graph is no decoder of a kind known here.
 */
export function modelOver({ Tensor, env }: Library, session: Session, tokens: number): Model {
	const layout = decoderLayout(facts(session.inputMetadata), facts(session.outputMetadata));
	const { ids, mask, positions, keep, past: shapes, logitsWidth } = layout;
	const vocabularySize = Math.min(tokens, logitsWidth ?? tokens);
	const pastTensor = (data: ort.Tensor.DataType, { type, heads, width }: PastLayout, length: number) =>
		new Tensor(type, data as Float32Array, [1, heads, length, width]);
	const counts = ({ name, type }: CountLayout, values: readonly number[], dims = [1, values.length]) => ({
		[name]:
			type === 'int64'
				? new Tensor(type, BigInt64Array.from(values, BigInt), dims)
				: new Tensor(type, Int32Array.from(values), dims)
	});
	const none = (shape: PastLayout) => (shape.type === 'float32' ? new Float32Array(0) : new Uint16Array(0));
	const empty: Past = {
		length: 0,
		tensors: Object.fromEntries(shapes.map((shape) => [shape.input, pastTensor(none(shape), shape, 0)]))
	};
	return {
		library: `onnxruntime-web ${env.versions.web ?? env.versions.common}`,
		vocabularySize,
		stateBytes: stateBytes(layout),
		empty,
		async forward(given, past) {
			const length = past.length + given.length;
			const feeds = {
				...past.tensors,
				...counts(ids, given),
				...(mask && counts(mask, new Array<number>(length).fill(1))),
				...(positions &&
					counts(
						positions,
						given.map((_, i) => past.length + i)
					)),
				...(keep && counts(keep, [0], keep.scalar ? [] : [1]))
			};
			const results = await session.run(feeds).catch((error: unknown) => {
				throw failure(error, 'engine-failed');
			});
			const grown = shapes.map((shape) => [shape.input, present(results, shape, length)] as const);
			return {
				rows: rowsOf(results.logits as ort.Tensor, given.length, vocabularySize),
				past: { length, tensors: Object.fromEntries(grown) }
			};
		},
		cut(past, length) {
			if (length === past.length) return past;
			const tensors = shapes.map((shape) => {
				const data = cutData(past.tensors[shape.input] as ort.Tensor, shape, past.length, length);
				return [shape.input, pastTensor(data, shape, length)] as const;
			});
			return { length, tensors: Object.fromEntries(tensors) };
		},
		close: () => session.release()
	};
}

function facts(metadata: readonly ort.InferenceSession.ValueMetadata[]) {
	return metadata.map((value) => ({
		name: value.name,
		type: value.isTensor ? value.type : 'other',
		shape: value.isTensor ? value.shape : []
	}));
}

/** The rows of the tokens that went in, without the columns that no token of the tokenizer has. */
function rowsOf({ dims, data }: ort.Tensor, tokens: number, vocabularySize: number): Float32Array[] {
	const width = dims.at(-1) ?? 0;
	if (width < vocabularySize) throw new Refusal('model-unsupported', 'more tokens than logits');
	if (data.length !== tokens * width) throw new Refusal('model-unsupported', 'no logits of every position');
	const logits = data instanceof Float32Array ? data : fromHalf(data as Uint16Array);
	return Array.from({ length: tokens }, (_, i) => logits.subarray(i * width, i * width + vocabularySize));
}

/** A cache of fixed length or a sliding window would grow otherwise than the positions do. */
function present(results: ort.InferenceSession.OnnxValueMapType, { output }: PastLayout, length: number): ort.Tensor {
	const tensor = results[output] as ort.Tensor | undefined;
	if (tensor?.dims[2] !== length) throw new Refusal('model-unsupported', 'keys and values of another length');
	return tensor;
}

function cutData(tensor: ort.Tensor, { heads, width }: PastLayout, from: number, to: number): ort.Tensor.DataType {
	const data = tensor.data as Float32Array;
	const kept = new (data.constructor as Float32ArrayConstructor)(heads * to * width);
	for (let head = 0; head < heads; head++) {
		const start = head * from * width;
		kept.set(data.subarray(start, start + to * width), head * to * width);
	}
	return kept;
}

/** Its C++ tells of memory in these ways; a wasm memory that cannot grow makes the code touch what is not there. */
const MEMORY = /bad_alloc|out of memory|OutOfMemory|memory access out of bounds|failed to allocate/i;
/** How the library says that it looked at a graph and cannot take it. What it adds is where in its source, then why. */
const JUDGED = /ERROR_CODE: (\d+), ERROR_MESSAGE: (?:\S+\.cc:\d+ )?/;
/** Its code for an operator, or a type for it, that it does not have. */
const NOT_IMPLEMENTED = '9';

/** The library throws plain errors; what they say is all that can be told apart. */
export function failure(error: unknown, code: 'engine-failed' | 'engine-load-failed'): Refusal {
	const text = error instanceof Error ? error.message : String(error);
	const judged = JUDGED.exec(text);
	const why = text.slice(judged === null ? 0 : judged.index + judged[0].length).slice(0, 200);
	if (error instanceof RangeError || MEMORY.test(text)) return new Refusal('out-of-memory', why);
	const unfit = judged !== null && (code === 'engine-load-failed' || judged[1] === NOT_IMPLEMENTED);
	return new Refusal(unfit ? 'model-unsupported' : code, why);
}

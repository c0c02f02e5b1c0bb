/**
 * The weights in an ONNX file. Only what the pocket model's own files use of the format is read, so that the bench needs no
 * library for it.
 */

/** One initializer. `dims` outermost first; `bytes` little-endian, in row order. */
export interface OnnxTensor {
	readonly dims: readonly number[];
	readonly bytes: Uint8Array;
}

/** Field numbers of onnx.proto. */
const MODEL_GRAPH = 7;
const GRAPH_INITIALIZER = 5;
const TENSOR_DIMS = 1;
const TENSOR_NAME = 8;
const TENSOR_RAW_DATA = 9;

/** All initializers by name. Throws a TypeError for a file that is cut short or keeps a tensor's data elsewhere. */
export function readOnnx(file: Uint8Array): ReadonlyMap<string, OnnxTensor> {
	const found = new Map<string, OnnxTensor>();
	for (const model of fields(file)) {
		if (model.number !== MODEL_GRAPH || !model.bytes) continue;
		for (const graph of fields(model.bytes)) {
			if (graph.number === GRAPH_INITIALIZER && graph.bytes) readTensor(graph.bytes, found);
		}
	}
	return found;
}

function readTensor(message: Uint8Array, into: Map<string, OnnxTensor>): void {
	const dims: number[] = [];
	let name = '';
	let bytes: Uint8Array | undefined;
	for (const field of fields(message)) {
		if (field.number === TENSOR_DIMS) dims.push(...(field.bytes ? varints(field.bytes) : [field.value]));
		if (field.number === TENSOR_NAME && field.bytes) name = new TextDecoder().decode(field.bytes);
		if (field.number === TENSOR_RAW_DATA) bytes = field.bytes;
	}
	if (bytes === undefined) throw new TypeError(`onnx: ${name} has its data elsewhere`);
	into.set(name, { dims, bytes });
}

/** A field of a protobuf message: `bytes` of one with a length, else `value` (0 for the fixed sizes, which nothing here uses). */
interface Field {
	readonly number: number;
	readonly value: number;
	readonly bytes: Uint8Array | undefined;
}

function* fields(message: Uint8Array): Generator<Field> {
	let at = 0;
	const varint = () => {
		let value = 0;
		// Multiplied, not shifted: lengths may pass 31 bits.
		for (let scale = 1; ; scale *= 128) {
			const byte = message[at++];
			if (byte === undefined) throw new TypeError('onnx: the file is cut short');
			value += (byte & 127) * scale;
			if (byte < 128) return value;
		}
	};
	while (at < message.length) {
		const key = varint();
		const number = Math.floor(key / 8);
		const wire = key & 7;
		if (wire === 0) {
			yield { number, value: varint(), bytes: undefined };
			continue;
		}
		const length = wire === 2 ? varint() : wire === 1 ? 8 : wire === 5 ? 4 : undefined;
		if (length === undefined || at + length > message.length) throw new TypeError('onnx: not a protobuf message');
		yield { number, value: 0, bytes: wire === 2 ? message.subarray(at, at + length) : undefined };
		at += length;
	}
}

/** A packed list of numbers is a message without its field numbers. */
function varints(packed: Uint8Array): number[] {
	const found: number[] = [];
	let value = 0;
	let scale = 1;
	for (const byte of packed) {
		value += (byte & 127) * scale;
		scale *= 128;
		if (byte >= 128) continue;
		found.push(value);
		value = 0;
		scale = 1;
	}
	return found;
}

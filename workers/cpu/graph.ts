/**
 * What an ONNX file says of itself, without running it: inputs, outputs, operators, how its weights are kept and where. For whoever looks at a
 * model before downloading it (tensors are skipped, so it works over ranges), and at load, because a record's word for the precision is not
 * enough: it decides whether answers can be checked.
 * Field numbers are those of onnx.proto.
 */
import { Refusal } from '#lib/protocol/errors.ts';
import type { Precision } from '../messages.ts';
import { Wire, type Read, type Span, type WireLimits } from './wire.ts';

/** An input or output. */
export interface TensorFact {
	readonly name: string;
	/** As ONNX Runtime writes it: `float32`, `int64`, …; `other` for types no decoder has. */
	readonly type: string;
	/** A number, or the name of a size that is known only when it runs. */
	readonly shape: readonly (number | string)[];
}

/** A part of a file beside the graph. */
export interface ExternalRange {
	/** Its name inside the graph. */
	readonly location: string;
	readonly offset: number;
	/** Bytes; undefined when the graph does not say. */
	readonly length: number | undefined;
}

export interface GraphDescription {
	readonly inputs: readonly TensorFact[];
	readonly outputs: readonly TensorFact[];
	/** Names of all operators that occur, in functions and branches too. */
	readonly operators: ReadonlySet<string>;
	readonly external: readonly ExternalRange[];
	readonly precision: Precision;
}

/** Far above any decoder (a thousand layers of thirty nodes), far below what would make a browser stumble. */
export const GRAPH_LIMITS: WireLimits = { bytes: 256 * 2 ** 20, reads: 20_000, fields: 4_000_000 };
const MOST_NAME_BYTES = 4096;
const MOST_DIMENSIONS = 16;
const MOST_TENSORS = 100_000;
/** Branches within branches; a merged decoder has one. */
const MOST_DEPTH = 8;

/** Their activations are quantised by the tensor that happens to be there, so a prompt pass and single steps differ (findings: 0.13). */
const ON_THE_FLY = new Set([
	...['DynamicQuantizeLinear', 'DynamicQuantizeMatMul', 'DynamicQuantizeLSTM', 'MatMulInteger', 'MatMulInteger16'],
	...['MatMulIntegerToFloat', 'ConvInteger', 'ConvIntegerToFloat', 'QAttention', 'QGemm']
]);
/** Weights in blocks of few bits; `bits` is 4 where the node does not say. */
const IN_BLOCKS = new Set(['MatMulNBits', 'GatherBlockQuantized', 'QMoE']);

const TYPES: Readonly<Record<number, readonly [name: string, bytes: number]>> = {
	1: ['float32', 4],
	2: ['uint8', 1],
	3: ['int8', 1],
	6: ['int32', 4],
	7: ['int64', 8],
	9: ['bool', 1],
	10: ['float16', 2],
	11: ['float64', 8],
	16: ['bfloat16', 2]
};

/** Everything found so far, in all graphs of one file. */
interface Found {
	readonly operators: Set<string>;
	readonly bits: Set<number>;
	readonly bytesOf: Map<string, number>;
	readonly external: ExternalRange[];
	readonly stored: Set<string>;
	tensors: number;
}

/**
 * Looks at a file of `size` bytes. Refusals: `model-unsupported` for bytes that are no ONNX graph, `oversized` for one beyond `limits`; and what
 * `read` rejects with.
 */
export async function describeGraph(read: Read, size: number, limits = GRAPH_LIMITS): Promise<GraphDescription> {
	const wire = new Wire(read, size, limits);
	const found: Found = {
		operators: new Set(),
		bits: new Set(),
		bytesOf: new Map(),
		external: [],
		stored: new Set(),
		tensors: 0
	};
	let main: Pick<GraphDescription, 'inputs' | 'outputs'> | undefined;
	for await (const { number, span } of wire.fields({ from: 0, to: size })) {
		if (span === undefined) continue;
		if (number === 7) main = await graph(wire, span, found, 0);
		// A function of the model's own: what it is made of counts like any node.
		if (number === 25)
			for await (const part of wire.fields(span)) if (part.number === 7) await node(wire, part.span, found, 0);
	}
	if (main === undefined || found.operators.size === 0) throw new Refusal('model-unsupported', 'not an ONNX graph');
	return {
		// Before ONNX 1.4 weights were listed as inputs too.
		inputs: main.inputs.filter(({ name }) => !found.stored.has(name)),
		outputs: main.outputs,
		operators: found.operators,
		external: found.external,
		precision: precisionOf(found)
	};
}

function precisionOf({ operators, bits, bytesOf }: Found): Precision {
	if ([...operators].some((operator) => ON_THE_FLY.has(operator))) return 'int8';
	// The coarsest decides: it is what the answers are made with.
	if (bits.size > 0) return bits.has(2) ? 'unknown' : bits.has(4) ? 'q4' : bits.has(8) ? 'q8' : 'unknown';
	if (operators.has('MatMulBnb4')) return 'q4';
	const of = (...types: string[]) => types.reduce((sum, type) => sum + (bytesOf.get(type) ?? 0), 0);
	const [bytes32, bytes16, bytes8] = [of('float32'), of('float16', 'bfloat16'), of('int8', 'uint8')];
	const most = Math.max(bytes32, bytes16, bytes8);
	if (most === 0) return 'unknown';
	if (most === bytes8) return operators.has('DequantizeLinear') ? 'q8' : 'unknown';
	return most === bytes16 ? 'fp16' : 'fp32';
}

async function graph(
	wire: Wire,
	whole: Span,
	found: Found,
	depth: number
): Promise<Pick<GraphDescription, 'inputs' | 'outputs'>> {
	if (depth > MOST_DEPTH) throw new Refusal('oversized', 'branches of the graph');
	const inputs: TensorFact[] = [];
	const outputs: TensorFact[] = [];
	for await (const { number, span } of wire.fields(whole)) {
		if (span === undefined) continue;
		if (number === 1) await node(wire, span, found, depth);
		if (number === 5) await tensor(wire, span, found);
		if (number === 11 || number === 12) {
			if (inputs.length + outputs.length > MOST_TENSORS) throw new Refusal('oversized', 'inputs of the graph');
			(number === 11 ? inputs : outputs).push(await fact(wire, span));
		}
	}
	return { inputs, outputs };
}

async function node(wire: Wire, whole: Span | undefined, found: Found, depth: number): Promise<void> {
	if (whole === undefined) return;
	let operator = '';
	let bits: number | undefined;
	for await (const { number, span } of wire.fields(whole)) {
		if (span === undefined) continue;
		if (number === 4) operator = await wire.text(span, MOST_NAME_BYTES);
		if (number === 5) bits = (await attribute(wire, span, found, depth)) ?? bits;
	}
	if (found.operators.size > MOST_TENSORS) throw new Refusal('oversized', 'operators of the graph');
	found.operators.add(operator);
	if (IN_BLOCKS.has(operator)) found.bits.add(bits ?? 4);
}

/** The value of an attribute named `bits`, undefined for any other. */
async function attribute(wire: Wire, whole: Span, found: Found, depth: number): Promise<number | undefined> {
	let name = '';
	let integer: number | undefined;
	for await (const { number, span, value } of wire.fields(whole)) {
		if (number === 3) integer = value;
		if (span === undefined) continue;
		if (number === 1) name = await wire.text(span, MOST_NAME_BYTES);
		if (number === 5 || number === 10) await tensor(wire, span, found);
		if (number === 6 || number === 11) await graph(wire, span, found, depth + 1);
	}
	return /^(expert_weight_)?bits$/.test(name) ? integer : undefined;
}

async function tensor(wire: Wire, whole: Span, found: Found): Promise<void> {
	if (++found.tensors > MOST_TENSORS) throw new Refusal('oversized', 'tensors of the graph');
	let elements = 1;
	let type = 0;
	let isExternal = false;
	const entries = new Map<string, string>();
	for await (const { number, span, value } of wire.fields(whole)) {
		if (number === 1)
			for (const size of span ? await wire.numbers(span, MOST_DIMENSIONS) : [value ?? 0]) elements *= size;
		if (number === 2) type = value ?? 0;
		if (number === 8 && span !== undefined) found.stored.add(await wire.text(span, MOST_NAME_BYTES));
		if (number === 13 && span !== undefined) await entry(wire, span, entries);
		if (number === 14) isExternal = value === 1;
	}
	const [name, size] = TYPES[type] ?? ['other', 1];
	found.bytesOf.set(name, (found.bytesOf.get(name) ?? 0) + elements * size);
	if (!isExternal) return;
	const offset = Number(entries.get('offset') ?? 0);
	const length = entries.has('length') ? Number(entries.get('length')) : undefined;
	const location = entries.get('location');
	const sound = (count: number) => Number.isSafeInteger(count) && count >= 0;
	if (location === undefined || !sound(offset) || !sound(length ?? 0)) {
		throw new Refusal('model-unsupported', 'external data without a place');
	}
	found.external.push({ location, offset, length });
}

async function entry(wire: Wire, whole: Span, entries: Map<string, string>): Promise<void> {
	let key = '';
	let value = '';
	for await (const { number, span } of wire.fields(whole)) {
		if (span === undefined) continue;
		if (number === 1) key = await wire.text(span, MOST_NAME_BYTES);
		if (number === 2) value = await wire.text(span, MOST_NAME_BYTES);
	}
	// Four keys are known; more would be a way to fill the memory.
	if (entries.size < 16) entries.set(key, value);
}

async function fact(wire: Wire, whole: Span): Promise<TensorFact> {
	let name = '';
	let type = 'other';
	let shape: (number | string)[] = [];
	for await (const { number, span } of wire.fields(whole)) {
		if (span === undefined) continue;
		if (number === 1) name = await wire.text(span, MOST_NAME_BYTES);
		if (number !== 2) continue;
		for await (const kind of wire.fields(span)) {
			if (kind.number !== 1 || kind.span === undefined) continue;
			for await (const part of wire.fields(kind.span)) {
				if (part.number === 1) type = TYPES[part.value ?? 0]?.[0] ?? 'other';
				if (part.number === 2 && part.span !== undefined) shape = await dimensions(wire, part.span);
			}
		}
	}
	return { name, type, shape };
}

async function dimensions(wire: Wire, whole: Span): Promise<(number | string)[]> {
	const shape: (number | string)[] = [];
	for await (const { number, span } of wire.fields(whole)) {
		if (number !== 1 || span === undefined) continue;
		let size: number | string = '';
		for await (const part of wire.fields(span)) {
			if (part.number === 1) size = part.value ?? '';
			if (part.number === 2 && part.span !== undefined) size = await wire.text(part.span, MOST_NAME_BYTES);
		}
		if (shape.push(size) > MOST_DIMENSIONS) throw new Refusal('oversized', 'a shape in the graph');
	}
	return shape;
}

/** GGUF version 3, the file format of llama.cpp: written from metadata and tensors. `readGguf` reads the header back, for tests. */

/** Numbers are written as 32-bit: unsigned when whole, else floating-point; say `f32` for a whole number that is meant as one. */
export type GgufValue =
	| string
	| boolean
	| number
	| readonly string[]
	| { readonly f32: number }
	/** 32-bit signed integers. */
	| { readonly i32: readonly number[] };

/** Block formats of ggml that are written here. */
export const GGML_TYPES = { f32: 0, q4_0: 2 } as const;
export type GgmlType = keyof typeof GGML_TYPES;

/** `dims` innermost first, as ggml counts them: the reverse of ONNX. */
export interface GgufTensor {
	readonly name: string;
	readonly type: GgmlType;
	readonly dims: readonly number[];
	readonly bytes: Uint8Array;
}

const MAGIC = 'GGUF';
const VERSION = 3;
/** Where tensors may begin; the format's default, so it needs no metadata of its own. */
const ALIGNMENT = 32;

/** Value types of the format. */
const U32 = 4;
const I32 = 5;
const F32 = 6;
const BOOL = 7;
const STRING = 8;
const ARRAY = 9;

export function writeGguf(metadata: ReadonlyMap<string, GgufValue>, tensors: readonly GgufTensor[]): Uint8Array {
	const head = [Buffer.from(MAGIC), u32(VERSION), u64(tensors.length), u64(metadata.size)];
	for (const [key, value] of metadata) head.push(text(key), ...typed(value));
	let offset = 0;
	for (const { name, type, dims, bytes } of tensors) {
		head.push(text(name), u32(dims.length), ...dims.map(u64), u32(GGML_TYPES[type]), u64(offset));
		offset += padded(bytes.length);
	}
	const headLength = head.reduce((sum, { length }) => sum + length, 0);
	const file = Buffer.alloc(padded(headLength) + offset);
	Buffer.concat(head).copy(file);
	let at = padded(headLength);
	for (const { bytes } of tensors) {
		file.set(bytes, at);
		at += padded(bytes.length);
	}
	return file;
}

/** What a header says, with where each tensor's bytes begin in the file. */
export interface GgufHeader {
	readonly metadata: ReadonlyMap<string, unknown>;
	readonly tensors: readonly (Omit<GgufTensor, 'bytes' | 'type'> & { readonly type: number; readonly at: number })[];
}

/** Reads back what `writeGguf` writes: not every type of the format. */
export function readGguf(file: Uint8Array): GgufHeader {
	const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
	let at = 0;
	const take = (length: number) => (at += length) - length;
	const readU32 = () => view.getUint32(take(4), true);
	const readU64 = () => Number(view.getBigUint64(take(8), true));
	const readText = () => {
		const length = readU64();
		const from = take(length);
		return new TextDecoder().decode(file.subarray(from, from + length));
	};
	const readValue = (type: number): unknown => {
		if (type === U32) return readU32();
		if (type === I32) return view.getInt32(take(4), true);
		if (type === F32) return view.getFloat32(take(4), true);
		if (type === BOOL) return view.getUint8(take(1)) === 1;
		if (type === STRING) return readText();
		if (type !== ARRAY) throw new TypeError(`gguf: type ${type} is not read here`);
		const inside = readU32();
		return Array.from({ length: readU64() }, () => readValue(inside));
	};
	const magic = new TextDecoder().decode(file.subarray(0, take(4) + 4));
	if (magic !== MAGIC || readU32() !== VERSION) throw new TypeError('gguf: not a file of version 3');
	const tensorCount = readU64();
	const metadata = new Map(Array.from({ length: readU64() }, () => [readText(), readValue(readU32())] as const));
	const tensors = Array.from({ length: tensorCount }, () => ({
		name: readText(),
		dims: Array.from({ length: readU32() }, readU64),
		type: readU32(),
		at: readU64()
	}));
	const data = padded(at);
	return { metadata, tensors: tensors.map((tensor) => ({ ...tensor, at: data + tensor.at })) };
}

function typed(value: GgufValue): Buffer[] {
	if (typeof value === 'string') return [u32(STRING), text(value)];
	if (typeof value === 'boolean') return [u32(BOOL), Buffer.from([value ? 1 : 0])];
	if (typeof value === 'number') return Number.isInteger(value) ? [u32(U32), u32(value)] : [u32(F32), f32(value)];
	if ('f32' in value) return [u32(F32), f32(value.f32)];
	if ('i32' in value)
		return [u32(ARRAY), u32(I32), u64(value.i32.length), Buffer.from(Int32Array.from(value.i32).buffer)];
	return [u32(ARRAY), u32(STRING), u64(value.length), ...value.map(text)];
}

function text(value: string): Buffer {
	const bytes = Buffer.from(value);
	return Buffer.concat([u64(bytes.length), bytes]);
}

function u32(value: number): Buffer {
	const bytes = Buffer.alloc(4);
	bytes.writeUInt32LE(value);
	return bytes;
}

function u64(value: number): Buffer {
	const bytes = Buffer.alloc(8);
	bytes.writeBigUInt64LE(BigInt(value));
	return bytes;
}

function f32(value: number): Buffer {
	const bytes = Buffer.alloc(4);
	bytes.writeFloatLE(value);
	return bytes;
}

function padded(length: number): number {
	return Math.ceil(length / ALIGNMENT) * ALIGNMENT;
}

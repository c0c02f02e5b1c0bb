/**
 * Why other processors give the same bits: WebAssembly fixes the result of every floating-point instruction (but the payload of NaN), except
 * relaxed SIMD. So the library's wasm is read instruction by instruction, and must have none of that.
 */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const LIBRARY = new URL('../../node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.wasm', import.meta.url);
/** SIMD opcodes from here on are the relaxed ones (WebAssembly 3.0, binary format). */
const RELAXED = 0x100;

/** Reads a module's code; every body must end exactly where its length says, or an instruction was misread. */
class Reader {
	readonly #bytes: Uint8Array;
	#at = 8;
	simd = 0;
	relaxed = 0;
	misread = 0;
	functions = 0;

	constructor(bytes: Uint8Array) {
		this.#bytes = bytes;
		while (this.#at < bytes.length) {
			const section = this.#byte();
			const end = this.#number() + this.#at;
			if (section === 10) this.#code();
			this.#at = end;
		}
	}

	#byte(): number {
		return this.#bytes[this.#at++] as number;
	}

	/** Unsigned LEB128; signed ones are read too, where only their length matters. */
	#number(): number {
		let value = 0;
		for (let factor = 1; ; factor *= 128) {
			const byte = this.#byte();
			value += (byte & 127) * factor;
			if (byte < 128) return value;
		}
	}

	#skip(numbers: number): void {
		for (let i = 0; i < numbers; i++) this.#number();
	}

	#code(): void {
		for (let left = this.#number(); left > 0; left--) {
			const end = this.#number() + this.#at;
			this.functions++;
			for (let groups = this.#number(); groups > 0; groups--) this.#skip(2);
			while (this.#at < end) this.#instruction();
			if (this.#at !== end || this.#bytes[end - 1] !== 0x0b) this.misread++;
			this.#at = end;
		}
	}

	#instruction(): void {
		const op = this.#byte();
		if (op === 0x0e) this.#skip(this.#number() + 1);
		else if (op === 0x11 || op === 0x13 || (op >= 0x28 && op <= 0x3e)) this.#skip(2);
		else if (op === 0x1c) this.#at += this.#number();
		else if (op === 0x43) this.#at += 4;
		else if (op === 0x44) this.#at += 8;
		else if (op === 0xfc) this.#bulk(this.#number());
		else if (op === 0xfd) this.#vector(this.#number());
		else if (op === 0xfe) this.#skip(this.#number() === 3 ? 1 : 2);
		else if (ONE_NUMBER.has(op)) this.#skip(1);
	}

	#bulk(op: number): void {
		if (op === 8 || op === 10 || op === 12 || op === 14) this.#skip(2);
		else if (op > 7) this.#skip(1);
	}

	#vector(op: number): void {
		this.simd++;
		if (op >= RELAXED) this.relaxed++;
		if (op <= 11 || op === 92 || op === 93) this.#skip(2);
		else if (op === 12 || op === 13) this.#at += 16;
		else if (op >= 21 && op <= 34) this.#at += 1;
		else if (op >= 84 && op <= 91) {
			this.#skip(2);
			this.#at += 1;
		}
	}
}

/** Instructions with one LEB128 after them: blocks, branches, calls, variables, tables, memory, constants, references, old exceptions. */
const ONE_NUMBER = new Set([
	0x02, 0x03, 0x04, 0x06, 0x07, 0x08, 0x09, 0x0c, 0x0d, 0x10, 0x12, 0x18, 0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26,
	0x3f, 0x40, 0x41, 0x42, 0xd0, 0xd2
]);

it('the library uses no instruction whose result a processor may choose', () => {
	const code = new Reader(readFileSync(LIBRARY));
	expect(code.functions).toBeGreaterThan(10_000);
	expect(code.misread).toBe(0);
	expect(code.simd).toBeGreaterThan(100_000);
	expect(code.relaxed).toBe(0);
});

it('would see one', () => {
	// (func (param v128 v128 v128) (result v128) local.get 0 local.get 1 local.get 2 f32x4.relaxed_madd)
	const body = [0x00, 0x20, 0, 0x20, 1, 0x20, 2, 0xfd, 0x85, 0x02, 0x0b];
	const module = [
		0,
		0x61,
		0x73,
		0x6d,
		1,
		0,
		0,
		0,
		1,
		8,
		1,
		0x60,
		3,
		0x7b,
		0x7b,
		0x7b,
		1,
		0x7b,
		3,
		2,
		1,
		0,
		10,
		body.length + 2,
		1,
		body.length,
		...body
	];
	expect(WebAssembly.validate(Uint8Array.from(module))).toBe(true);
	expect(new Reader(Uint8Array.from(module))).toMatchObject({ functions: 1, misread: 0, relaxed: 1 });
});

/** Seeded chance: sfc32 (Chris Doty-Humphrey's PractRand), which passes its tests and costs nanoseconds, keyed with SHA-256 of the seed. */
import type { Random } from '#lib/ports/random.ts';
import { sha256 } from '@noble/hashes/sha2.js';
import { utf8ToBytes } from '@noble/hashes/utils.js';

export class SeededRandom implements Random {
	#a: number;
	#b: number;
	#c: number;
	#count = 1;

	constructor(seed: string) {
		const key = new DataView(sha256(utf8ToBytes(seed)).buffer);
		[this.#a, this.#b, this.#c] = [key.getInt32(0), key.getInt32(4), key.getInt32(8)];
		for (let i = 0; i < 12; i++) this.#next();
	}

	bytes(length: number): Uint8Array {
		const out = new Uint8Array(length);
		for (let at = 0; at < length; at += 4) {
			const word = this.#next();
			for (let i = 0; i < 4 && at + i < length; i++) out[at + i] = word >>> (8 * i);
		}
		return out;
	}

	/** Uniform in [0, 1). */
	unit(): number {
		return (this.#next() >>> 0) / 2 ** 32;
	}

	/** Uniform in 0 … below − 1. */
	below(below: number): number {
		return Math.floor(this.unit() * below);
	}

	/** One of them. */
	of<T>(choices: readonly T[]): T {
		return choices[this.below(choices.length)] as T;
	}

	#next(): number {
		const word = (((this.#a + this.#b) | 0) + this.#count) | 0;
		this.#count = (this.#count + 1) | 0;
		this.#a = this.#b ^ (this.#b >>> 9);
		this.#b = (this.#c + (this.#c << 3)) | 0;
		this.#c = (((this.#c << 21) | (this.#c >>> 11)) + word) | 0;
		return word;
	}
}

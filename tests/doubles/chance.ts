/** Seeded chance: SHA-256 in counter mode. */
import type { Random } from '#lib/ports/random.ts';
import { sha256 } from '@noble/hashes/sha2.js';

export class SeededRandom implements Random {
	readonly #seed: string;
	#count = 0;

	constructor(seed: string) {
		this.#seed = seed;
	}

	bytes(length: number): Uint8Array {
		const out = new Uint8Array(length);
		for (let at = 0; at < length; at += 32) {
			const block = sha256(new TextEncoder().encode(`${this.#seed}/${this.#count++}`));
			out.set(block.subarray(0, Math.min(32, length - at)), at);
		}
		return out;
	}

	/** Uniform in [0, 1). */
	unit(): number {
		return new DataView(this.bytes(4).buffer).getUint32(0) / 2 ** 32;
	}

	/** Uniform in 0 … below − 1. */
	below(below: number): number {
		return Math.floor(this.unit() * below);
	}
}

/**
 * A running digest of 64 bits, two multiply-and-fold lanes (after MurmurHash3's mixer): tells two runs or two messages apart at a
 * nanosecond a byte. Nothing but chance is kept from colliding; whoever needs more takes SHA-256.
 */
export class Digest {
	#a = 0x9e3779b9 | 0;
	#b = 0x85ebca6b | 0;

	number(value: number): void {
		this.#word(value | 0);
		// Times have fractions, and numbers may be larger than 32 bits.
		this.#word((value / 2 ** 32) | 0);
		this.#word(((value % 1) * 2 ** 31) | 0);
	}

	text(value: string): void {
		this.#word(value.length);
		for (let at = 0; at < value.length; at++) this.#word(value.charCodeAt(at));
	}

	bytes(value: Uint8Array): void {
		this.#word(value.length);
		let at = 0;
		for (; at + 4 <= value.length; at += 4) {
			const [a = 0, b = 0, c = 0, d = 0] = [value[at], value[at + 1], value[at + 2], value[at + 3]];
			this.#word(a | (b << 8) | (c << 16) | (d << 24));
		}
		for (; at < value.length; at++) this.#word(value[at] as number);
	}

	/** 8 bytes. */
	value(): Uint8Array {
		const view = new DataView(new ArrayBuffer(8));
		view.setInt32(0, finish(this.#a ^ this.#b));
		view.setInt32(4, finish(this.#b + Math.imul(this.#a, 5)));
		return new Uint8Array(view.buffer);
	}

	hex(): string {
		return [...this.value()].map((byte) => byte.toString(16).padStart(2, '0')).join('');
	}

	#word(word: number): void {
		let mixed = Math.imul(word, 0xcc9e2d51);
		mixed = Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593);
		const a = this.#a ^ mixed;
		this.#a = (Math.imul((a << 13) | (a >>> 19), 5) + 0xe6546b64) | 0;
		const b = this.#b ^ word;
		this.#b = (Math.imul((b << 7) | (b >>> 25), 0x9e3779b1) + this.#a) | 0;
	}
}

function finish(value: number): number {
	let hash = value;
	hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
	hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
	return hash ^ (hash >>> 16);
}

/** A file as a row of QR codes: seen in any order, twice, mixed with others; drawn by one library and read by the other. */
import fc from 'fast-check';
import { correction, generate } from 'lean-qr';
import decodeQR from 'qr/decode.js';
import { describe, expect, test } from 'vitest';
import { codeOf } from '#lib/protocol/errors.ts';
import { Gathering, isPart, MAX_PARTS, PART_BYTES, partsOf } from '#lib/protocol/file-pictures.ts';

const bytes = (length: number, seed = 1) => Uint8Array.from({ length }, (_, n) => ((n + seed) * 2_654_435_761) >>> 24);

/** What a camera sees of a text, in black and white, `scale` dots a module. */
function seen(text: string, scale = 4) {
	const code = generate(text, { minCorrectionLevel: correction.L });
	const side = (code.size + 8) * scale;
	const data = new Uint8Array(side * side * 4).fill(255);
	for (let y = 0; y < side; y++)
		for (let x = 0; x < side; x++)
			if (code.get(Math.floor(x / scale) - 4, Math.floor(y / scale) - 4))
				data.fill(0, (y * side + x) * 4, (y * side + x) * 4 + 3);
	return { width: side, height: side, data, modules: code.size };
}

describe('a file', () => {
	test('comes whole from its parts in any order, some seen twice, and not before all were seen', () => {
		fc.assert(
			fc.property(fc.integer({ min: 0, max: 9_000 }), fc.nat(), (length, seed) => {
				const file = bytes(length, seed);
				const parts = partsOf(file);
				const order =
					fc.sample(fc.shuffledSubarray([...parts], { minLength: parts.length }), { seed, numRuns: 1 })[0] ?? [];
				const gathering = new Gathering();
				order.forEach((part, n) => {
					const first = gathering.take(part);
					expect(first).toMatchObject({ have: n + 1, want: parts.length });
					expect(first?.file).toEqual(n + 1 < parts.length ? undefined : file);
					if (n + 1 < parts.length) expect(gathering.take(part)?.have).toBe(n + 1);
				});
			}),
			{ numRuns: 50 }
		);
	});

	test('is named by its hash: parts of another begin anew, and a forged part spoils nothing for good', () => {
		const [one, two] = [partsOf(bytes(1_500, 1)), partsOf(bytes(1_500, 2))];
		const gathering = new Gathering();
		gathering.take(one[0] ?? '');
		expect(gathering.take(two[0] ?? '')?.have).toBe(1);
		const forged = (two[1] ?? '').replace(/.{4}$/, 'AAAA');
		expect(isPart(forged)).toBe(true);
		gathering.take(forged);
		expect(gathering.take(two[2] ?? '')).toEqual({ have: 0, want: 3, file: undefined });
		for (const part of two) gathering.take(part);
		expect(gathering.take(two[0] ?? '')?.file).toEqual(bytes(1_500, 2));
	});

	test('that is too long is refused, and no text makes it throw', () => {
		expect(partsOf(bytes(PART_BYTES * MAX_PARTS))).toHaveLength(MAX_PARTS);
		expect(() => partsOf(bytes(PART_BYTES * MAX_PARTS + 1))).toThrow();
		try {
			partsOf(bytes(PART_BYTES * MAX_PARTS + 1));
		} catch (error) {
			expect(codeOf(error)).toBe('oversized');
		}
		const [part = ''] = partsOf(bytes(700));
		const mutated = fc
			.tuple(fc.nat(part.length - 1), fc.constantFrom('A', '7', ':', '0', '9', 'é'))
			.map(([at, letter]) => part.slice(0, at) + letter + part.slice(at + 1));
		const odd = fc.constantFrom(
			'FW1:ABCDEFGHIJKLMNOP:5:5:AA',
			'FW1:ABCDEFGHIJKLMNOP:0:0:',
			'FW1:ABCDEFGHIJKLMNOP:0:999:A',
			'FW1:'
		);
		fc.assert(
			fc.property(fc.oneof(fc.string(), mutated, odd), (text) => {
				const taken = new Gathering().take(text);
				if (taken?.file) expect(taken.file.length).toBeLessThanOrEqual(PART_BYTES);
			}),
			{ numRuns: 2_000 }
		);
		expect(new Gathering().take('https://somewhere.example')).toBeUndefined();
	});

	test('drawn as a code that a phone can read, and read back by the library that stands in for the browser', () => {
		const parts = partsOf(bytes(1_300));
		for (const part of parts) {
			const { modules, ...image } = seen(part);
			expect(modules).toBeLessThanOrEqual(113);
			expect(decodeQR(image, { timeLimit: 2_000 })).toBe(part);
		}
	});
});

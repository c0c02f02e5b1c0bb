/** The library's judgement of a stranger's words: names, records, facts, addresses, fit. None of it may throw anything but a Refusal. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { lookout } from '#lib/engine/library/address.ts';
import { isFolderName } from '#lib/engine/library/calls.ts';
import { builtInEntry, entryOf, inOrder } from '#lib/engine/library/entry.ts';
import { factsOf, hasTemplate, licenceIn, vocabularyOf } from '#lib/engine/library/facts.ts';
import { fit, hasRoom, memoryNeeded, SPARE_BYTES, type DeviceFacts, type Need } from '#lib/engine/library/fit.ts';
import { cleanLicence, cleanName, isPlainLocation } from '#lib/engine/library/names.ts';
import { checkRecord, idOf, isWhole, modelOf, readRecord, type LibraryRecord } from '#lib/engine/library/record.ts';
import { asFound, namesIn } from '#lib/engine/library/shelf.ts';
import { best, promisedBy, type Variant } from '#lib/engine/library/variants.ts';
import { POCKET } from '#lib/engine/pocket.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import { withExternal } from '#workers/library/fill.ts';
import config from '../../models/pocket/config.json' with { type: 'json' };
import generation from '../../models/pocket/generation_config.json' with { type: 'json' };
import { pocketFile } from '../interop/models-repository.ts';

const HASH = (digit: string) => digit.repeat(64);
const RECORD: LibraryRecord = {
	format: 1,
	name: 'A model',
	origin: 'added',
	from: 'a.example',
	licence: 'apache-2.0',
	contextTokens: 1024,
	vocabularySize: 2048,
	stopTokens: [3, 0],
	kvBytesPerToken: 12_288,
	precision: 'q4',
	verifiable: true,
	parts: [
		{ role: 'tokenizer', addresses: ['https://a.example/tokenizer.json'], bytes: 10, sha256: HASH('a'), kept: true },
		{
			role: 'tokenizerConfig',
			addresses: ['https://a.example/tokenizer_config.json'],
			bytes: 20,
			sha256: HASH('b'),
			kept: true
		},
		{ role: 'weights', addresses: ['https://a.example/onnx/model.onnx'], bytes: 30, sha256: HASH('c'), kept: true },
		{ role: 'external', location: 'model.onnx_data', addresses: [], bytes: 40, sha256: HASH('d'), kept: true }
	]
};
const DEVICE: DeviceFacts = { secure: true, canKeep: true, memoryBytes: undefined, quota: 1e12, used: 0 };
const refusal = (work: () => unknown): string => {
	try {
		work();
		return 'accepted';
	} catch (error) {
		if (!(error instanceof Refusal)) throw error;
		return error.code;
	}
};
const refused = ['accepted', 'malformed', 'oversized', 'model-unsupported'];

describe('names', () => {
	test('cannot turn the text around them, and stay short', () => {
		fc.assert(
			fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (given) => {
				const name = cleanName(given);
				expect(name.length).toBeGreaterThan(0);
				expect(name.length).toBeLessThanOrEqual(64);
				expect(name.isWellFormed()).toBe(true);
				expect(name).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
				expect(cleanName(name)).toBe(name);
			}),
			{ numRuns: 2000 }
		);
	});

	test.each([
		['SmolLM2\u202E-135M\u2066', 'SmolLM2-135M'],
		['a\n\n  b\u0000', 'a b'],
		['\u200B\u200F', 'Model'],
		[undefined, 'Model'],
		['x'.repeat(63) + '😀', 'x'.repeat(63)]
	])('%j is shown as %j', (given, shown) => {
		expect(cleanName(given)).toBe(shown);
	});

	test('a licence is a word or nothing', () => {
		expect([cleanLicence('mit'), cleanLicence(7), cleanLicence('\u202E')]).toEqual(['mit', undefined, undefined]);
	});

	test('data beside a graph stays beside it', () => {
		for (const good of ['model.onnx_data', 'data/part 0.bin', 'a.b-c+d']) expect(isPlainLocation(good)).toBe(true);
		const bad = [
			'',
			'..',
			'../x',
			'a/../b',
			'/x',
			'a//b',
			'a\\b',
			'https://x/y',
			'a?b',
			'a#b',
			'a%2Fb',
			' a',
			'a\u202Eb',
			'x'.repeat(300)
		];
		for (const each of bad) expect([each, isPlainLocation(each)]).toEqual([each, false]);
	});
});

describe('records', () => {
	test('are read as they were written', () => {
		expect(readRecord(JSON.stringify(RECORD))).toEqual({ kind: 'record', record: RECORD });
		expect(isWhole(RECORD)).toBe(true);
	});

	test('of later versions are told apart from damaged ones', () => {
		expect(readRecord(JSON.stringify({ ...RECORD, format: 2, parts: 'new' })).kind).toBe('newer');
		for (const broken of ['', '{', 'null', '[]', '7', '{"format":1}', ' '.repeat(2_000_000)])
			expect(readRecord(broken).kind).toBe('damaged');
	});

	test.each<[string, object]>([
		['without weights', { parts: RECORD.parts.slice(0, 2) }],
		['with two weights', { parts: [...RECORD.parts, RECORD.parts[2]] }],
		['kept without a hash', { parts: RECORD.parts.map(({ sha256: _, ...part }) => part) }],
		['with data elsewhere', { parts: [...RECORD.parts.slice(0, 3), { ...RECORD.parts[3], location: '../x' }] }],
		['with the same data twice', { parts: [...RECORD.parts, RECORD.parts[3]] }],
		['with a field of its own', { extra: 1 }],
		['without a stop token', { stopTokens: [] }],
		['with a file of 3 GB', { parts: RECORD.parts.map((part) => ({ ...part, bytes: 3e9 })) }]
	])('%s are damaged', (_, change) => {
		expect(readRecord(JSON.stringify({ ...RECORD, ...change })).kind).toBe('damaged');
	});

	test('whatever is there, reading never throws, and what is read is whole', () => {
		const paths = ['format', 'name', 'origin', 'parts', 'stopTokens', 'contextTokens', 'precision', 'licence'];
		fc.assert(
			fc.property(fc.constantFrom(...paths), fc.jsonValue(), (path, value) => {
				const read = readRecord(JSON.stringify({ ...RECORD, [path]: value }));
				if (read.kind === 'record') expect(checkRecord(read.record)).toEqual(read.record);
			}),
			{ numRuns: 1000 }
		);
		fc.assert(fc.property(fc.string(), (text) => void readRecord(text)));
	});

	test('what the disk does not have is not kept', () => {
		const sizes = new Map([
			['tokenizer.json', 10],
			['tokenizer_config.json', 20],
			['weights.onnx', 12],
			['external-0', 90],
			['record.json', 900]
		]);
		const { record, keptBytes } = asFound('at-0000000000000000', RECORD, sizes);
		expect(record.parts.map(({ kept }) => kept)).toEqual([true, true, false, false]);
		expect(keptBytes).toBe(10 + 20 + 12 + 40);
		expect(modelOf(record)).toBeUndefined();
		expect(namesIn(RECORD)).toEqual(['tokenizer.json', 'tokenizer_config.json', 'weights.onnx', 'external-0']);
	});

	test('the id is made of the weights alone', () => {
		const id = idOf(RECORD);
		expect(id).toMatch(/^onnx-[0-9a-f]{16}$/);
		expect(isFolderName(id ?? '')).toBe(true);
		expect(idOf({ parts: RECORD.parts.slice(0, 3) })).toBe(`onnx-${'c'.repeat(16)}`);
		expect(
			idOf({
				...RECORD,
				parts: RECORD.parts.map((part) => (part.role === 'tokenizer' ? { ...part, sha256: HASH('e') } : part))
			})
		).toBe(id);
		expect(
			idOf({ parts: RECORD.parts.map((part) => (part.role === 'external' ? { ...part, sha256: HASH('e') } : part)) })
		).not.toBe(id);
		expect(modelOf(RECORD)).toMatchObject({
			id,
			external: [{ location: 'model.onnx_data', bytes: 40, sha256: HASH('d') }]
		});
	});
});

describe('facts', () => {
	const text = JSON.stringify(config);

	test('of the pocket model', () => {
		expect(factsOf(text, JSON.stringify(generation))).toEqual({
			contextTokens: POCKET.contextTokens,
			vocabularySize: POCKET.vocabularySize,
			stopTokens: POCKET.stopTokens,
			kvBytesPerToken: 2 * 6 * 4 * 32 * 4
		});
		expect(factsOf(text, undefined).stopTokens).toEqual([3]);
		expect(vocabularyOf(pocketFile('tokenizer.json').toString())).toBe(2048);
		expect(hasTemplate(pocketFile('tokenizer_config.json').toString())).toBe(true);
	});

	test('of the older kind of names', () => {
		const old = { vocab_size: 50_257, n_positions: 1024, n_head: 12, n_layer: 12, n_embd: 768, eos_token_id: 50_256 };
		expect(factsOf(JSON.stringify(old), 'nonsense')).toEqual({
			...{ contextTokens: 1024, vocabularySize: 50_257, stopTokens: [50_256], kvBytesPerToken: 2 * 12 * 768 * 4 }
		});
	});

	test('whatever stands there, they are numbers in range or a refusal', () => {
		const odd = fc.oneof(
			fc.jsonValue(),
			fc.double(),
			fc.bigInt().map(String),
			fc.constantFrom(0, -1, 1e300, 2 ** 53, '64', null)
		);
		const changed = fc.record({ key: fc.constantFrom(...Object.keys(config)), value: odd });
		fc.assert(
			fc.property(changed, odd, ({ key, value }, eos) => {
				const facts: unknown[] = [];
				const code = refusal(() =>
					facts.push(factsOf(JSON.stringify({ ...config, [key]: value }), JSON.stringify({ eos_token_id: eos })))
				);
				expect(refused).toContain(code);
				for (const each of facts as ReturnType<typeof factsOf>[]) {
					for (const number of [each.contextTokens, each.vocabularySize, each.kvBytesPerToken, ...each.stopTokens])
						expect(Number.isSafeInteger(number) && number >= 0).toBe(true);
					expect(each.stopTokens.length).toBeGreaterThan(0);
				}
			}),
			{ numRuns: 2000 }
		);
	});

	test('a tokenizer with odd ids is refused', () => {
		for (const vocab of [{}, [], { a: -1 }, { a: 1.5 }, { a: '1' }, { a: 1e9 }, null, 7])
			expect([vocab, refusal(() => vocabularyOf(JSON.stringify({ model: { vocab } })))]).toEqual([
				vocab,
				'model-unsupported'
			]);
		expect(vocabularyOf(JSON.stringify({ model: { vocab: { a: 0, b: 7 } }, added_tokens: [{ id: 9 }] }))).toBe(10);
		fc.assert(fc.property(fc.json(), (json) => void expect(refused).toContain(refusal(() => vocabularyOf(json)))));
		fc.assert(fc.property(fc.json(), (json) => void expect(refused).toContain(refusal(() => hasTemplate(json)))));
	});

	test.each([
		['---\nlicense: apache-2.0\n---\n', 'apache-2.0'],
		['---\r\nlanguage: en\r\nlicense: "mit" # really\r\n---\r\n', 'mit'],
		['---\nlicense: other\nlicense_name: gemma\n---\n', 'gemma'],
		['# A model\nlicense: mit\n', undefined],
		['---\nlicense:\n---\n', undefined],
		['---\nlicense: \u202Emit\n---\n', 'mit'],
		[undefined, undefined]
	])('the licence in %j is %j', (readme, licence) => {
		expect(licenceIn(readme)).toBe(licence);
	});
});

describe('addresses', () => {
	test.each([
		[
			'https://h.example/acme/Tiny',
			'Tiny',
			['https://h.example/acme/Tiny/', 'https://h.example/acme/Tiny/resolve/main/'],
			undefined
		],
		[
			'https://h.example/acme/Tiny/tree/main/onnx',
			'Tiny',
			['https://h.example/acme/Tiny/resolve/main/', 'https://h.example/acme/Tiny/resolve/main/resolve/main/'],
			undefined
		],
		[
			'https://h.example/acme/Tiny/blob/main/onnx/model_q4.onnx?x=1#y',
			'Tiny',
			['https://h.example/acme/Tiny/resolve/main/', 'https://h.example/acme/Tiny/resolve/main/onnx/'],
			'https://h.example/acme/Tiny/resolve/main/onnx/model_q4.onnx?x=1'
		],
		['  http://localhost:8000/t/model.onnx', 't', ['http://localhost:8000/t/'], 'http://localhost:8000/t/model.onnx'],
		[
			'https://h.example/a/b/config.json',
			'b',
			['https://h.example/a/b/', 'https://h.example/a/b/resolve/main/'],
			undefined
		],
		['https://h.example/', 'Model', ['https://h.example/', 'https://h.example/resolve/main/'], undefined]
	])('%s', (address, name, folders, weights) => {
		expect(lookout(address)).toEqual({ host: new URL(address.trim()).host, name, folders, weights });
	});

	test('whatever is typed is an http address or refused', () => {
		const parts = fc.array(
			fc.constantFrom('onnx', '..', 'main', '%', '%2F', 'a b', '?', '#', '\\', 'é', '.onnx', 'model.onnx', '@', ':'),
			{ maxLength: 8 }
		);
		fc.assert(
			fc.property(
				fc.oneof(
					fc.string(),
					fc.webUrl(),
					parts.map((steps) => `https://h.example/${steps.join('/')}`)
				),
				(typed) => {
					expect(refused).toContain(
						refusal(() => {
							const { folders, name } = lookout(typed);
							for (const folder of folders) expect(folder).toMatch(/^https?:\/\/.*\/$/);
							expect(name.length).toBeGreaterThan(0);
						})
					);
				}
			),
			{ numRuns: 1000 }
		);
	});
});

describe('fit', () => {
	const size = fc.option(fc.integer({ min: 0, max: 8e9 }), { nil: undefined });
	const needs: fc.Arbitrary<Need> = fc.record({
		weightBytes: size,
		largestFileBytes: size,
		memoryBytes: size,
		missingBytes: size
	});
	const devices: fc.Arbitrary<DeviceFacts> = fc.record({
		...{ secure: fc.boolean(), canKeep: fc.boolean() },
		memoryBytes: fc.constantFrom(undefined, ...[0.25, 0.5, 1, 2, 4, 8].map((gib) => gib * 2 ** 30)),
		quota: size,
		used: fc.integer({ min: 0, max: 4e9 })
	});

	test('a smaller need never fits worse, a better device never holds less', () => {
		fc.assert(
			fc.property(
				needs,
				devices,
				fc.constantFrom<keyof Need>('weightBytes', 'largestFileBytes', 'memoryBytes', 'missingBytes'),
				(need, device, key) => {
					if (!fit(need, device).fits) return;
					expect(fit({ ...need, [key]: Math.floor((need[key] ?? 0) / 2) }, device).fits).toBe(true);
					expect(fit(need, { ...device, quota: undefined, memoryBytes: undefined }).fits).toBe(true);
				}
			),
			{ numRuns: 2000 }
		);
	});

	test('the reason is the first that stands, and is one of five', () => {
		fc.assert(
			fc.property(needs, devices, (need, device) => {
				const result = fit(need, device);
				if (!device.secure) expect(result).toEqual({ fits: false, why: 'insecure-context' });
				else if (!device.canKeep) expect(result).toEqual({ fits: false, why: 'storage-unavailable' });
				else if (!result.fits) expect(['out-of-memory', 'storage-full']).toContain(result.why);
			})
		);
	});

	test.each<[string, Partial<Need>, Partial<DeviceFacts>, string]>([
		['weights beyond what a session holds', { weightBytes: 2 ** 31 + 1 }, {}, 'out-of-memory'],
		['a file of 2 GiB', { largestFileBytes: 2 ** 31 }, {}, 'out-of-memory'],
		['1.2 GB on a phone of 2 GB', { memoryBytes: 1.2e9 }, { memoryBytes: 2 ** 31 }, 'out-of-memory'],
		['1.2 GB on a device that says 8', { memoryBytes: 1.2e9 }, { memoryBytes: 2 ** 33 }, 'fits'],
		['no room to spare', { missingBytes: 1e9 }, { quota: 1e9 + SPARE_BYTES - 1 }, 'storage-full'],
		['nothing more to keep on a full disk', { missingBytes: 0 }, { quota: 1, used: 1 }, 'fits']
	])('%s', (_, need, device, expected) => {
		const none = { weightBytes: 0, largestFileBytes: 0, memoryBytes: 0, missingBytes: 0 };
		const result = fit({ ...none, ...need }, { ...DEVICE, ...device });
		expect(result.fits ? 'fits' : result.why).toBe(expected);
	});

	test('room and memory are sums', () => {
		expect(hasRoom(1, { quota: undefined, used: 1e15 })).toBe(true);
		expect(memoryNeeded(1e9, 65_536, 131_072) - memoryNeeded(0, 65_536, 4096)).toBe(2e9);
	});
});

describe('variants', () => {
	const variant = (path: string, bytes: number | undefined): Variant => ({ path, bytes, precision: promisedBy(path) });

	test.each([
		['onnx/model.onnx', 'fp32'],
		['model_fp32.onnx', 'fp32'],
		['onnx/model_q4.onnx', 'q4'],
		['onnx/model_q4f16.onnx', 'fp16'],
		['onnx/model_quantized.onnx', 'int8'],
		['onnx/model_q8.onnx', 'q8'],
		['decoder.onnx', 'unknown']
	])('%s promises %s', (path, precision) => {
		expect(promisedBy(path)).toBe(precision);
	});

	test('what fits is taken before what can be checked, that before what is small', () => {
		const all = [
			variant('model.onnx', 3e9),
			variant('model_q4.onnx', 9e8),
			variant('model_int8.onnx', 6e8),
			variant('model_fp16.onnx', 1.5e9)
		];
		expect(best(all, 0, 1024, DEVICE)?.path).toBe('model_q4.onnx');
		expect(best(all, 0, 1024, { ...DEVICE, quota: 7e8 })?.path).toBe('model_int8.onnx');
		expect(best(all.toReversed(), 0, 1024, { ...DEVICE, quota: 1 })?.path).toBe('model_q4.onnx');
		expect(best([], 0, 1024, DEVICE)).toBeUndefined();
	});
});

describe('entries', () => {
	test('the built-in one first, what is kept, what could be; the order of what comes in does not matter', () => {
		const shelved = (name: string, kept: boolean, bytes: number) => {
			const parts = RECORD.parts.map((part) => ({ ...part, bytes, kept }));
			return entryOf(name, { folder: name, record: { ...RECORD, parts }, keptBytes: kept ? 4 * bytes : 0 }, DEVICE);
		};
		const all = [
			shelved('c', false, 900),
			shelved('a', true, 500),
			shelved('d', false, 2 ** 31 - 1),
			shelved('b', false, 100),
			builtInEntry(POCKET, 'MIT')
		];
		fc.assert(
			fc.property(fc.shuffledSubarray(all, { minLength: all.length }), (mixed) => {
				expect(inOrder(mixed).map(({ id }) => id)).toEqual([POCKET.id, 'a', 'b', 'c', 'd']);
			})
		);
		expect(inOrder(all).at(-1)?.fit).toEqual({ fits: false, why: 'out-of-memory' });
	});
});

describe('external data', () => {
	const [weights] = RECORD.parts.filter(({ role }) => role === 'weights') as [LibraryRecord['parts'][0]];

	test('is what the graph names, from where the weights came from', () => {
		const parts = withExternal(RECORD.parts, weights, ['data/part 1.bin', 'model.onnx_data']);
		expect(parts.slice(3)).toEqual([
			{
				role: 'external',
				location: 'data/part 1.bin',
				kept: false,
				addresses: ['https://a.example/onnx/data/part%201.bin']
			},
			RECORD.parts[3]
		]);
		expect(withExternal(RECORD.parts, weights, [])).toEqual(RECORD.parts.slice(0, 3));
	});

	test('out of the way is refused', () => {
		for (const location of ['../secret', 'https://evil.example/x', '/etc/passwd', ''])
			expect(refusal(() => withExternal(RECORD.parts, weights, [location]))).toBe('model-unsupported');
		expect(
			refusal(() =>
				withExternal(
					RECORD.parts,
					weights,
					Array.from({ length: 65 }, (_, i) => `x${i}`)
				)
			)
		).toBe('model-unsupported');
	});
});

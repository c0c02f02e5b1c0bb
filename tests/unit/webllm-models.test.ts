/** The list of WebLLM's models against the installed package, and the order in which a device is offered them. */
import { readFileSync } from 'node:fs';
import { ModelType, modelVersion, prebuiltAppConfig } from '@mlc-ai/web-llm';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { factsOf, requireAdapter, type AdapterFacts } from '#lib/engine/webllm-adapter.ts';
import { chooseWebllm, licenceOf, webllmModel, webllmRows, type Surroundings } from '#lib/engine/webllm-models.ts';
import { codeOf } from '#lib/protocol/errors.ts';
import { LIBRARY } from '#workers/webllm/core.ts';
import { rowOf } from '../../scripts/webllm-models.ts';

const GIB = 2 ** 30;
const ADAPTER: AdapterFacts = {
	name: 'test',
	software: false,
	f16: true,
	subgroups: true,
	features: ['shader-f16', 'subgroups'],
	maxBufferBytes: GIB,
	maxBindingBytes: GIB,
	workgroupStorageBytes: 32_768,
	storageBuffersPerStage: 10
};
const around = (change: Partial<Surroundings> = {}): Surroundings => ({
	adapter: ADAPTER,
	room: undefined,
	memoryBytes: undefined,
	bytesPerSecond: undefined,
	...change
});
const rows = await webllmRows();

describe('the list', () => {
	test('is the installed package’s', () => {
		expect(rows).toEqual(prebuiltAppConfig.model_list.map(rowOf));
		expect(ModelType.LLM).toBe(0);
		const installed = JSON.parse(readFileSync('node_modules/@mlc-ai/web-llm/package.json', 'utf8')) as Record<
			string,
			string
		>;
		expect(LIBRARY).toBe(`${installed['name']} ${installed['version']}`);
		expect(installed['license']).toBe('Apache-2.0');
		for (const { library } of rows) expect(library).toContain(modelVersion);
	});

	test('becomes a load that trusts nothing it has no hash of', () => {
		const row = rows.find(({ id }) => id === 'SmolLM2-360M-Instruct-q4f16_1-MLC');
		expect(row && webllmModel(row, undefined)).toMatchObject({
			mirrors: [expect.stringMatching(/SmolLM2-360M-Instruct-q4f16_1-MLC\/resolve\/main\/$/)],
			features: ['shader-f16'],
			licence: 'Apache-2.0',
			list: undefined
		});
		expect(licenceOf('something-new')).toBeUndefined();
	});
});

describe('the order', () => {
	const ids = (surroundings: Surroundings) =>
		chooseWebllm(rows, surroundings)
			.filter(({ fit }) => fit.fits)
			.map(({ row }) => row.id);
	const why = (surroundings: Surroundings) =>
		new Set(chooseWebllm(rows, surroundings).map(({ fit }) => (fit.fits ? 'fits' : fit.why)));

	test('puts nothing first that does not fit, and says why', () => {
		expect(why(around({ adapter: undefined }))).toEqual(new Set(['no-graphics', 'model-unsupported']));
		expect(why(around({ adapter: { ...ADAPTER, software: true } }))).toEqual(
			new Set(['no-graphics', 'model-unsupported'])
		);
		expect(ids(around({ adapter: { ...ADAPTER, f16: false } })).some((id) => id.includes('f16'))).toBe(false);
		expect(why(around({ room: GIB }))).toContain('storage-full');
		expect(why(around({ memoryBytes: GIB }))).toContain('out-of-memory');
	});

	test('offers the largest that is fast enough, in the precision that takes less room', () => {
		const fast = ids(around({ memoryBytes: 6 * GIB, bytesPerSecond: 100 * GIB }));
		expect(fast[0]).toMatch(/q4f16/);
		const slow = chooseWebllm(rows, around({ memoryBytes: 6 * GIB, bytesPerSecond: 10 * GIB }));
		expect(slow[0]?.tokensPerSecond).toBeGreaterThanOrEqual(7);
		const sizes = new Map(rows.map(({ id, memoryBytes }) => [id, memoryBytes]));
		expect(sizes.get(slow[0]?.row.id ?? '')).toBeLessThan(sizes.get(fast[0] ?? '') ?? 0);
	});

	test('holds every chat model once, whatever the device', () => {
		const chats = rows
			.filter(({ kind }) => kind === 'chat')
			.map(({ id }) => id)
			.sort();
		const bytes = fc.option(fc.double({ min: 0, max: 1e12, noNaN: true }), { nil: undefined });
		const device = fc.record({
			adapter: fc.option(
				fc.record({ f16: fc.boolean(), software: fc.boolean(), maxBufferBytes: fc.nat(2 ** 31 - 1) }),
				{ nil: undefined }
			),
			room: bytes,
			memoryBytes: bytes,
			bytesPerSecond: bytes
		});
		fc.assert(
			fc.property(device, ({ adapter, ...rest }) => {
				const chosen = chooseWebllm(rows, { adapter: adapter && { ...ADAPTER, ...adapter }, ...rest });
				expect(chosen.map(({ row }) => row.id).sort()).toEqual(chats);
				const fits = chosen.map(({ fit }) => fit.fits);
				expect(fits).toEqual([...fits].sort((a, b) => Number(b) - Number(a)));
			}),
			{ numRuns: 50 }
		);
	});
});

describe('an adapter', () => {
	const limits = {
		maxBufferSize: GIB,
		maxStorageBufferBindingSize: GIB,
		maxComputeWorkgroupStorageSize: 32_768,
		maxStorageBuffersPerShaderStage: 10
	} as GPUSupportedLimits;
	const seen = (info: object, features: string[] = []) =>
		factsOf({ info: info as GPUAdapterInfo, features: new Set(features), limits });

	test.each([
		[{ vendor: 'google', architecture: 'swiftshader' }, true],
		[{ vendor: 'mesa', description: 'llvmpipe (LLVM 19)' }, true],
		[{ vendor: 'microsoft', description: 'Microsoft Basic Render Driver' }, true],
		[{ vendor: 'apple', isFallbackAdapter: true }, true],
		[{ vendor: 'nvidia', architecture: 'hopper' }, false],
		[{ vendor: 'apple', architecture: 'metal-3' }, false]
	])('%o is software: %s', (info, software) => expect(seen(info).software).toBe(software));

	test('is refused when it is software, too small or without a feature', () => {
		const refused = (work: () => unknown) => {
			try {
				work();
			} catch (error) {
				return codeOf(error);
			}
			return 'accepted';
		};
		expect(refused(() => requireAdapter(undefined, [], true))).toBe('no-graphics');
		expect(refused(() => requireAdapter({ ...ADAPTER, software: true }, [], false))).toBe('no-graphics');
		expect(refused(() => requireAdapter({ ...ADAPTER, software: true }, [], true))).toBe('accepted');
		expect(refused(() => requireAdapter(seen({ vendor: 'x' }), ['shader-f16'], false))).toBe('no-graphics');
		expect(refused(() => requireAdapter({ ...ADAPTER, maxBufferBytes: 2 ** 27 }, [], false))).toBe('no-graphics');
	});
});

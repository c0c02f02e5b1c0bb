/**
 * The real CPU engine in Node, without a worker: the same core as in the browser, with files from the disk. Tests, the bench's server and
 * the end-to-end fixtures use it. `spoil` plants faults.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import { POCKET } from '#lib/engine/pocket.ts';
import type { Engine, EngineReady } from '#lib/ports/engine.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import { openCore } from '#workers/cpu/core.ts';
import { wanted, type Bytes } from '#workers/cpu/files.ts';
import type { FileName, RecordedModel } from '#workers/messages.ts';
import type { Core } from '#workers/serve.ts';
import { readReference, REFERENCE_FILES } from '../vectors/pocket-reference.make.ts';

const root = new URL('../../', import.meta.url);

/** The files of the pocket model and the library; nothing else is given by default. */
export type PocketFile = Exclude<FileName, 'template'> | 'runtime';
export type PocketBytes = Record<PocketFile, Bytes> & { external: readonly Bytes[]; template?: Bytes };

const PLACES: Readonly<Record<PocketFile, URL>> = {
	runtime: new URL('node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.wasm', root),
	weights: new URL('models/pocket/model_q4.onnx', root),
	tokenizer: new URL('models/pocket/tokenizer.json', root),
	tokenizerConfig: new URL('models/pocket/tokenizer_config.json', root),
	reference: REFERENCE_FILES.q4
};

export interface OrtNodeInit {
	/** `q4` is what the app ships. */
	readonly weights: 'q4' | 'fp32';
	/** Changes the bytes before they are looked at. */
	readonly spoil?: (bytes: PocketBytes) => void;
	/** Replaces the record, for models that a test made up. */
	readonly record?: RecordedModel;
}

/** Bytes and record of one of the two weight files, as a load would get them. */
export async function pocketOnDisk(weights: 'q4' | 'fp32'): Promise<{ bytes: PocketBytes; record: RecordedModel }> {
	const names = Object.keys(PLACES) as PocketFile[];
	const read = async (url: URL) => new Uint8Array(await readFile(url));
	const files = await Promise.all(names.map(async (name) => [name, await read(PLACES[name])] as const));
	const bytes: PocketBytes = { ...(Object.fromEntries(files) as Record<PocketFile, Bytes>), external: [] };
	if (weights === 'q4') return { bytes, record: POCKET };
	bytes.weights = await read(new URL('models/pocket/model_fp32.onnx', root));
	bytes.reference = readReference('fp32');
	const recorded = (file: Uint8Array) => ({
		sha256: createHash('sha256').update(file).digest('hex'),
		bytes: file.length
	});
	const recordedFiles = { ...POCKET.files, weights: recorded(bytes.weights), reference: recorded(bytes.reference) };
	return { bytes, record: { ...POCKET, id: 'pocket-5m-fp32', precision: 'fp32', files: recordedFiles } };
}

/** An Engine over the core in this very process. */
export function ortNode({ weights, spoil, record: given }: OrtNodeInit): Engine {
	let state: Engine['state'] = 'idle';
	let loading: Promise<EngineReady> | undefined;
	let core: Core | undefined;
	let unloading = new AbortController();
	const loaded = () => {
		if (core === undefined) throw new Refusal('engine-not-ready');
		return core;
	};
	async function open(onProgress: Parameters<Engine['load']>[0], signal: AbortSignal): Promise<EngineReady> {
		const started = performance.now();
		const onDisk = await pocketOnDisk(weights);
		const record = given ?? onDisk.record;
		const bytes = { ...onDisk.bytes };
		spoil?.(bytes);
		const totalBytes = wanted(record).reduce((sum, { file }) => sum + file.bytes, bytes.runtime.length);
		const report = (stage: 'fetching' | 'preparing' | 'checking') =>
			onProgress({
				stage,
				loadedBytes: totalBytes,
				totalBytes,
				bytesPerSecond: undefined,
				secondsLeft: undefined
			});
		report('fetching');
		if (signal.aborted) throw new Refusal('aborted');
		report('preparing');
		const opened = await openCore(bytes, record, {
			threads: 1,
			monotonic: () => performance.now(),
			breathe: () => setImmediate(),
			onChecking: () => report('checking')
		});
		if (signal.aborted) {
			await opened.close();
			throw new Refusal('aborted');
		}
		core = opened;
		return { ...core.ready, loadMs: performance.now() - started };
	}
	return {
		id: given?.id ?? (weights === 'q4' ? POCKET.id : 'pocket-5m-fp32'),
		get state() {
			return state;
		},
		async load(onProgress, signal) {
			if (signal.aborted) throw new Refusal('aborted');
			if (loading === undefined) {
				state = 'loading';
				const mine = (loading = open(
					onProgress,
					AbortSignal.any([signal, (unloading = new AbortController()).signal])
				));
				mine.then(
					() => (state = 'ready'),
					(error: unknown) => {
						if (loading !== mine) return;
						state = error instanceof Refusal && error.code === 'aborted' ? 'idle' : 'failed';
						loading = undefined;
					}
				);
			}
			return loading;
		},
		async *generate(request, signal) {
			const running = loaded();
			if (state === 'busy') throw new Refusal('engine-busy');
			state = 'busy';
			try {
				return yield* running.generate(request, signal);
			} finally {
				state = core === undefined ? 'idle' : 'ready';
			}
		},
		logits: async (tokens, signal) => loaded().logits(tokens, signal),
		countTokens: async (turns) => loaded().countTokens(turns),
		async unload() {
			const closing = core;
			unloading.abort();
			core = undefined;
			loading = undefined;
			state = 'idle';
			await closing?.close();
		}
	};
}

/** One load: what the adapter allows, the small files, whether there is room, the large files, then the package. Each step can only refuse. */
import { Refusal } from '#lib/protocol/errors.ts';
import { lookAtAdapter, requireAdapter } from '#lib/engine/webllm-adapter.ts';
import { digest } from '../cpu/digest.ts';
import { webllmShelf, type WebllmLoad, type WebllmModel, type WorkerProgress } from '../messages.ts';
import type { Core } from '../serve.ts';
import { openChat } from './chat.ts';
import { LIBRARY_ADDRESS, MODEL_FOLDER, openCore } from './core.ts';
import { closeDoors } from './doors.ts';
import { CONFIG_FILE, parseChatConfig, parseTensorCache, TENSORS_FILE, TOKENIZER_FILE } from './manifest.ts';
import { watchDevices } from './refusals.ts';
import { openFirstUse, openShelf, type Ledger } from './shelf.ts';
import { openFiles, type Files, type Wanted } from './shards.ts';

/** Name of the library in the ledger and on the shelf; no file of a model's folder may begin with a slash. */
export const LIBRARY_NAME = '/library.wasm';
/** Tokenizers have up to 35 MB, tensor lists 1 MB, libraries 10 MB. */
const MOST_SMALL_BYTES = 64 * 2 ** 20;
/** One server gives little more to several downloads, and each holds a shard in memory. */
const PARALLEL = 2;

export interface OpenComponents {
	/** The worker's global scope. */
	readonly scope: typeof globalThis;
	monotonic(): number;
	breathe(): Promise<void>;
}

/** Opens what the page asked for. Refusals: see docs/spec/webllm.md. */
export async function openWebllm(
	{ model, softwareAllowed, stallMs }: WebllmLoad,
	onProgress: (progress: WorkerProgress) => void,
	{ scope, monotonic, breathe }: OpenComponents
): Promise<Core> {
	const gpu = (scope.navigator as Navigator & { gpu?: GPU }).gpu;
	const adapter = requireAdapter(await lookAtAdapter(gpu), model.features, softwareAllowed);
	const { caches, fetch } = scope;
	const shelf = await openShelf(caches, webllmShelf(model.id));
	const ledger = model.list === undefined ? await openFirstUse(caches, model.id) : listed(model);
	const progress = counted(onProgress);
	const files = openFiles({
		shelf,
		ledger,
		recorded: model.list !== undefined,
		// The worker's own name for it is closed below.
		fetch: (...request) => fetch.apply(scope, request),
		stallMs,
		onBytes: progress.here
	});

	const inFolder = (name: string, bytes: number | undefined): Wanted => ({
		name,
		addresses: model.mirrors.map((mirror) => new URL(name, mirror).href),
		bytes,
		most: bytes ?? MOST_SMALL_BYTES
	});
	const library: Wanted = {
		name: LIBRARY_NAME,
		addresses: model.libraries,
		bytes: undefined,
		most: MOST_SMALL_BYTES
	};
	// These three say whether the model can run here at all, so they come before anything large.
	const config = parseChatConfig(await files.take(inFolder(CONFIG_FILE, undefined)));
	const shards = parseTensorCache(await files.take(inFolder(TENSORS_FILE, undefined)));
	const tokenizer = await files.take(inFolder(TOKENIZER_FILE, undefined));
	const chat = openChat(config, tokenizer);

	const large = [library, ...shards.map(({ path, bytes }) => inFolder(path, bytes))];
	const small = [CONFIG_FILE, TENSORS_FILE, TOKENIZER_FILE].map((name) => inFolder(name, undefined));
	const sizeOf = ({ name, bytes }: Wanted) => ledger.get(name)?.bytes ?? bytes ?? 0;
	progress.expect([...small, ...large].reduce((sum, wanted) => sum + sizeOf(wanted), 0));
	await fill(files, large, sizeOf, scope.navigator, progress.here);
	progress.stage('preparing');

	const wanted = new Map([...small, ...large].map((each) => [addressOf(each.name), each]));
	// Called last, when nothing of ours needs the names any more.
	const doors = closeDoors(scope, new Set(wanted.keys()), (address) => files.take(wanted.get(address) as Wanted));
	const hashOf = (name: string) => ledger.get(name)?.sha256 ?? '';
	return openCore(
		{
			model,
			config,
			chat,
			hashes: {
				library: hashOf(LIBRARY_NAME),
				tokenizer: await digest(tokenizer),
				weights: await weightsHash([TENSORS_FILE, ...shards.map(({ path }) => path)], hashOf)
			},
			contextTokens: Math.min(model.contextTokens ?? config.contextTokens, config.contextTokens),
			device: { threads: 1, adapter: adapter.name, f16: adapter.f16, subgroups: adapter.subgroups }
		},
		{
			fate: watchDevices(scope.GPUAdapter.prototype, scope.GPUOutOfMemoryError),
			readFailure: () => doors.failure,
			monotonic,
			breathe,
			onChecking: () => progress.stage('checking')
		}
	);
}

/** Fetches what is not kept. Kept files are hashed when the package takes them, not now: every byte is hashed once per load. */
async function fill(
	files: Files,
	wanted: readonly Wanted[],
	sizeOf: (wanted: Wanted) => number,
	{ storage }: Navigator,
	here: (name: string, bytes: number) => void
): Promise<void> {
	const missing: Wanted[] = [];
	for (const each of wanted) {
		if (await files.kept(each)) here(each.name, sizeOf(each));
		else missing.push(each);
	}
	const need = missing.reduce((sum, each) => sum + sizeOf(each), 0);
	const { quota, usage = 0 } = await storage.estimate().catch(() => ({ quota: undefined, usage: 0 }));
	if (quota !== undefined && need > quota - usage) throw new Refusal('storage-full', `${need} bytes are needed`);
	const lane = async () => {
		for (let next = missing.shift(); next !== undefined; next = missing.shift()) {
			// One that fails ends the load; the other lane must not go on fetching gigabytes.
			await files.take(next).catch((error: unknown) => {
				missing.length = 0;
				throw error;
			});
		}
	};
	await Promise.all(Array.from({ length: PARALLEL }, lane));
}

function addressOf(name: string): string {
	return name === LIBRARY_NAME ? LIBRARY_ADDRESS : new URL(name, MODEL_FOLDER).href;
}

/** The recorded hashes as a ledger that nothing can be added to. */
function listed({ list }: WebllmModel): Ledger {
	return {
		get: (name) =>
			name === LIBRARY_NAME ? list?.library : Object.hasOwn(list?.files ?? {}, name) ? list?.files[name] : undefined,
		note: (name) => Promise.reject(new Refusal('model-unsupported', `${name} is in no list`))
	};
}

/** One hash for many files: over their names and hashes, in the order of the tensor list. */
function weightsHash(names: readonly string[], hashOf: (name: string) => string): Promise<Uint8Array> {
	const lines = ['fireweed/webllm-weights/1', ...names.map((name) => `${name} ${hashOf(name)}`)];
	return digest(new TextEncoder().encode(lines.join('\n')));
}

/** Bytes per file to progress in all. */
function counted(onProgress: (progress: WorkerProgress) => void) {
	const held = new Map<string, number>();
	let totalBytes: number | undefined;
	let stage: WorkerProgress['stage'] = 'fetching';
	const report = () => {
		const loadedBytes = [...held.values()].reduce((sum, bytes) => sum + bytes, 0);
		// At first use the library's length is known only when it is here.
		onProgress({ stage, loadedBytes, totalBytes: totalBytes && Math.max(totalBytes, loadedBytes) });
	};
	report();
	return {
		here(name: string, bytes: number) {
			const before = held.get(name) ?? 0;
			held.set(name, bytes);
			// Some hundred reports for a gigabyte; always when a file begins anew or is whole.
			if (stage === 'fetching' && (bytes < before || crosses(before, bytes))) report();
		},
		expect(bytes: number) {
			totalBytes = bytes;
			report();
		},
		stage(next: WorkerProgress['stage']) {
			stage = next;
			report();
		}
	};
}

const REPORT_EVERY_BYTES = 2 ** 20;

function crosses(before: number, after: number): boolean {
	return Math.floor(before / REPORT_EVERY_BYTES) !== Math.floor(after / REPORT_EVERY_BYTES);
}

/** The CPU engine's worker: brings the files and opens workers/cpu/core. The page's side is src/lib/engine/cpu.ts. */
// Named here and not by the page: the library names this file too, and one build puts it out once. Two builds would each ship 14 MB.
import runtime from 'onnxruntime-web/ort-wasm-simd-threaded.wasm?url';
import { RUNTIME } from '#lib/engine/runtime.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import { openCore } from './cpu/core.ts';
import { download, downloadFile } from './cpu/download.ts';
import { gathered, wanted } from './cpu/files.ts';
import { readKept } from './cpu/kept.ts';
import type { CpuLoad, WorkerProgress } from './messages.ts';
import { breather, serve, type OpenCore } from './serve.ts';

/** Bytes between two reports of progress: some 80 reports for the 19 MB of the pocket model and its library. */
const REPORT_EVERY_BYTES = 256 * 1024;

const breathe = breather();

// The library starts its threads with this very script, under this name; they must not take themselves for engines.
const isThread = self.name.startsWith('em-pthread');

const open: OpenCore<CpuLoad> = async ({ model, source, threads }, onProgress) => {
	const totalBytes = wanted(model).reduce((sum, { file }) => sum + file.bytes, RUNTIME.bytes);
	const report = (stage: WorkerProgress['stage'], loadedBytes = totalBytes) =>
		onProgress({ stage, loadedBytes, totalBytes });
	const attempt = async (cache: RequestCache) => {
		const count = counter(totalBytes, (loadedBytes) => report('fetching', loadedBytes));
		const [library, came] = await Promise.all([
			downloadFile('runtime', runtime, RUNTIME, cache, count),
			source.kind === 'kept' ? readKept(model, source.folder, count) : download(model, source.addresses, cache, count)
		]);
		report('preparing');
		const onChecking = () => report('checking');
		const monotonic = () => performance.now();
		return openCore(gathered(library, came), model, { threads, monotonic, breathe, onChecking });
	};
	return attempt('default').catch((error: unknown) => {
		// A damaged copy stays in the HTTP cache and would come again: ask the server once more, past the cache. A kept file would be the same.
		const corrupt = error instanceof Refusal && error.code === 'weights-corrupt';
		if (corrupt && (source.kind === 'addresses' || error.message.includes('(runtime'))) return attempt('reload');
		throw error;
	});
};

if (!isThread) serve(open);

/** Adds up bytes and tells of the sum now and then, at the first and at the last. */
function counter(totalBytes: number, tell: (loadedBytes: number) => void): (bytes: number) => void {
	let loaded = 0;
	let told = 0;
	tell(0);
	return (bytes) => {
		loaded += bytes;
		if (loaded - told < REPORT_EVERY_BYTES && loaded < totalBytes) return;
		told = loaded;
		tell(loaded);
	};
}

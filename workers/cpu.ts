/** The CPU engine's worker: fetches the files and opens workers/cpu/core. The page's side is src/lib/engine/cpu.ts. */
// Named here and not by the page: the library names this file too, and one build puts it out once. Two builds would each ship 14 MB.
import runtime from 'onnxruntime-web/ort-wasm-simd-threaded.wasm?url';
import { Refusal } from '#lib/protocol/errors.ts';
import { openCore } from './cpu/core.ts';
import { download } from './cpu/download.ts';
import type { CpuLoad } from './messages.ts';
import { breather, serve } from './serve.ts';

const breathe = breather();

serve<CpuLoad>(async ({ model, addresses }, onProgress) => {
	const totalBytes = Object.values(model.files).reduce((sum, file) => sum + file.bytes, 0);
	const attempt = async (cache: RequestCache) => {
		const bytes = await download(model, { ...addresses, runtime }, cache, onProgress);
		onProgress({ stage: 'preparing', loadedBytes: totalBytes, totalBytes });
		const onChecking = () => onProgress({ stage: 'checking', loadedBytes: totalBytes, totalBytes });
		return openCore(bytes, model, { monotonic: () => performance.now(), breathe, onChecking });
	};
	return attempt('default').catch((error: unknown) => {
		// A damaged copy stays in the HTTP cache and would come again: ask the server once more, past the cache.
		if (error instanceof Refusal && error.code === 'weights-corrupt') return attempt('reload');
		throw error;
	});
});

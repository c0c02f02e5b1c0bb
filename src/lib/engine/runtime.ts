/**
 * The library that computes, as this app was released with it: onnxruntime-web 1.30.0, dist/ort-wasm-simd-threaded.wasm, the CPU build. It is
 * no file of any model; it is verified at every load and stands in the engine hash. tests/unit/engine-core.test.ts compares it with what
 * is installed.
 */
import type { RecordedFile } from '#workers/messages.ts';

export const RUNTIME: RecordedFile = {
	sha256: '3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2',
	bytes: 14239897
};

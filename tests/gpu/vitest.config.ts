import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** Tests that need a graphics device and a model that was compiled for it; run by hand with MLC_MODEL_URL. */
export default defineConfig({
	root: fileURLToPath(new URL('../..', import.meta.url)),
	test: {
		include: ['tests/gpu/**/*.gpu.test.ts'],
		environment: 'node',
		// One device.
		maxWorkers: 1,
		fileParallelism: false,
		testTimeout: 900_000,
		hookTimeout: 900_000
	}
});

import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** Tests that need real browsers side by side and no app around them: each file starts its own Chromium. */
export default defineConfig({
	root: fileURLToPath(new URL('../..', import.meta.url)),
	test: {
		include: ['tests/interop/**/*.browser.test.ts'],
		environment: 'node',
		// Two cores: browsers beside each other would measure each other.
		maxWorkers: 1,
		fileParallelism: false,
		testTimeout: 60_000,
		hookTimeout: 120_000
	}
});

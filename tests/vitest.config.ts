import { svelte } from '@sveltejs/vite-plugin-svelte';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { messages } from '../scripts/messages.ts';

/** Tests that run in Node. A test's suffix names its machine: `.browser.test.ts` and `.e2e.ts` run in Chromium instead. */
export default defineConfig({
	root: fileURLToPath(new URL('..', import.meta.url)),
	// Compiles the catalogues, and the runes of *.svelte.ts views; nothing else of SvelteKit is needed here.
	plugins: [messages(), svelte()],
	test: {
		include: ['tests/**/*.test.ts'],
		exclude: ['tests/**/*.browser.test.ts', 'tests/**/*.gpu.test.ts', 'tests/full/**'],
		environment: 'node',
		// Tests say where chance and time come from; a test that depends on the order of files is a broken test.
		sequence: { shuffle: { files: true, tests: false } },
		maxWorkers: 2,
		// No module keeps state (tests/house.test.ts), so files may share what they import: a sixth of the time.
		isolate: false,
		setupFiles: ['tests/fresh.ts'],
		testTimeout: 20_000,
		passWithNoTests: false
	}
});

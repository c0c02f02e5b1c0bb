import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** Files whose tests watch the clock: browsers beside each other would measure each other. */
const TIMED = 'tests/interop/mesh.browser.test.ts';

/** Tests that need real browsers side by side and no app around them: each file starts its own Chromium. */
export default defineConfig({
	root: fileURLToPath(new URL('../..', import.meta.url)),
	test: {
		environment: 'node',
		testTimeout: 60_000,
		hookTimeout: 120_000,
		projects: [
			{
				extends: true,
				test: {
					name: 'ports',
					include: ['tests/interop/**/*.browser.test.ts'],
					exclude: [TIMED],
					maxWorkers: 2,
					sequence: { groupOrder: 0 }
				}
			},
			{
				extends: true,
				test: { name: 'mesh', include: [TIMED], maxWorkers: 1, fileParallelism: false, sequence: { groupOrder: 1 } }
			}
		]
	}
});

import { defineConfig } from 'playwright/test';
import base from '../e2e/playwright.config.ts';

/** Files in which executors are lost: a machine that does more beside them would lose some by itself. */
const TOGETHER = /\/(failover|reattach)\.e2e\.ts$/;

/** Slower truth: the same browser and rules, the tests of this folder. */
export default defineConfig({
	...base,
	testDir: '.',
	outputDir: '../../test-results/full',
	projects: [
		{ name: 'screens', testMatch: '**/*.e2e.ts', testIgnore: TOGETHER, workers: 2 },
		{ name: 'together', testMatch: TOGETHER, workers: 1, dependencies: ['screens'] }
	]
});

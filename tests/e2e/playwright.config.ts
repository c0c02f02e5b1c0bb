import { defineConfig } from 'playwright/test';
import { findChromium, LAUNCH_FLAGS } from '../../scripts/chromium.mjs';

/** Every name but this machine's leads nowhere, whoever asks: page, service worker, or the browser itself. */
const NOWHERE_ELSE = '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost, EXCLUDE *.localhost';

/** Files that look at the clock. */
const TOGETHER = /\/(walk|start)\.e2e\.ts$/;

/** End-to-end tests: the built app in a real Chromium, nothing outside this machine. */
export default defineConfig({
	testDir: '.',
	outputDir: '../../test-results/e2e',
	workers: 2,
	fullyParallel: false,
	// Two cores: where the clock is looked at, nothing runs beside it, or it would measure that.
	projects: [
		{ name: 'screens', testMatch: '**/*.e2e.ts', testIgnore: TOGETHER, workers: 2 },
		{ name: 'together', testMatch: TOGETHER, workers: 1, dependencies: ['screens'] }
	],
	retries: 0,
	forbidOnly: true,
	timeout: 60_000,
	expect: { timeout: 10_000 },
	use: {
		launchOptions: { executablePath: findChromium({ install: false }), args: [...LAUNCH_FLAGS, NOWHERE_ELSE] },
		serviceWorkers: 'allow'
	}
});

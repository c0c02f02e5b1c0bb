import { defineConfig } from 'playwright/test';
import { findChromium, LAUNCH_FLAGS } from '../../scripts/chromium.mjs';

/** Every name but this machine's leads nowhere, whoever asks: page, service worker, or the browser itself. */
const NOWHERE_ELSE = '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost, EXCLUDE *.localhost';

/** End-to-end tests: the built app in a real Chromium, nothing outside this machine. */
export default defineConfig({
	testDir: '.',
	testMatch: '**/*.e2e.ts',
	outputDir: '../../test-results/e2e',
	// Two cores: tabs that run a model beside each other would measure each other.
	workers: 1,
	fullyParallel: false,
	retries: 0,
	forbidOnly: true,
	timeout: 60_000,
	expect: { timeout: 10_000 },
	use: {
		launchOptions: { executablePath: findChromium({ install: false }), args: [...LAUNCH_FLAGS, NOWHERE_ELSE] },
		serviceWorkers: 'allow'
	}
});

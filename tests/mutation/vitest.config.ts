import { defineConfig, mergeConfig } from 'vitest/config';
import ordinary from '../vitest.config.ts';

/** The unit tests as ever, one after the other, each also telling which mutants it would have run. */
export default mergeConfig(
	ordinary,
	defineConfig({
		test: {
			...{ setupFiles: ['tests/mutation/setup.ts'], maxWorkers: 1, reporters: ['dot'] },
			// What a file runs as it is imported, it runs: a mutant in it is that file's to notice.
			isolate: true,
			// Of its own: checkouts that share their packages would clear away each other's files in the middle of a run.
			fsModuleCachePath: '.fireweed/vitest-cache'
		}
	})
);

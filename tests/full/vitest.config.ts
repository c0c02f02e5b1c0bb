import { mergeConfig } from 'vitest/config';
import base from '../vitest.config.ts';

/** Slower truth in Node: the tests of this folder, and the verifier's violations in full numbers. */
export default mergeConfig(
	{ ...base, test: { ...base.test, include: [], exclude: [] } },
	{
		test: {
			include: ['tests/full/**/*.test.ts', 'tests/unit/release-violations.test.ts', 'tests/unit/directory.test.ts'],
			// Each of them starts programs of its own.
			maxWorkers: 1
		}
	}
);

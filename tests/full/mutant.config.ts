/** The unit tests of the verifier with one of its checks taken out: FIREWEED_CHECK names it, as `<file>#<number>` (verifier-checks.test.ts). */
import { defineConfig, mergeConfig } from 'vitest/config';
import base from '../vitest.config.ts';
import { withoutCheck } from './checks.ts';

const [file = '', number = ''] = (process.env['FIREWEED_CHECK'] ?? '').split('#');

export default mergeConfig(
	base,
	defineConfig({
		plugins: [
			{
				name: 'fireweed:without-a-check',
				enforce: 'pre',
				transform: (code, id) => (file !== '' && id.endsWith(file) ? withoutCheck(code, Number(number)) : undefined)
			}
		],
		// Its cache of modules knows nothing of what was taken out.
		test: { fsModuleCache: false, bail: 1 }
	})
);

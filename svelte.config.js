import adapter from '@sveltejs/adapter-static';
import { vitePreprocess } from '@sveltejs/vite-plugin-svelte';
import { readFileSync } from 'node:fs';
import { signDevelopment } from './scripts/release/development.ts';

const { version } = JSON.parse(readFileSync(new URL('./package.json', import.meta.url), 'utf8'));

/** The static adapter, and then the signed documents over what it wrote: the last thing a build does. */
function signed(inner) {
	return {
		...inner,
		async adapt(builder) {
			await inner.adapt(builder);
			await signDevelopment('build', version);
		}
	};
}

/** @type {import('@sveltejs/kit').Config} */
export default {
	preprocess: vitePreprocess(),
	kit: {
		adapter: signed(adapter({ pages: 'build', assets: 'build', strict: true })),
		// One page and `#/...` routes: the build works from any folder of any server, an IPFS path included.
		router: { type: 'hash' },
		paths: { relative: true },
		// Kit's default is the time of the build, which would change the CID of an unchanged app.
		version: { name: version },
		// src/lib/survival/shell.ts registers it and can say why it could not.
		serviceWorker: { register: false }
	}
};

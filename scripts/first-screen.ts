/**
 * Few files for the first screen: each costs a gateway a look-up of its own, and a browser that speaks HTTP/1.1 fetches six at a time.
 * Split by use, as Vite would, they were 26 scripts, half of them under 2 kB. Not one either: a slow phone compiles a file in one breath.
 */
import type { Plugin } from 'vite';

/** Bytes of source, before anything is made smaller: a part becomes about 100 kB, a third of that compressed. */
const PART = 260_000;

/** Which modules go together, first match first, each with everything it imports. */
const GROUPS = [
	{ name: 'runtime', test: /\/node_modules\/(svelte|@sveltejs)\/.*client/ },
	{ name: 'words', test: /\/language\/messages\/en\.json/ },
	{ name: 'first', test: /\/src\/routes\/\+(layout|page)\.svelte$/, maxSize: PART }
];

export function firstScreen(): Plugin {
	return {
		name: 'fireweed:first-screen',
		config: (_, { isSsrBuild }) =>
			isSsrBuild ? {} : { build: { rolldownOptions: { output: { codeSplitting: { groups: GROUPS } } } } }
	};
}

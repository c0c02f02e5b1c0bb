/**
 * Few files for the first screen: each costs a gateway a look-up of its own, and a browser that speaks HTTP/1.1 fetches six at a time.
 * Split by use, as Vite would, they were 26 scripts, half of them under 2 kB. Not one either: a slow phone compiles a file in one breath.
 */
import type { Plugin } from 'vite';

/**
 * Which modules go together: the first group that matches takes a module and everything it imports that is not taken yet. So no file needs a
 * later one, and no two need each other: a carried copy makes them one after the other (src/lib/survival/carried/boot.ts).
 */
const GROUPS = [
	{ name: 'runtime', test: /\/node_modules\/(svelte|@sveltejs)\/.*client/ },
	{ name: 'words', test: /\/language\/messages\/en\.json/ },
	{ name: 'shell', test: /\/src\/lib\/(survival\/shell|keys\/crypto)\.ts$/ },
	{ name: 'frame', test: /\/src\/routes\/\+layout\.svelte$/ },
	{ name: 'chat', test: /\/src\/routes\/\+page\.svelte$/ }
];

/** What a page needs at once: most of its functions are called as it opens. */
const AT_ONCE = /^(runtime|words|shell|frame|chat|tab|nodes\/.*)$/;
/**
 * First in a file, it tells V8 to compile all of it while it comes, beside the page's thread, and not function by function on that thread as
 * each is called (Explicit Compile Hints, Chromium from 136 on; https://v8.dev/blog/explicit-compile-hints). Elsewhere it is a comment.
 */
export const COMPILE_HINT = '//# allFunctionsCalledOnLoad\n';
const hint = ({ name }: { readonly name: string }) => (AT_ONCE.test(name) ? COMPILE_HINT.trim() : '');

/** The hint as the first line of `code` that holds it somewhere: Vite puts its list of files to preload before everything. */
export function hintFirst(code: string): string {
	return code.includes(COMPILE_HINT) ? COMPILE_HINT + code.replace(COMPILE_HINT, () => '') : code;
}

export function firstScreen(): Plugin {
	return {
		name: 'fireweed:first-screen',
		enforce: 'post',
		config: (_, { isSsrBuild }) =>
			isSsrBuild
				? {}
				: { build: { rolldownOptions: { output: { codeSplitting: { groups: GROUPS }, postBanner: hint } } } },
		generateBundle: {
			order: 'post',
			handler(_, bundle) {
				for (const made of Object.values(bundle)) if (made.type === 'chunk') made.code = hintFirst(made.code);
			}
		}
	};
}

import { sveltekit } from '@sveltejs/kit/vite';
import { SvelteKitPWA } from '@vite-pwa/sveltekit';
import { defineConfig } from 'vite';
import { mendShellPage, precacheList } from './scripts/shell-page.ts';

/** Above the largest file we ship (the wasm engine, 14 MB); workbox's own limit of 2 MiB would drop it without a word. */
const LARGEST_PRECACHED_BYTES = 64 * 1024 * 1024;

export default defineConfig({
	plugins: [
		mendShellPage(),
		sveltekit(),
		SvelteKitPWA({
			strategies: 'injectManifest',
			srcDir: 'src',
			filename: 'service-worker.ts',
			injectRegister: false,
			manifest: false,
			injectManifest: {
				globPatterns: ['client/**/*', 'prerendered/pages/index.html', 'client/*.webmanifest'],
				globIgnores: ['server/**', 'client/service-worker.js', 'client/.vite/**', 'client/directory.json'],
				maximumFileSizeToCacheInBytes: LARGEST_PRECACHED_BYTES,
				manifestTransforms: [precacheList]
			}
		})
	],
	assetsInclude: ['**/*.onnx'],
	build: {
		target: 'es2022',
		// Every asset is a file of its own: a data: URL would be copied into each chunk that names it, and the CSP refuses it for scripts.
		assetsInlineLimit: 0
	},
	worker: { format: 'es' },
	// The engine finds its .wasm beside itself; pre-bundling would move the script away from it.
	optimizeDeps: { exclude: ['onnxruntime-web'] }
});

import { sveltekit } from '@sveltejs/kit/vite';
import { SvelteKitPWA } from '@vite-pwa/sveltekit';
import { defineConfig } from 'vite';
import { firstScreen } from './scripts/first-screen.ts';
import { messages } from './scripts/messages.ts';
import { mendShellPage } from './scripts/shell-page.ts';

export default defineConfig({
	plugins: [
		mendShellPage(),
		messages(),
		firstScreen(),
		sveltekit(),
		SvelteKitPWA({
			strategies: 'injectManifest',
			srcDir: 'src',
			filename: 'service-worker.ts',
			injectRegister: false,
			manifest: false,
			injectManifest: {
				// The worker names no file: it takes the list from the signed release.
				injectionPoint: undefined as never
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

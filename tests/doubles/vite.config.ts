/** The app with a scripted tab behind its screens: `vite --config tests/doubles/vite.config.ts`. For looking and for screenshots. */
import { sveltekit } from '@sveltejs/kit/vite';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';
import { messages } from '../../scripts/messages.ts';

export default defineConfig({
	root: fileURLToPath(new URL('../..', import.meta.url)),
	plugins: [messages(), sveltekit()],
	resolve: { alias: { '#lib/tab.ts': fileURLToPath(new URL('./tab.ts', import.meta.url)) } },
	optimizeDeps: { exclude: ['onnxruntime-web'] },
	server: { fs: { allow: ['.'] } }
});

/** The WebLLM engine's worker. The page's side is src/lib/engine/webllm.ts; one load is workers/webllm/open.ts. */
import type { WebllmLoad } from './messages.ts';
import { breather, serve } from './serve.ts';
import { openWebllm } from './webllm/open.ts';

const breathe = breather();

serve<WebllmLoad>((request, onProgress) =>
	openWebllm(request, onProgress, { scope: globalThis, monotonic: () => performance.now(), breathe })
);

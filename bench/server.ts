/**
 * The plain server that the mesh is compared with, a process of its own: the same engine and weights, its tokens streamed over HTTP as
 * server-sent events, one a token. No auction, no signatures, no receipt. Prints its address as its first line; ends with its parent.
 */
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import process from 'node:process';
import { text } from 'node:stream/consumers';
import type { GenerateRequest } from '#lib/ports/engine.ts';
import { ortNode } from '../tests/doubles/ort-node.ts';
import type { Said } from './page/page.ts';

const never = new AbortController().signal;
const engine = ortNode({ weights: 'q4' });
await engine.load(() => undefined, never);

const server = createServer((request, response) => {
	const say = (said: Said) => response.write(`data: ${JSON.stringify(said)}\n\n`);
	void (async () => {
		const asked = JSON.parse(await text(request)) as Omit<GenerateRequest, 'continueFrom' | 'seed'>;
		response.writeHead(200, {
			'content-type': 'text/event-stream',
			'cache-control': 'no-store',
			// The page has another port.
			'access-control-allow-origin': '*'
		});
		response.flushHeaders();
		const steps = engine.generate({ ...asked, continueFrom: [], seed: new Uint8Array(randomBytes(32)) }, never);
		for (;;) {
			const next = await steps.next();
			if (next.done === true) {
				const { tokens, decodeMs, prefillMs } = next.value;
				say({ type: 'finished', engine: { tokens, decodeMs, prefillMs } });
				return response.end();
			}
			const { text, token, position } = next.value;
			say({ type: 'words', text, tokens: [token], position });
		}
	})().catch((error: unknown) => {
		console.error(error);
		response.destroy();
	});
});
// What Node's own server does by default, said here because it decides what is measured: each write leaves at once.
server.on('connection', (socket) => socket.setNoDelay(true));
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`));
process.on('disconnect', () => process.exit());

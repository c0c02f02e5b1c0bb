/** `GET /health`: the metrics as JSON, and `GET /manifest`: the relay's own signed statement, on its own port so that it can stay on loopback when the relay does not. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Refusal } from '#lib/protocol/errors.ts';
import type { Metrics } from './metrics.ts';

export interface Health {
	readonly url: string;
	stop(): Promise<void>;
}

/** Refusal `malformed` when the port is taken. */
export async function startHealth(
	host: string,
	port: number,
	metrics: () => Metrics,
	manifest: () => Promise<string>
): Promise<Health> {
	const server = createServer((request, response) => {
		if (request.url === '/manifest' && request.method === 'GET') {
			void manifest().then(
				(text) =>
					response.writeHead(200, { 'content-type': 'text/plain', 'cache-control': 'no-store' }).end(`${text}\n`),
				() => response.writeHead(500).end()
			);
			return;
		}
		const known = request.url === '/health';
		const allowed = request.method === 'GET' || request.method === 'HEAD';
		const status = !known ? 404 : !allowed ? 405 : 200;
		response.writeHead(status, {
			'content-type': 'application/json',
			'cache-control': 'no-store',
			'x-content-type-options': 'nosniff'
		});
		response.end(status === 200 ? `${JSON.stringify({ ok: true, ...metrics() })}\n` : '{"ok":false}\n');
	});
	await new Promise<void>((resolve, reject) => {
		server.once('error', (error) => {
			reject(new Refusal('malformed', `health cannot use TCP port ${String(port)}: ${error.message}`));
		});
		server.listen(port, host, resolve);
	});
	const { port: bound } = server.address() as AddressInfo;
	return {
		url: `http://${host.includes(':') ? `[${host}]` : host}:${String(bound)}/health`,
		stop: () =>
			new Promise((resolve) => {
				server.close(() => {
					resolve();
				});
				server.closeAllConnections();
			})
	};
}

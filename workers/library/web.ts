/** A repository on a server. */
import { Refusal } from '#lib/protocol/errors.ts';
import type { Place, Sight } from './place.ts';
import { ask, Broken, lengthOf, validatorOf, type Answer, type Asking, type World } from './request.ts';

/** Statuses by which servers say that there is no such file, some of them to people who are not logged in. */
const ABSENT = new Set([401, 403, 404, 410]);
/** They do not know HEAD. */
const UNKNOWN_METHOD = new Set([400, 405, 501]);

/** `folder` ends with a slash. Every request is tried twice. */
export function webPlace(folder: string, world: World, signal: AbortSignal): Place {
	// Not by URL resolution: a path of ours is never an address of its own.
	const addressOf = (path: string) => folder + path.split('/').map(encodeURIComponent).join('/');

	async function asked<T>(path: string, init: Asking, use: (answer: Answer) => Promise<T>): Promise<T | undefined> {
		for (let tries = 1; ; tries--) {
			try {
				const answer = await ask(world, addressOf(path), init, signal);
				try {
					if (ABSENT.has(answer.response.status) || isPage(answer.response)) return undefined;
					const headless = init.method === 'HEAD' && UNKNOWN_METHOD.has(answer.response.status);
					if (!answer.response.ok && !headless)
						throw new Refusal('engine-load-failed', `status ${answer.response.status}`);
					return await use(answer);
				} finally {
					answer.end();
				}
			} catch (error) {
				if (!(error instanceof Broken)) throw error;
				if (tries === 0) throw new Refusal('engine-load-failed', error.message);
			}
		}
	}

	const whole = (path: string, limit: number, cut: boolean) =>
		asked(path, { method: 'GET' }, async (answer) => {
			const bytes = await upTo(answer, limit + 1);
			if (bytes.length > limit && !cut) throw new Refusal('oversized', path);
			return new TextDecoder().decode(bytes.subarray(0, limit));
		});

	return {
		text: (path, limit) => whole(path, limit, false),
		opening: (path, limit) => whole(path, limit, true),
		async see(path): Promise<Sight | undefined> {
			const sight = async ({ response }: Answer) => ({
				bytes: response.ok ? lengthOf(response, 0) : undefined,
				validator: validatorOf(response)
			});
			const seen = await asked(path, { method: 'HEAD', from: 0 }, sight);
			if (seen === undefined || seen.bytes !== undefined) return seen;
			// The body of the second question is not read.
			return asked(path, { method: 'GET', from: 0 }, sight);
		},
		async read(path, at, length) {
			const bytes = await asked(path, { method: 'GET', from: at, to: at + length - 1 }, async (answer) => {
				if (answer.response.status !== 206 && at > 0)
					throw new Refusal('oversized', 'the server gives whole files only');
				return upTo(answer, length);
			});
			if (bytes === undefined) throw new Refusal('engine-load-failed', `${path} is gone`);
			return bytes.slice(0, length);
		},
		address: addressOf,
		near: false,
		weights: undefined
	};
}

/** An app's server answers every path with its own page. None of the files here is one. */
function isPage({ ok, headers }: Response): boolean {
	return ok && /^text\/html\b/i.test(headers.get('content-type') ?? '');
}

async function upTo(answer: Answer, limit: number): Promise<Uint8Array<ArrayBuffer>> {
	const chunks: Uint8Array[] = [];
	let length = 0;
	while (length < limit) {
		const chunk = await answer.next();
		if (chunk === undefined) break;
		chunks.push(chunk);
		length += chunk.length;
	}
	const bytes = new Uint8Array(length);
	let at = 0;
	for (const chunk of chunks) {
		bytes.set(chunk, at);
		at += chunk.length;
	}
	return bytes;
}

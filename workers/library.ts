/** The library's worker: fetches models into the origin private file system. The page's side is src/lib/engine/library. */
import * as Comlink from 'comlink';
import { Refusal } from '#lib/protocol/errors.ts';
import { LIBRARY_CHANNEL, type LibraryNews, type LibraryWorker } from '#lib/engine/library/calls.ts';
import { answer } from './library/answer.ts';
import { openCabinet } from './library/folder.ts';
import { openLibrary } from './library/library.ts';
import { breather } from './serve.ts';

const channel = new BroadcastChannel(LIBRARY_CHANNEL);

const library = openLibrary({
	cabinet: openCabinet(() => navigator.storage.getDirectory(), locks()),
	locks: locks(),
	channel: {
		tell: (news) => channel.postMessage(news),
		listen(listener) {
			const hear = ({ data }: MessageEvent<LibraryNews>) => listener(data);
			channel.addEventListener('message', hear);
			return () => channel.removeEventListener('message', hear);
		}
	},
	world: { fetch: (address, init) => fetch(address, init), sleep, breathe: breather() }
});

Comlink.expose({
	hold: (name) =>
		new Promise((resolve) => {
			const forLife = () => {
				resolve();
				return new Promise(() => {});
			};
			// Refused where the browser keeps nothing for this site; the page's own request is refused then too.
			navigator.locks.request(name, forLife).catch(() => resolve());
		}),
	look: (address, options, port) => answer(port, (signal) => library.look(address, options, signal)),
	take: (files, options, port) => answer(port, (signal, report) => library.take(files, options, report, signal)),
	enter: (shelved, port) => answer(port, () => library.enter(shelved)),
	fetch: (folder, options, port) => answer(port, (signal, report) => library.fetch(folder, options, report, signal)),
	check: (folder, port) => answer(port, (signal) => library.check(folder, signal))
} satisfies LibraryWorker);

/** Missing in insecure contexts, together with the file system: then a look is all that works, and it needs no lock. */
function locks(): Pick<LockManager, 'request'> {
	const found = (navigator as Partial<typeof navigator>).locks;
	if (found !== undefined) return found;
	return { request: () => Promise.reject(new Refusal('storage-unavailable', 'no locks')) };
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
	return new Promise((resolve, reject) => {
		const stop = () => {
			clearTimeout(timer);
			reject(new Refusal('aborted'));
		};
		const timer = setTimeout(() => {
			signal.removeEventListener('abort', stop);
			resolve();
		}, ms);
		if (signal.aborted) stop();
		else signal.addEventListener('abort', stop, { once: true });
	});
}

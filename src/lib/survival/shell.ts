/**
 * Whether this page will open again without a server. Registers the service worker and says, at every step, where it stands.
 */
import type { ShellRegistration, ShellState } from '#lib/ports/shell.ts';

export type { ShellRegistration, ShellState };

/** The parts of the browser used here, handed in for tests. */
export interface ShellComponents {
	readonly isSecureContext: boolean;
	readonly serviceWorker: ServiceWorkerContainer | undefined;
	/** The page's folder, where service-worker.js lies. */
	readonly base: string;
	readonly reload: () => void;
}

/** How long after an unfinished fill the next one starts. */
const RETRY_AFTER_MS = 30_000;

/** Registers the worker beside this page and reports each change of state to `observe`, the present one at once. */
export function registerShell(
	observe: (state: ShellState) => void,
	components: ShellComponents = browser()
): ShellRegistration {
	const { isSecureContext, serviceWorker, base, reload } = components;
	const ended = new AbortController();
	const until = { signal: ended.signal };
	const report = (state: ShellState) => {
		if (!ended.signal.aborted) observe(state);
	};
	let retry: ReturnType<typeof setTimeout> | undefined;
	const registration: ShellRegistration = {
		stop() {
			ended.abort();
			clearTimeout(retry);
		}
	};

	if (!isSecureContext) {
		report({ kind: 'insecure-context' });
		return registration;
	}
	if (!serviceWorker) {
		report({ kind: 'unsupported' });
		return registration;
	}
	report({ kind: 'installing' });

	const waiting = (worker: ServiceWorker) =>
		report({
			kind: 'update-ready',
			apply() {
				serviceWorker.addEventListener('controllerchange', reload, { once: true });
				worker.postMessage({ fireweed: 'activate' });
			}
		});

	/** Asks the active worker to fetch what is missing, and asks again later while something is. */
	const complete = async (worker: ServiceWorker): Promise<void> => {
		const holding = await ask(worker, 'complete', ended.signal);
		if (ended.signal.aborted) return;
		if (holding && holding.have === holding.want) {
			report({ kind: 'ready' });
		} else {
			report({ kind: 'installing', ...holding });
			retry = setTimeout(() => void complete(worker), RETRY_AFTER_MS);
		}
	};

	const follow = (found: ServiceWorkerRegistration) => {
		if (found.waiting && found.active) waiting(found.waiting);
		else if (found.active) void complete(found.active);
		const watch = (worker: ServiceWorker | null) =>
			worker?.addEventListener(
				'statechange',
				() => {
					if (worker.state === 'installed' && found.active) waiting(worker);
					else if (worker.state === 'activated') void complete(worker);
					// An update that failed leaves the build that runs as it is; only a first install leaves nothing.
					else if (worker.state === 'redundant' && !found.active)
						report({ kind: 'blocked', why: 'the files did not all come' });
				},
				until
			);
		watch(found.installing);
		found.addEventListener('updatefound', () => watch(found.installing), until);
	};

	serviceWorker
		.register(new URL('service-worker.js', base), { scope: new URL('./', base).href, updateViaCache: 'none' })
		.then(
			follow,
			(error: unknown) =>
				// Offline, a page that is already served by its worker is as good as registered.
				void serviceWorker.getRegistration(base).then(
					(found) => (found?.active ? follow(found) : report({ kind: 'blocked', why: String(error) })),
					() => report({ kind: 'blocked', why: String(error) })
				)
		);
	return registration;
}

/** One question to the worker. The answer is checked here: a message comes from code that may be of another version. */
function ask(
	worker: ServiceWorker,
	question: 'complete',
	signal: AbortSignal
): Promise<{ have: number; want: number } | undefined> {
	return new Promise((resolve) => {
		const { port1, port2 } = new MessageChannel();
		const end = (answer?: { have: number; want: number }) => {
			port1.close();
			resolve(answer);
		};
		port1.onmessage = ({ data }: MessageEvent<{ have?: unknown; want?: unknown } | null>) => {
			const { have, want } = data ?? {};
			end(
				Number.isInteger(have) && Number.isInteger(want) ? { have: have as number, want: want as number } : undefined
			);
		};
		signal.addEventListener('abort', () => end(), { once: true });
		worker.postMessage({ fireweed: question }, [port2]);
	});
}

function browser(): ShellComponents {
	return {
		isSecureContext: globalThis.isSecureContext,
		serviceWorker: 'serviceWorker' in navigator ? navigator.serviceWorker : undefined,
		base: new URL('./', location.href).href,
		reload: () => location.reload()
	};
}

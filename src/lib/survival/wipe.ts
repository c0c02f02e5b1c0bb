/**
 * Deletes everything the app keeps in this browser: databases, caches, model files, what tabs remember, and the service worker. Runs in a page where
 * nothing else of the app does, after every other tab was told to leave (tidings.ts), so that nobody writes anew what was just deleted.
 *
 * Only what is ours goes: another site may live in another folder of the same origin.
 */

/** Folder of model files in the origin's private file system, as the engines name it (`KEPT_FOLDER` in workers/messages.ts; a test compares). */
export const MODEL_FOLDER = 'models';
/** How long other tabs may take to leave, and a database to be given up by them, in ms. A frozen tab never does. */
const WAIT_MS = 8_000;
const LOOK_EVERY_MS = 100;
/** How long a worker may take to stop writing, in ms. One that was stopped by the browser is started for the question. */
const ANSWER_MS = 3_000;

/** The parts of the browser used here, handed in for tests; undefined where it withholds them. */
export interface WipeComponents {
	/** Absolute address of the folder the app is served from. */
	readonly base: string;
	readonly indexedDB: IDBFactory | undefined;
	readonly caches: CacheStorage | undefined;
	readonly files: (() => Promise<FileSystemDirectoryHandle>) | undefined;
	readonly serviceWorker: Pick<ServiceWorkerContainer, 'getRegistrations'> | undefined;
	readonly locks: Pick<LockManager, 'query'> | undefined;
	/** `localStorage` and `sessionStorage`. */
	readonly storages: readonly Storage[];
	/** Tells the other tabs again to hold nothing. */
	readonly tellEnd: () => void;
	readonly sleep: (ms: number) => Promise<void>;
}

/** What is still there, in words a person can act on; empty when everything is gone. */
export type WipeReport = readonly string[];

/** Deletes, then looks. Never rejects. May be repeated. */
export async function wipe(components: WipeComponents): Promise<WipeReport> {
	components.tellEnd();
	await othersGone(components);
	// The worker first: it would fill its caches again.
	const steps = [workersGone, databasesGone, cachesGone, filesGone, memoryGone];
	const left: string[] = [];
	for (const step of steps) {
		const what = await step(components).catch(() => 'something this browser would not let go');
		if (what !== undefined) left.push(what);
	}
	return left;
}

/** The same for a page of this browser. */
export function wipeHere(base: string, tellEnd: () => void): Promise<WipeReport> {
	const { indexedDB, navigator } = globalThis;
	const { serviceWorker, locks, storage } = navigator as Partial<Navigator>;
	return wipe({
		...{ base, indexedDB, serviceWorker, locks, tellEnd },
		caches: (globalThis as Partial<typeof globalThis>).caches,
		files: storage === undefined ? undefined : () => storage.getDirectory(),
		storages: [() => localStorage, () => sessionStorage].flatMap((open) => {
			try {
				return [open()];
			} catch {
				return [];
			}
		}),
		sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms))
	});
}

/** Waits until no other tab holds a lock of ours: then their workers and connections are gone too. */
async function othersGone({ locks, sleep, tellEnd }: WipeComponents): Promise<void> {
	for (let waited = 0; locks !== undefined && waited < WAIT_MS; waited += LOOK_EVERY_MS) {
		const { held = [], pending = [] } = await locks.query();
		if (![...held, ...pending].some(({ name }) => isOurs(name ?? ''))) return;
		// One may have started since it was told.
		if (waited % 1_000 === 0) tellEnd();
		await sleep(LOOK_EVERY_MS);
	}
}

async function workersGone({ serviceWorker, base, sleep }: WipeComponents): Promise<string | undefined> {
	const mine = async () => ((await serviceWorker?.getRegistrations()) ?? []).filter(({ scope }) => scope === base);
	for (const registration of await mine()) {
		const { active, waiting, installing } = registration;
		// Each may be filling its caches this very moment, and opening one makes it anew.
		await Promise.all([active, waiting, installing].map((worker) => ended(worker, sleep)));
		await registration.unregister();
	}
	return (await mine()).length > 0 ? 'the offline worker; reload and try again' : undefined;
}

/** Resolves when the worker has said that it opens no cache any more, or has had time enough to say so. */
async function ended(worker: ServiceWorker | null, sleep: WipeComponents['sleep']): Promise<void> {
	if (worker === null) return;
	const { port1, port2 } = new MessageChannel();
	const answered = new Promise((resolve) => (port1.onmessage = resolve));
	worker.postMessage({ fireweed: 'end' }, [port2]);
	await Promise.race([answered, sleep(ANSWER_MS)]);
	port1.close();
}

async function databasesGone({ indexedDB, base, sleep }: WipeComponents): Promise<string | undefined> {
	if (indexedDB === undefined) return undefined;
	const directory = new URL(base).pathname;
	const gone = await Promise.all(
		[`fireweed:${directory}`, `fireweed-keys:${directory}`].map((name) =>
			Promise.race([deleted(indexedDB, name), sleep(WAIT_MS).then(() => false)])
		)
	);
	return gone.every(Boolean)
		? undefined
		: 'a database that another tab of Fireweed holds; close that tab and it goes by itself';
}

function deleted(indexedDB: IDBFactory, name: string): Promise<boolean> {
	return new Promise((resolve) => {
		const request = indexedDB.deleteDatabase(name);
		request.onsuccess = () => resolve(true);
		request.onerror = () => resolve(false);
	});
}

async function cachesGone({ caches, base }: WipeComponents): Promise<string | undefined> {
	if (caches === undefined) return undefined;
	// Some caches are named by the folder they serve; those of another folder belong to another copy of the app.
	const mine = async () =>
		(await caches.keys()).filter(
			(name) => isOurs(name) && (!name.includes('://') || ` ${name} `.includes(` ${base} `))
		);
	for (const name of await mine()) await caches.delete(name);
	return (await mine()).length > 0 ? 'stored copies of the app; try again' : undefined;
}

async function filesGone({ files }: WipeComponents): Promise<string | undefined> {
	const root = await files?.().catch(() => undefined);
	if (root === undefined) return undefined;
	try {
		await root.removeEntry(MODEL_FOLDER, { recursive: true });
	} catch (error) {
		if (!(error instanceof Error) || error.name !== 'NotFoundError')
			return 'model files that another tab reads; close that tab and try again';
	}
	return undefined;
}

/** What tabs remember, and the router's notes of scroll positions. */
function memoryGone({ storages }: WipeComponents): Promise<undefined> {
	for (const storage of storages) {
		const names = Array.from({ length: storage.length }, (_, i) => storage.key(i) ?? '');
		for (const name of names) if (isOurs(name) || name.startsWith('sveltekit:')) storage.removeItem(name);
	}
	return Promise.resolve(undefined);
}

function isOurs(name: string): boolean {
	return name.startsWith('fireweed');
}

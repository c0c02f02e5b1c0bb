/** What a tab does in store.browser.test.ts; called from there by name. */
import { openStore, type DeviceStore, type StoreNotice } from '#lib/store/store.ts';
import { MIGRATIONS } from '#lib/store/schema.ts';
import { refusalOf, sample, STORE_CASES } from '../compliance/store.ts';

const held: { store?: DeviceStore; heard: string[]; notices: StoreNotice[]; writes?: Promise<unknown> } = {
	heard: [],
	notices: []
};

function store(): DeviceStore {
	if (held.store === undefined) throw new Error('open first');
	return held.store;
}

const page = {
	runCase: async (name: string, keep: 'device' | 'memory'): Promise<void> => {
		const pathname = `/${crypto.randomUUID()}/`;
		const one = STORE_CASES.find((candidate) => candidate.name === name);
		if (one === undefined) throw new Error(`no case ${name}`);
		await one.run({ shared: keep === 'device', open: () => openStore({ pathname, now: Date.now, keep }) });
	},
	/** Opens the tab's store; `nextVersion` stands for an app one schema later. */
	open: async (nextVersion = false) => {
		const later = [
			...MIGRATIONS,
			(database: { createObjectStore(name: string): unknown }) => void database.createObjectStore('later')
		];
		held.store = await openStore({
			pathname: location.pathname,
			now: Date.now,
			onNotice: (notice) => held.notices.push(notice),
			...(nextVersion ? { migrations: later } : {})
		});
		held.store.jobs.observe((change) => held.heard.push(`${change.kind} ${change.key}`));
		return page.state();
	},
	state: () => ({
		leading: store().leading,
		durability: store().durability,
		notices: held.notices,
		heard: held.heard.length,
		heardKeys: new Set(held.heard).size
	}),
	put: (n: number, at?: number): Promise<string> => refusalOf(store().jobs.put(sample('jobs', n, at))),
	/** Begins `count` writes and does not wait for them. */
	begin: (count: number): void => {
		held.writes = Promise.all(Array.from({ length: count }, (_, n) => store().jobs.put(sample('jobs', n))));
	},
	/** Waits for what `begin` began. */
	finish: (): Promise<string> => refusalOf(held.writes ?? Promise.resolve()),
	jobs: async () => (await store().jobs.list()).map((job) => ({ id: job.id, at: job.createdAt })),
	/** Holds the main thread, as a frozen or overloaded tab does. */
	freeze: (ms: number): void => {
		const until = performance.now() + ms;
		while (performance.now() < until);
	},
	putLarge: (n: number, bytes: number): Promise<string> => {
		const document = new Uint8Array(bytes);
		for (let at = 0; at < bytes; at += 65_536)
			crypto.getRandomValues(document.subarray(at, Math.min(at + 65_536, bytes)));
		return refusalOf(store().receipts.put({ ...sample('receipts', n), document }));
	},
	receipts: async () => (await store().receipts.list()).map(({ cid, document }) => ({ cid, bytes: document.length })),
	close: (): Promise<void> => store().close()
};

export type StorePage = typeof page;
Object.assign(globalThis, { page });

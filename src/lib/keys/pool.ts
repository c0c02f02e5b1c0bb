/**
 * Which node key this tab signs with. The profile has a pool of certified node keys; a tab holds one by a Web Lock, so that two tabs
 * never share a PeerId (they would steal each other's relay reservation) and the browser frees it when the tab ends, however it ends.
 */
import { Refusal } from '#lib/protocol/errors.ts';
import type { KeyDatabase, NodeRecord } from './database.ts';

/**
 * How long a reloaded tab waits for the key it had, in ms: the page before it gives its lock back a moment after this one starts.
 * A duplicated tab remembers its original's key and waits in vain, so this is also what duplicating costs.
 */
const WAIT_FOR_OWN_MS = 1_000;

export interface PoolComponents {
	readonly database: KeyDatabase;
	readonly locks: LockManager;
	/** `sessionStorage`, which a reload keeps and a new tab does not have; undefined where refused. */
	readonly tabMemory: Pick<Storage, 'getItem' | 'setItem'> | undefined;
	/** Key in `tabMemory`. */
	readonly memoryName: string;
}

/** A node key that no other tab has, until `release`. */
export interface Claim {
	readonly record: NodeRecord;
	release(): void;
}

/** The key this tab had before, else the oldest that is free, else a new one by `make`. */
export async function claimNode(
	{ database, locks, tabMemory, memoryName }: PoolComponents,
	account: string,
	make: () => Promise<NodeRecord>
): Promise<Claim> {
	const nodes = await database.nodesOf(account);
	const own = nodes.find((node) => node.id === tabMemory?.getItem(memoryName));
	const claim =
		(own && (await claimOne(locks, own, WAIT_FOR_OWN_MS))) ??
		(await firstFree(locks, nodes)) ??
		(await claimNew(locks, database, await make()));
	tabMemory?.setItem(memoryName, claim.record.id);
	return claim;
}

async function firstFree(locks: LockManager, nodes: readonly NodeRecord[]): Promise<Claim | undefined> {
	for (const node of nodes) {
		const claim = await claimOne(locks, node, 0);
		if (claim !== undefined) return claim;
	}
	return undefined;
}

/** Locked before it is kept: otherwise another tab could find it in the pool and take it first. */
async function claimNew(locks: LockManager, database: KeyDatabase, record: NodeRecord): Promise<Claim> {
	const claim = await claimOne(locks, record, WAIT_FOR_OWN_MS);
	if (claim === undefined) throw new Refusal('internal', 'the lock of a new node key is taken');
	try {
		await database.keepNode(record);
	} catch (error) {
		claim.release();
		throw error;
	}
	return claim;
}

async function claimOne(locks: LockManager, record: NodeRecord, waitMs: number): Promise<Claim | undefined> {
	const release = await hold(locks, `fireweed-node-${record.id}`, waitMs);
	return release === undefined ? undefined : { record, release };
}

/** Takes a lock and keeps it; resolves to how to give it back, or to undefined when it was not free within `waitMs`. */
function hold(locks: LockManager, name: string, waitMs: number): Promise<(() => void) | undefined> {
	return new Promise((resolve, reject) => {
		const options = waitMs === 0 ? { ifAvailable: true } : { signal: AbortSignal.timeout(waitMs) };
		locks
			.request(name, options, (lock) => {
				if (lock === null) return resolve(undefined);
				return new Promise<void>((release) => resolve(release));
			})
			.catch((error: unknown) => {
				const late = error instanceof Error && (error.name === 'TimeoutError' || error.name === 'AbortError');
				if (late) resolve(undefined);
				else reject(error instanceof Error ? error : new Error(String(error)));
			});
	});
}

/** What the library takes from the browser, handed in so that a test can withhold it. */
import type { DeviceFacts } from './fit.ts';
import { openShelf } from './shelf.ts';

export interface LibraryPlatform {
	readonly secure: boolean;
	/** `navigator.storage`; undefined in insecure contexts. */
	readonly storage: StorageManager | undefined;
	readonly locks: LockManager | undefined;
	/** `navigator.deviceMemory` in bytes; undefined outside Chromium. */
	readonly memoryBytes: number | undefined;
}

export function browserPlatform(): LibraryPlatform {
	const { isSecureContext, navigator } = globalThis;
	const { deviceMemory } = navigator as { readonly deviceMemory?: number };
	return {
		secure: isSecureContext,
		storage: (navigator as Partial<typeof navigator>).storage,
		locks: (navigator as Partial<typeof navigator>).locks,
		memoryBytes: deviceMemory === undefined ? undefined : deviceMemory * 2 ** 30
	};
}

/** Asks the browser what this device is like now. Never rejects. */
export async function deviceFacts({ secure, storage, locks, memoryBytes }: LibraryPlatform): Promise<DeviceFacts> {
	// Opened and not only looked for: private windows have it and refuse.
	const shelf = storage && locks && (await openShelf(() => storage.getDirectory()).catch(() => undefined));
	const { quota, usage = 0 } = (await storage?.estimate().catch(() => undefined)) ?? {};
	return { secure, canKeep: shelf !== undefined, memoryBytes, quota, used: usage };
}

/**
 * Moving house: a person's account and everything remembered into one sealed file, and back out of it in another browser.
 *
 * Restoring is all or nothing. The account is kept first, unused; then the records come in one transaction; then the account is put in use.
 * Whatever is refused or stopped on the way undoes what was done before it.
 */
import type { Identity, MovableKeys } from '#lib/ports/keys.ts';
import type { MergeReport, MovableStore, Store } from '#lib/ports/store.ts';
import { Refusal } from '#lib/protocol/errors.ts';

export interface MovingPorts {
	readonly keys: MovableKeys;
	readonly store: Pick<MovableStore, 'snapshot' | 'merge'>;
}

/** What a file holds and what accepting it would do. */
export interface RestoreOffer {
	/** DID of the account in the file. */
	readonly account: string;
	/** `same`: it is in use here already; `other`: it takes the place of the one here, which stays kept; `left`: this place keeps no keys. */
	readonly accountIs: 'same' | 'other' | 'left';
	/** Unix ms; undefined for a file that holds the account alone. */
	readonly madeAt: number | undefined;
	readonly report: MergeReport;
	/** Does it. When it puts another account in use, the page must start again. Refusals: `storage-full`, `storage-unavailable`, `aborted`. */
	accept(signal?: AbortSignal): Promise<void>;
	/** Forgets the file. */
	cancel(): void;
}

/** Everything that moves, as one sealed file. Refusals: `insecure-context`, `malformed` (passphrase too short), `oversized`, `storage-unavailable`. */
export async function backUp({ keys, store }: MovingPorts, passphrase: string): Promise<Uint8Array> {
	return keys.backUp(passphrase, await store.snapshot());
}

/** Refuses, with `storage-unavailable`, where an account that moves in would end with the tab: the old place would be told that it is kept. */
export function refuseUnkept({ kept }: Pick<Identity, 'kept'>, { durability }: Pick<Store, 'durability'>): void {
	if (kept === 'session' || durability === 'memory') throw new Refusal('storage-unavailable', 'ends with the tab');
}

/** Opens a backup or an account file and looks at what it would bring; nothing has changed yet. Refusals as `MovableKeys.openBackup`. */
export async function openRestore(
	{ keys, store }: MovingPorts,
	file: Uint8Array,
	passphrase: string
): Promise<RestoreOffer> {
	const opened = await keys.openBackup(file, passphrase);
	const identity = await keys.identity();
	const { account, madeAt, records = {} } = opened;
	const accountIs = account === identity.account ? 'same' : identity.kept === 'session' ? 'left' : 'other';
	const { report } = await store.merge(records, 'look');
	return {
		...{ account, accountIs, madeAt, report },
		accept: async (signal) => {
			if (signal?.aborted === true) throw new Refusal('aborted');
			const staged = accountIs === 'other' ? await opened.stage() : undefined;
			const merged = await store.merge(records, 'add', signal).catch(async (error: unknown) => {
				await staged?.undo();
				throw error;
			});
			try {
				await staged?.use();
			} catch (error) {
				await merged.undo();
				await staged?.undo();
				throw error;
			}
			opened.forget();
		},
		cancel: () => opened.forget()
	};
}

/** What the settings page does with a person's account and everything kept: the face of `tab.ts` for it. Types only. */
import type { RestoreOffer } from './moving.ts';

export interface House {
	/** Everything that moves as one sealed file. Refusals: `insecure-context`, `malformed` (passphrase too short), `oversized`, `storage-unavailable`. */
	backUp(passphrase: string): Promise<Uint8Array>;
	/** The account alone: small enough for one QR code, or for paper. Refusals: `insecure-context`, `malformed`. */
	exportAccount(passphrase: string): Promise<Uint8Array>;
	/** Opens either file and says what it would bring. Refusals as `MovableKeys.openBackup`. */
	openRestore(file: Uint8Array, passphrase: string): Promise<RestoreOffer>;
	/** Starts this tab and every other of this profile again, with the account now in use. */
	restart(): void;
	/** Begins the deletion of everything: leaves for the page that does it, in every tab of this profile. */
	leaveForGood(): void;
}

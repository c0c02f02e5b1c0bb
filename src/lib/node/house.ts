/** What the settings page does with a person's account and everything kept: the face of `tab.ts` for it. Types only. */
import type { Gathering } from '#lib/protocol/file-pictures.ts';
import type { AccountFate } from '#lib/protocol/account-end.ts';
import type { Watched } from './app.ts';
import type { Arrived, ArrivingPerson } from './move-in.ts';
import type { MovePerson } from './move-line.ts';
import type { RestoreOffer } from './moving.ts';

export interface House {
	/** Everything that moves as one sealed file. Refusals: `insecure-context`, `malformed` (passphrase too short), `oversized`, `storage-unavailable`. */
	backUp(passphrase: string): Promise<Uint8Array>;
	/** A sealed file as texts of QR codes, for another device's camera. Refusal `oversized`. */
	pictures(file: Uint8Array): readonly string[];
	/** Puts together what a camera reads of such a row. */
	gathering(): Gathering;
	/** The account alone: small enough for one QR code, or for paper. Refusals: `insecure-context`, `malformed`. */
	exportAccount(passphrase: string): Promise<Uint8Array>;
	/** Opens either file and says what it would bring. Refusals as `MovableKeys.openBackup`. */
	openRestore(file: Uint8Array, passphrase: string): Promise<RestoreOffer>;
	/** Joins the mesh, shows a code and takes what an old tab hands over; what comes is opened by `openRestore`. Refusals as `moveIn`. */
	moveIn(person: ArrivingPerson, signal: AbortSignal): Promise<Arrived>;
	/** Joins the mesh and hands everything to the tab whose code was pasted or scanned. Nothing is deleted here. Refusals as `moveOut`. */
	moveOut(code: string, person: MovePerson, signal: AbortSignal): Promise<void>;
	/** What others believe of the account in use, as far as this tab has heard. */
	readonly fate: Watched<AccountFate['state']>;
	/** The revocation that was signed when the account was made: whoever has it can end the account, and do nothing else. */
	revocationNote(): Promise<Uint8Array>;
	/** Says to the mesh that an account has ended, from its revocation note. Refusals of a message that is none. */
	revoke(note: Uint8Array): Promise<void>;
	/** Puts a new key in the place of the account's, with the old one's word; the page must start again. Refusals of storage. */
	succeed(): Promise<void>;
	/** Puts a new account in use that nothing links to the present one, which is forgotten; the page must start again. */
	startOver(): Promise<void>;
	/** Starts this tab and every other of this profile again, with the account now in use. */
	restart(): void;
	/** Begins the deletion of everything: leaves for the page that does it, in every tab of this profile. */
	leaveForGood(): void;
}

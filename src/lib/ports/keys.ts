/** Who signs: an account certifies node keys; every job has a key of its own that links to neither. */
export interface Signer {
	/** Ed25519 public key, 32 bytes. */
	readonly publicKey: Uint8Array;
	/** 64-byte Ed25519 signature over the preimage. */
	sign(preimage: Uint8Array): Promise<Uint8Array>;
}

export interface Identity {
	/** `did:key:…` of the account. */
	readonly account: string;
	readonly accountKey: Uint8Array;
	/** This tab's node key. */
	readonly node: Signer;
	/** Its PeerId: the name by which others know this tab. */
	readonly peer: string;
	/** Unix ms at which that key was made. */
	readonly nodeSince: number;
	/** Encoded, signed NodeCertificateV1 of this node key. */
	readonly certificate: Uint8Array;
	/** `session` when the browser keeps nothing (private window, no storage): the identity ends with the tab. */
	readonly kept: 'device' | 'session';
}

export interface Keys {
	/** The identity of this tab; creates account and node key on first use. */
	identity(): Promise<Identity>;
	/** A fresh key for one job, held in memory only. */
	jobKey(): Promise<Signer>;
	/**
	 * Keeps a key that `jobKey` made where this device keeps keys, so that another page of the profile can speak for the job. Of those kept
	 * only the newest 64 stay. Never rejects: where nothing can be kept, the key ends with this page.
	 */
	keepJobKey(key: Signer): Promise<void>;
	/** A kept key by its public half. */
	keptJobKey(publicKey: Uint8Array): Promise<Signer | undefined>;
	/** The job is over. Never rejects. */
	dropJobKey(publicKey: Uint8Array): Promise<void>;
}

/** A backup or account file that was opened under its passphrase, and what it would bring. */
export interface OpenedBackup {
	/** DID of its account. */
	readonly account: string;
	/** Unix ms; undefined for a file that holds the account alone. */
	readonly madeAt: number | undefined;
	/** Tables of the store, unchecked; undefined for a file that holds the account alone. */
	readonly records: unknown;
	/**
	 * Keeps the account beside the one in use, which stays in use. `use` puts it in use: the next `identity()` has it, with a node key of its own
	 * (one PeerId under two accounts would link them), so the caller starts the tab again. `undo` forgets it. Refusals: `storage-full`, `storage-unavailable`.
	 */
	stage(): Promise<{ use(): Promise<void>; undo(): Promise<void> }>;
	/** Overwrites the secret it holds; nothing can be staged afterwards. */
	forget(): void;
}

/** The keys, as a person moves them between browsers. */
export interface MovableKeys extends Keys {
	/** The account key alone as a file under a passphrase. Refusals: `insecure-context`, `malformed` (passphrase too short). */
	exportAccount(passphrase: string): Promise<Uint8Array>;
	/** The account with everything remembered. Refusals: the same, and `oversized`. */
	backUp(passphrase: string, records: unknown): Promise<Uint8Array>;
	/**
	 * Opens either of the two. Changes nothing. Refusals: `oversized`, `malformed`, `not-canonical`, `unknown-version`, `wrong-passphrase`,
	 * `insecure-context`.
	 */
	openBackup(file: Uint8Array, passphrase: string): Promise<OpenedBackup>;
}

/** A statement that ends an account (protocol/account-end), as it was received or made. */
export interface KeptEnd {
	readonly bytes: Uint8Array;
	/** Made or brought in by this device, which repeats it whenever it joins the mesh. */
	readonly own: boolean;
}

/** The keys, as far as accounts end and others take their place. Refusals of all: `storage-full`, `storage-unavailable`. */
export interface EndableKeys {
	/** What was kept, oldest first. */
	ends(): Promise<readonly KeptEnd[]>;
	keepEnd(end: KeptEnd): Promise<void>;
	/** The revocation that was signed when the account in use was made. */
	revocation(): Promise<Uint8Array>;
	/**
	 * Puts a new account in use, signed for by the one before, whose key is then forgotten here. Answers the AccountSuccessionV1, which is kept as
	 * one's own. The next `identity()` has the new account, so the caller starts the tab again.
	 */
	succeed(): Promise<Uint8Array>;
	/** Puts a new account in use that nothing links to the one before, which is forgotten here. */
	startOver(): Promise<void>;
}

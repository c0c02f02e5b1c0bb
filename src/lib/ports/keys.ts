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
}

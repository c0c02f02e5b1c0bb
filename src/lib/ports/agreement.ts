/** A key agreement between two tabs that have no secret yet: ECDH on P-256 (NIST SP 800-56A), the one curve every browser has had for years. */
export interface Agreement {
	/** A fresh pair, used once. Refusal `insecure-context` where the browser withholds its cryptography. */
	pair(): Promise<AgreementPair>;
}

export interface AgreementPair {
	/** An uncompressed point, 65 bytes. */
	readonly publicKey: Uint8Array;
	/** 32 bytes that whoever has the other private half also gets. Refusal `malformed` for what is no point of the curve. */
	shared(theirs: Uint8Array): Promise<Uint8Array>;
}

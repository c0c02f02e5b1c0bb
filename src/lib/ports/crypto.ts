/** Verification as a port: native where it is fast, noble elsewhere, a checked fake in the simulator (protocol.md 2). */
export interface Crypto {
	/** True only under the one rule of protocol/signature. Never throws on malformed input: false. */
	verify(publicKey: Uint8Array, preimage: Uint8Array, signature: Uint8Array): Promise<boolean>;
}

/** The app as one file, as a port: what survival/carried makes and the screens show. */

/** Who vouches for the copy that runs, when it was opened from a file. */
export interface CarriedFacts {
	/** Names of the keys that signed; undefined: this copy holds no signed release. */
	readonly signers: readonly string[] | undefined;
	/** How many had to sign. */
	readonly needed: number;
	/** Name of the release. */
	readonly release: string | undefined;
	/** Signed with the key that anyone can make. */
	readonly development: boolean;
}

export interface Carrying {
	/** Undefined when the app came from a server. */
	readonly carried: CarriedFacts | undefined;
	/**
	 * The running app as one page that opens without a server, and its SHA-256 as hex. Refusals: `malformed` when the app has no release
	 * beside it, `weights-corrupt`, `unreachable`, `oversized`.
	 */
	page(
		onProgress: (have: number, want: number) => void
	): Promise<{ readonly blob: Blob; readonly name: string; readonly sha256: string }>;
}

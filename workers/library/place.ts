/** Somewhere a repository lies: on a server (web.ts) or among files that a person chose (chosen.ts). */

/** What is known of a file without reading it. */
export interface Sight {
	/** Undefined when the server does not say. */
	readonly bytes: number | undefined;
	/** What tells two versions of it apart; undefined when nothing does. */
	readonly validator: string | undefined;
}

/** Paths are relative to its folder. What is not there is undefined; Refusals `engine-load-failed` when it cannot be reached, `aborted`. */
export interface Place {
	/** The whole of a small text file. Refusal `oversized` when it is longer than `limit` bytes. */
	text(path: string, limit: number): Promise<string | undefined>;
	/** At most the first `limit` bytes of a text file. */
	opening(path: string, limit: number): Promise<string | undefined>;
	see(path: string): Promise<Sight | undefined>;
	/** `length` bytes from `at` on. Refusal `oversized` when the place can only give whole files. */
	read(path: string, at: number, length: number): Promise<Uint8Array<ArrayBuffer>>;
	/** The address of a file; undefined for files without one. */
	address(path: string): string | undefined;
	/** Reading costs no requests. */
	readonly near: boolean;
	/** Weights files, without those that only belong to one. Undefined when the place cannot list, so that names have to be tried. */
	readonly weights: readonly string[] | undefined;
}

/** A file in a place. */
export type Read = (at: number, length: number) => Promise<Uint8Array<ArrayBuffer>>;

/** Whether this page will open again without a server, and which release it is, as a port: survival/shell.ts reports it, the screens show it. */
import type { Code } from '#lib/protocol/errors.ts';

/** A release, in what a person needs to know of it. */
export interface ReleaseFacts {
	readonly name: string;
	/** Who signed it. */
	readonly signers: readonly string[];
	/** Its makers meant to be heard of again before now. */
	readonly stale: boolean;
	/** Signed with the key that anyone can make. */
	readonly development: boolean;
}

/** The release that runs, with the documents a peer may want to have. */
export interface RunningRelease extends ReleaseFacts {
	readonly keys: Uint8Array;
	readonly manifest: Uint8Array;
}

/** A release that peers gave word of: who signed it, and the documents to ask gateways for the rest with. */
export interface ToldRelease extends ReleaseFacts {
	readonly manifest: Uint8Array;
	/** The keys it is signed under; undefined for the first ones. */
	readonly keySet: Uint8Array | undefined;
}

/** Bytes that are here, and all. */
export interface Coming {
	readonly have: number;
	readonly want: number;
}

/** Why a page thinks that the loader is not the one it knows. */
export type LoaderAlarm =
	/** What the worker says runs is not signed by the keys of this app, or is older than this page accepts. */
	| 'not-signed'
	/** The server has, or had the browser fetch, a loader that no signed release names. */
	| 'other-loader';

/** Where the offline shell stands. */
export type ShellState =
	/** This browser has no service workers. */
	| { readonly kind: 'unsupported' }
	/** Plain http that is not this machine: browsers refuse service workers, WebGPU and WebCrypto there. */
	| { readonly kind: 'insecure-context' }
	/** The browser has them and refused: a setting, a private window, a policy, or a server that did not answer. `code` when the release was. */
	| { readonly kind: 'blocked'; readonly why: string; readonly code?: Code }
	/** Files are still coming. When some did not come, `missing` says how many; what is here stays, and it is tried again. */
	| { readonly kind: 'installing'; readonly missing?: number; readonly coming?: Coming }
	/** Every file of this release is on the device. `coming`: a newer one is. */
	| { readonly kind: 'ready'; readonly release: RunningRelease | undefined; readonly coming?: Coming }
	/** A newer release was verified and is on the device. `apply` starts it and reloads this page. */
	| { readonly kind: 'update-ready'; readonly release: ReleaseFacts; readonly apply: () => void }
	/** The server offers something as newer that is not to be believed. What runs stays. */
	| { readonly kind: 'update-refused'; readonly code: Code }
	/** A newer release did not start here, so the one before runs. */
	| { readonly kind: 'fell-back'; readonly name: string }
	/** The loader is not the one this page knows: keys are to be locked. */
	| { readonly kind: 'worker-changed'; readonly why: LoaderAlarm };

/** A registration under way. */
export interface ShellRegistration {
	/** The tab runs: this release is one that starts here. */
	started(): void;
	/** Peers gave word of a newer release: looks for it here and now, and at the gateways a person named. */
	look(word: ToldRelease): void;
	/** Addresses of gateways that may be asked for files of the app, as the person typed them. */
	gateways(): Promise<readonly string[]>;
	/** Keeps this list in place of the one before, and goes on with what is missing. Refusal `malformed` for what is no gateway's address. */
	keepGateways(list: readonly string[]): Promise<void>;
	stop(): void;
}

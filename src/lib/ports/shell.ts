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
	/** Files are still coming, or some did not come; what is here stays, and the next visit goes on. */
	| { readonly kind: 'installing'; readonly have?: number; readonly want?: number }
	/** Every file of this release is on the device. */
	| { readonly kind: 'ready'; readonly release: RunningRelease | undefined }
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
	/** There is news of a newer release: looks for it here and now. */
	look(): void;
	stop(): void;
}

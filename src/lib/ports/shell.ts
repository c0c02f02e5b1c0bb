/** Whether this page will open again without a server, as a port: survival/shell.ts reports it, the screens show it. */

/** Where the offline shell stands. */
export type ShellState =
	/** This browser has no service workers. */
	| { readonly kind: 'unsupported' }
	/** Plain http that is not this machine: browsers refuse service workers, WebGPU and WebCrypto there. */
	| { readonly kind: 'insecure-context' }
	/** The browser has them and refused: a setting, a private window, a policy, or a server that did not answer. */
	| { readonly kind: 'blocked'; readonly why: string }
	/** Files are still coming, or some did not come; what is here stays, and the next visit goes on. */
	| { readonly kind: 'installing'; readonly have?: number; readonly want?: number }
	/** Every file of this build is on the device. */
	| { readonly kind: 'ready' }
	/** A newer build is on the device and waits. `apply` starts it and reloads this page. */
	| { readonly kind: 'update-ready'; readonly apply: () => void };

/** A registration under way; `stop` ends the reports. */
export interface ShellRegistration {
	stop(): void;
}

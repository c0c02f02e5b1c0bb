/**
 * Which tab writes an answer, told by Web Locks: a lock goes with its tab, whatever way the tab goes.
 */

/** Which answers some tab is writing: an answer left as running by a closed tab must not wait for ever. */
export interface Claims {
	/** Claims an answer until the returned function is called or the tab ends. */
	hold(message: string): () => void;
	/** Calls back once nobody writes this answer; it is claimed until what is returned settles. */
	whenFree(message: string, then: () => void | Promise<void>): void;
}

const nameOf = (message: string): string => `fireweed-answer-${message}`;

/**
 * Claims over the browser's locks. Without them (insecure context), or where it refuses them (it keeps nothing for this site), no other tab
 * shares these messages, so every claim is free.
 */
export function lockClaims(locks: LockManager | undefined): Claims {
	return {
		hold(message) {
			const { promise, resolve } = Promise.withResolvers<void>();
			locks?.request(nameOf(message), () => promise).catch(() => undefined);
			return resolve;
		},
		whenFree(message, then) {
			if (!locks) return void then();
			let free = false;
			const go = () => {
				free = true;
				return then();
			};
			locks.request(nameOf(message), go).catch(() => {
				if (!free) void go();
			});
		}
	};
}

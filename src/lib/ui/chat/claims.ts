/**
 * Which tab writes an answer, told by Web Locks: a lock goes with its tab, whatever way the tab goes.
 */
import type { Claims } from './chat.svelte.ts';

const nameOf = (message: string): string => `fireweed-answer-${message}`;

/** Claims over the browser's locks; without them (insecure context) no other tab can be asked, so every claim is free. */
export function lockClaims(locks: LockManager | undefined): Claims {
	return {
		hold(message) {
			const { promise, resolve } = Promise.withResolvers<void>();
			void locks?.request(nameOf(message), () => promise);
			return resolve;
		},
		whenFree(message, then) {
			if (locks) void locks.request(nameOf(message), () => then());
			else then();
		}
	};
}

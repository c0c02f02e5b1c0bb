/** The Carrying port in a tab: hands on the page it was opened from, or makes one from the files beside it. */
import { sha256 } from '@noble/hashes/sha2.js';
import type { CarriedFacts, Carrying } from '#lib/ports/carried.ts';
import { toHex } from '#lib/protocol/encode.ts';
import { gatheredPage } from './gather.ts';
import { CARRIED_NAME } from './pack.ts';

/** What the boot leaves on `globalThis`. */
export interface CarriedGlobal {
	readonly fireweedCarried?: CarriedFacts & { readonly page: () => Promise<Blob> };
}

/** `boot`: address of the boot's file, `base`: folder of the app. */
export function createCarrying(init: {
	readonly base: string;
	readonly boot: string;
	readonly scope: CarriedGlobal;
}): Carrying {
	const { base, boot, scope } = init;
	const carried = scope.fireweedCarried;
	return {
		carried,
		page: async (onProgress) => {
			const blob =
				carried === undefined
					? await gatheredPage({
							base,
							fetch: (address) => fetch(address, { credentials: 'same-origin' }),
							boot: new URL(boot, base).href.slice(base.length),
							onProgress
						})
					: await carried.page();
			return { blob, name: CARRIED_NAME, sha256: toHex(sha256(new Uint8Array(await blob.arrayBuffer()))) };
		}
	};
}

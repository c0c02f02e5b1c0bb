/** Real libp2p meshes in this process, over WebSockets on loopback: the Node side of the Mesh acceptance suite. */
import { createMesh, type Libp2pMesh } from '#lib/mesh/mesh.ts';
import { socketMedium } from '#lib/mesh/medium-sockets.ts';
import { timerTicker } from '#lib/mesh/ticker.ts';
import type { Clock } from '#lib/ports/clock.ts';
import type { Signer } from '#lib/ports/keys.ts';
import type { Random } from '#lib/ports/random.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import { publicKeyOfSeed, signWithSeed } from '#lib/protocol/signature.ts';
import type { Ticker } from '#lib/mesh/ticker.ts';

export const realClock: Clock = {
	now: () => Date.now(),
	monotonic: () => performance.now(),
	sleep: (ms, signal) =>
		new Promise((resolve, reject) => {
			const timer = setTimeout(resolve, ms);
			signal?.addEventListener(
				'abort',
				() => {
					clearTimeout(timer);
					reject(new Refusal('aborted'));
				},
				{ once: true }
			);
		})
};

export const realRandom: Random = { bytes: (length) => crypto.getRandomValues(new Uint8Array(length)) };

export function freshSigner(): Signer {
	const seed = realRandom.bytes(32);
	return { publicKey: publicKeyOfSeed(seed), sign: (preimage) => Promise.resolve(signWithSeed(seed, preimage)) };
}

/** A mesh on a loopback port of its own. */
export function nodeMesh(
	relays: readonly string[] = [],
	ticker: Ticker = timerTicker(),
	listen = ['/ip4/127.0.0.1/tcp/0/ws'],
	signer: Signer = freshSigner()
): Libp2pMesh {
	return createMesh({
		signer,
		medium: socketMedium(listen),
		ticker,
		clock: realClock,
		random: realRandom,
		log: () => undefined,
		place: 'loopback',
		relays
	});
}

/** One machine under many names, each with an account of its own: every wish is answered by all of them, the fastest and cheapest of all. */
import { jobAnnouncement } from '#lib/protocol/announcement.ts';
import { commitNonce, jobBid } from '#lib/protocol/bid.ts';
import { read, seal } from '#lib/protocol/envelope.ts';
import { offer } from '#lib/protocol/model.ts';
import type { SeededRandom } from '../../doubles/chance.ts';
import type { TestNode, World } from '../../doubles/node.ts';

const NAMES = 5;

export async function manyNames(
	node: TestNode,
	world: World,
	chance: SeededRandom,
	stop: AbortSignal,
	tried: () => void
): Promise<void> {
	const { clock } = node.ports;
	const model = offer(node.engine.card);
	for (let i = 0; i < NAMES; i++) {
		const identity = await world.seals.identity(chance.bytes(32), chance.bytes(32), clock.now());
		const mesh = world.network.join(identity.peer, node.mesh.clock);
		stop.addEventListener('abort', () => world.network.vanish(identity.peer), { once: true });
		// Whoever comes with a job is kept waiting.
		mesh.onChannel(() => tried());
		const bid = async (bytes: Uint8Array) => {
			const announcement = read(jobAnnouncement, bytes);
			const body = {
				job: announcement.body.job,
				announcement: announcement.cid,
				model,
				pricePer1k: 1,
				firstTokenMs: 1,
				milliTokensPerSecond: 400_000,
				addresses: [...mesh.addresses()],
				nonceCommitment: commitNonce(chance.bytes(32)),
				validMs: 20_000,
				issuedAt: clock.now(),
				extensions: {}
			};
			await mesh.publish('fireweed/1/bids', (await seal(jobBid, body, identity.node, identity.certificate)).bytes);
		};
		mesh.subscribe(
			'fireweed/1/announcements',
			() => 'accept',
			(bytes) => void bid(bytes).catch(() => undefined)
		);
	}
}

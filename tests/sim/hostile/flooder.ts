/** Wishes nobody means, channels nobody uses, bytes that are no message: as many as it can send. */
import { jobAnnouncement } from '#lib/protocol/announcement.ts';
import { seal } from '#lib/protocol/envelope.ts';
import { DEFAULT_POLICY, publicPart } from '#lib/protocol/policy.ts';
import type { Channel } from '#lib/ports/mesh.ts';
import type { SeededRandom } from '../../doubles/chance.ts';
import type { TestNode, World } from '../../doubles/node.ts';

/** Between two blows, ms. */
const EVERY_MS = 700;
/** Channels it holds open at once. */
const HELD = 40;

export async function flood(node: TestNode, world: World, chance: SeededRandom, stop: AbortSignal): Promise<void> {
	const { mesh, clock, jobKey } = node.ports;
	const held: Channel[] = [];
	while (!stop.aborted) {
		await clock.sleep(EVERY_MS * (0.5 + chance.unit()), stop);
		const wish = {
			job: chance.bytes(16),
			promptTokens: 64,
			minTokens: 0,
			maxTokens: 2_000,
			policy: publicPart(DEFAULT_POLICY),
			windowMs: 200,
			issuedAt: clock.now(),
			extensions: {}
		};
		await mesh.publish('fireweed/1/announcements', (await seal(jobAnnouncement, wish, await jobKey())).bytes);
		if (chance.below(4) === 0) await mesh.publish('fireweed/1/bids', chance.bytes(1 + chance.below(2_000)));
		const [victim] = [...world.network.nodes.keys()].slice(chance.below(world.network.nodes.size));
		if (victim === undefined || victim === mesh.self || held.length >= HELD) {
			held.shift()?.abort();
			continue;
		}
		mesh.open(victim, [], stop).then(
			(channel) => {
				held.push(channel);
				// Every other one says something that is no message.
				if (chance.unit() < 0.5) void channel.send(chance.bytes(1 + chance.below(4_000))).catch(() => undefined);
			},
			() => undefined
		);
	}
}

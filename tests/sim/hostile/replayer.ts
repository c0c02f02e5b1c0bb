/** Says again what others said: old wishes, old bids, old statements, and assignments it was given, to whoever listens. */
import type { Topic } from '#lib/protocol/topic.ts';
import type { SeededRandom } from '../../doubles/chance.ts';
import type { TestNode } from '../../doubles/node.ts';

const TOPICS: readonly Topic[] = ['fireweed/1/announcements', 'fireweed/1/bids', 'fireweed/1/capabilities'];
/** Messages it remembers of each topic. */
const REMEMBERED = 60;
/** Between two replays, ms. */
const EVERY_MS = 500;

export async function replay(node: TestNode, chance: SeededRandom, stop: AbortSignal): Promise<void> {
	const { mesh, clock } = node.ports;
	const heard = new Map<Topic, Uint8Array[]>(TOPICS.map((topic) => [topic, []]));
	for (const [topic, messages] of heard) {
		mesh.subscribe(
			topic,
			() => 'accept',
			(bytes) => {
				messages.push(bytes);
				if (messages.length > REMEMBERED) messages.splice(chance.below(messages.length), 1);
			}
		);
	}
	while (!stop.aborted) {
		await clock.sleep(EVERY_MS * (0.5 + chance.unit()), stop);
		const topic = chance.of(TOPICS);
		const messages = heard.get(topic) ?? [];
		if (messages.length > 0) await mesh.publish(topic, chance.of(messages));
		// A bid played under another topic, and a wish played as a bid.
		if (chance.below(20) === 0 && messages.length > 0) await mesh.publish(chance.of(TOPICS), chance.of(messages));
	}
}

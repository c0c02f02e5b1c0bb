/** A contributor whose network is in the hands of a test: what it says is counted, whom it hears is decided there. */
import { contribute, type ContributeTerms } from '#lib/node/contribute.ts';
import type { ContributeEvent } from '#lib/node/events.ts';
import type { Engine } from '#lib/ports/engine.ts';
import type { Channel, Mesh } from '#lib/ports/mesh.ts';
import { formatPeerId } from '#lib/protocol/did.ts';
import { executorStage, Wire, type ExecutorInit } from './executor.ts';

/** A mesh that a test holds in its hands. */
export function meshInHand() {
	const published: { readonly topic: string; readonly type: string }[] = [];
	const state = {
		accept: undefined as ((channel: Channel) => void) | undefined,
		hear: undefined as ((bytes: Uint8Array) => void) | undefined,
		observers: 0
	};
	const mesh = {
		self: 'me',
		addresses: () => [],
		onChannel: (accept: (channel: Channel) => void) => {
			state.accept = accept;
			return () => (state.accept = undefined);
		},
		subscribe: (topic: string, _judge: unknown, hear: (bytes: Uint8Array) => void) => {
			if (topic === 'fireweed/1/announcements') state.hear = hear;
			return () => (state.hear = undefined);
		},
		observe: () => {
			state.observers++;
			return () => state.observers--;
		},
		publish: async (topic: string) => void published.push({ topic, type: topic.slice('fireweed/1/'.length) })
	} as unknown as Mesh;
	return { mesh, state, published };
}

/** A contributor that has started. */
export async function lending(
	init: ExecutorInit = {},
	terms: Partial<ContributeTerms> = {},
	playing: (engine: Engine) => Partial<Engine> = () => ({})
) {
	const hand = meshInHand();
	const stage = await executorStage({
		...init,
		dress: (ports) => {
			const changed = playing(ports.engine);
			const engine = new Proxy(ports.engine, {
				get: (inner, name) => {
					if (name in changed) return Reflect.get(changed, name) as unknown;
					const value: unknown = Reflect.get(inner, name, inner);
					return typeof value === 'function' ? value.bind(inner) : value;
				}
			});
			return { ...ports, engine, mesh: hand.mesh, offering: () => undefined };
		}
	});
	const told: ContributeEvent[] = [];
	const contribution = contribute(stage.ports, { pricePer1k: 100_000, region: undefined, ...terms }, (event) =>
		told.push(event)
	);
	await stage.clock.until(contribution.start());
	const { clock, seals } = stage;
	/** A channel of that node (by number), which has brought nothing yet. */
	const knock = (of: number) => {
		const wire = new Wire(formatPeerId(seals.signer(new Uint8Array(32).fill(100 + of)).publicKey));
		hand.state.accept?.(wire);
		return wire;
	};
	const say = async (bytes: Uint8Array) => {
		hand.state.hear?.(bytes);
		await clock.pass(0);
	};
	const types = () => told.map(({ type }) => type);
	const bidsOut = () => hand.published.filter(({ type }) => type === 'bids').length;
	return { ...stage, ...hand, told, types, contribution, knock, say, bidsOut };
}

/** A relay: introduces tabs to each other, tells them their address, passes public gossip on. It writes nothing down and is none of a kind. */
import { appendFileSync } from 'node:fs';
import { noise } from '@libp2p/noise';
import type { GossipSub } from '@libp2p/gossipsub';
import { identify, identifyPush } from '@libp2p/identify';
import type { PrivateKey } from '@libp2p/interface';
import type { CircuitRelayTransportComponents } from '@libp2p/circuit-relay-v2';
import { peerIdFromString } from '@libp2p/peer-id';
import { ping } from '@libp2p/ping';
import { webSockets } from '@libp2p/websockets';
import { yamux } from '@libp2p/yamux';
import { createLibp2p } from 'libp2p';
import { firstHop } from '#lib/mesh/address.ts';
import { gossip } from '#lib/mesh/gossip.ts';
import { NODE_INFO } from '#lib/mesh/node-info.ts';
import { Topics } from '#lib/mesh/topics.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import { TOPICS, type Topic } from '#lib/protocol/topic.ts';
import type { PeerId, Verdict } from '#lib/ports/mesh.ts';
import { answerAcquaintances } from '#lib/mesh/acquaintance.ts';
import type { Crypto } from '#lib/ports/crypto.ts';
import { relayAcquaintances } from './acquaintances.ts';
import type { RelayConfig } from './config.ts';
import { Guests } from './guests.ts';
import { startHealth } from './health.ts';
import { introductions } from './introductions.ts';
import { loadKey } from './key.ts';
import { noIntroductions, type Metrics } from './metrics.ts';
import { Newcomers } from './newcomers.ts';
import { Recent } from './recent.ts';
import { startStun } from './stun.ts';

/** Connections from one address per second, and hellos under way at once: a school's tabs all return after a restart. */
const MAX_INBOUND_PER_SECOND = 64;
const MAX_PENDING = 256;
/** Tries to find a number free for both TCP and UDP when any port will do. */
const PORT_TRIES = 8;

/** What a relay thinks of a message before it passes it on; must be cheap. */
export type GossipJudge = (topic: Topic, message: Uint8Array) => Verdict | Promise<Verdict>;

export interface Relay {
	/** Full multiaddrs, each ending in `/p2p/<id>`. */
	readonly addresses: readonly string[];
	readonly healthUrl: string;
	metrics(): Metrics;
	stop(): Promise<void>;
}

/** Starts a relay; rejects with a Refusal that names what is wrong with the settings. */
export async function startRelay(config: RelayConfig, judge: GossipJudge, crypto: Crypto): Promise<Relay> {
	const startedAt = Date.now();
	const counts = noIntroductions();
	const guests = new Guests(config.maxPerIp);
	const key = await loadKey(config.keyFile);
	const node = await listen(config, () => compose(config, key, guests, counts));
	const addresses = node.getMultiaddrs().map(String);
	const undo: (() => Promise<void>)[] = [async () => node.stop()];
	try {
		const stun = await startStun(config.host, portOf(node), config.stunPerSecond, Date.now);
		undo.push(() => stun.stop());
		const isHere = (peer: PeerId): boolean => node.getConnections(peerIdFromString(peer)).length > 0;
		const recent = new Recent({ now: () => performance.now(), chance: Math.random, isHere });
		const newcomers = new Newcomers(node.services.pubsub, recent, isHere);
		node.addEventListener('peer:disconnect', ({ detail }) => {
			newcomers.leave(detail.toString());
		});
		const topics = joinTopics(node.services.pubsub, judge, recent, config.traceFile);
		const metrics = (): Metrics => {
			const { accept, ignore, reject } = topics.counts();
			return {
				upSeconds: Math.round((Date.now() - startedAt) / 1000),
				connections: node.getConnections().length,
				refusedConnections: guests.refused,
				reservations: node.services.introductions.reservations.size,
				introductions: { ...counts },
				gossip: { accept, ignore, reject },
				gossipBytes: topics.bytes(),
				recent: { kept: recent.size, ...newcomers.counts },
				stun: { ...stun.counts }
			};
		};
		const acquaintances = await relayAcquaintances({
			key,
			addresses: () => addresses,
			listFile: config.listFile,
			crypto,
			now: Date.now
		});
		await answerAcquaintances(
			node,
			() => acquaintances.known(),
			() => performance.now()
		);
		const health = await startHealth(config.healthHost, config.healthPort, metrics, () => acquaintances.own());
		undo.push(() => health.stop());
		return { addresses, healthUrl: health.url, metrics, stop: () => stopAll(undo) };
	} catch (error) {
		await stopAll(undo);
		throw error;
	}
}

type RelayNode = Awaited<ReturnType<typeof compose>>;

async function compose(
	config: RelayConfig,
	key: PrivateKey,
	guests: Guests,
	counts: ReturnType<typeof noIntroductions>
) {
	return createLibp2p({
		start: false,
		privateKey: key,
		nodeInfo: NODE_INFO,
		addresses: {
			listen: [`/ip${config.host.includes(':') ? '6' : '4'}/${config.host}/tcp/${String(config.port)}/ws`],
			...(config.announce.length > 0 && { announce: [...config.announce] })
		},
		transports: [webSockets()],
		connectionEncrypters: [noise()],
		streamMuxers: [yamux()],
		connectionGater: guests.gater(),
		connectionManager: {
			maxConnections: config.maxConnections,
			inboundConnectionThreshold: MAX_INBOUND_PER_SECOND,
			maxIncomingPendingConnections: MAX_PENDING,
			resolvers: {},
			reconnectRetries: 0
		},
		services: {
			identify: identify({ runOnLimitedConnection: false }),
			identifyPush: identifyPush({ runOnLimitedConnection: false }),
			ping: ping(),
			pubsub: gossip('relay'),
			introductions: introductions(config, counts),
			listening: ({ transportManager }: Pick<CircuitRelayTransportComponents, 'transportManager'>) => ({
				addresses: () => transportManager.getAddrs()
			})
		}
	});
}

/** Starts a node whose port is also free for UDP; only with port 0 is there a second try. */
async function listen(config: RelayConfig, make: () => Promise<RelayNode>): Promise<RelayNode> {
	for (let attempt = 1; ; attempt += 1) {
		const node = await make();
		try {
			await node.start();
		} catch (error) {
			throw new Refusal(
				'malformed',
				`cannot listen on TCP port ${String(config.port)}: ${error instanceof Error ? error.message : 'unknown'}`
			);
		}
		if (config.port !== 0 || attempt === PORT_TRIES) return node;
		const free = await startStun(config.host, portOf(node), 1, Date.now).then(
			(probe) => probe.stop().then(() => true),
			() => false
		);
		if (free) return node;
		await node.stop();
	}
}

/** The TCP port really listened on; announced addresses may show another. */
function portOf(node: RelayNode): number {
	const [address] = node.services.listening.addresses();
	const hop = address === undefined ? undefined : firstHop(address);
	if (hop === undefined) throw new Refusal('malformed', 'the relay listens nowhere');
	return hop.port;
}

function joinTopics(
	pubsub: GossipSub,
	judge: GossipJudge,
	recent: Recent,
	traceFile: string | undefined
): Topics & { bytes(): number } {
	let bytes = 0;
	const topics = Object.assign(new Topics(), { bytes: () => bytes });
	for (const topic of TOPICS) {
		topics.subscribe(
			topic,
			(message) => {
				bytes += message.length;
				// Before it is judged: the test wants all that the relay could read, not what it liked.
				if (traceFile !== undefined) appendFileSync(traceFile, `${topic} ${Buffer.from(message).toString('hex')}\n`);
				return judge(topic, message);
			},
			(message) => {
				if (topic === 'fireweed/1/capabilities') recent.hear(message);
			}
		);
	}
	topics.attach(pubsub);
	return topics;
}

/** The newest first, and each of them whatever the others did. */
async function stopAll(undo: readonly (() => Promise<void>)[]): Promise<void> {
	await Promise.allSettled([...undo].reverse().map((stop) => stop()));
}

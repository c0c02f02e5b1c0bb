/** A whole node on doubles: what tab.ts is for a browser, this is for a test on virtual time. */
import { contribute, type Contribution, type ContributeTerms } from '#lib/node/contribute.ts';
import type { Wish } from '#lib/node/app.ts';
import type { ContributeEvent, OriginateEvent } from '#lib/node/events.ts';
import { originate } from '#lib/node/originate.ts';
import type { NodePorts } from '#lib/node/ports.ts';
import { reattach } from '#lib/node/reattach.ts';
import { Registry, type Choosing, type RegistryPorts } from '#lib/node/registry.ts';
import type { Engine } from '#lib/ports/engine.ts';
import type { Identity, Signer } from '#lib/ports/keys.ts';
import type { Store } from '#lib/ports/store.ts';
import { toHex } from '#lib/protocol/encode.ts';
import { DEFAULT_POLICY, type ExecutionPolicy } from '#lib/protocol/policy.ts';
import { openStore } from '#lib/store/store.ts';
import { SeededRandom } from './chance.ts';
import { VirtualClock, type NodeClock } from './clock.ts';
import { ScriptedEngine, type ScriptedEngineInit } from './engine.ts';
import { Network, type MemoryMesh, type NetworkInit } from './network.ts';
import { Seals } from './seals.ts';

export interface TestNode {
	readonly ports: NodePorts & { readonly store: Store };
	readonly mesh: MemoryMesh;
	readonly identity: Identity & { readonly peer: string };
	readonly engine: ScriptedEngine;
	readonly contribution: Contribution;
	readonly contributed: ContributeEvent[];
	readonly log: { readonly event: string; readonly facts: unknown }[];
	/** Takes up the answer to a message that a page before this one began. */
	reattach(
		message: string,
		shown: { readonly tokens: readonly number[]; readonly text: string },
		signal?: AbortSignal,
		onEvent?: (event: OriginateEvent) => void
	): Promise<OriginateEvent[]>;
	/** Asks and collects every event. */
	ask(
		wish?: Partial<Wish>,
		signal?: AbortSignal,
		policy?: Partial<ExecutionPolicy>,
		onEvent?: (event: OriginateEvent) => void
	): Promise<OriginateEvent[]>;
}

export interface NodeOptions {
	readonly account?: string;
	readonly engine?: Partial<ScriptedEngineInit>;
	readonly terms?: Partial<ContributeTerms>;
	/** Executors this node believes to be all there are. */
	readonly offering?: readonly string[];
	/** Its own sense of time; the world's when not given. */
	readonly clock?: NodeClock;
	readonly store?: Store;
	/** The page that was here before: same node key, same tables. */
	readonly after?: TestNode;
	/** Stands between the story and its ports: how a node is made hostile or broken. */
	readonly dress?: (ports: TestNode['ports']) => TestNode['ports'];
	/** The same between the story and its engine. */
	readonly playing?: (engine: ScriptedEngine) => Engine;
	/** Chooses among bids instead of a registry without lots. */
	readonly choosing?: (ports: RegistryPorts) => Choosing;
	/** Whether it is on the network, as far as it can tell; always when not given. */
	readonly online?: () => boolean;
	/** Hears what a contributor tells, instead of `contributed`. */
	readonly tell?: (event: ContributeEvent) => void;
}

/** A world of nodes under one seed. */
export class World {
	readonly clock = new VirtualClock();
	readonly random: SeededRandom;
	readonly seals = new Seals();
	readonly network: Network;
	readonly #seed: string;
	#count = 0;

	constructor(seed: string, init: Partial<Omit<NetworkInit, 'clock' | 'random'>> = {}) {
		this.#seed = seed;
		this.random = new SeededRandom(`${seed}/network`);
		this.network = new Network({
			...init,
			clock: this.clock,
			random: this.random
		});
	}

	/** A node of account `account` (its own when not given). */
	async node(options: NodeOptions = {}): Promise<TestNode> {
		const name = `${this.#seed}/node${this.#count++}`;
		const random = new SeededRandom(name);
		const secret = new SeededRandom(`${this.#seed}/account/${options.account ?? name}`).bytes(32);
		const { clock = this.clock, after } = options;
		const own = await this.seals.identity(secret, random.bytes(32), this.clock.now());
		const identity = after?.identity ?? own;
		const mesh = this.network.join(identity.peer, options.clock);
		const store =
			after?.ports.store ??
			options.store ??
			(await openStore({ pathname: '/', now: () => this.clock.now(), keep: 'memory' }));
		const jobs = new Map<string, Signer>();
		const log: { event: string; facts: unknown }[] = [];
		const engine = new ScriptedEngine({ clock, ...options.engine });
		const plain: TestNode['ports'] = {
			mesh,
			store,
			identity,
			jobKey: async () => this.seals.signer(random.bytes(32)),
			jobKeys: after?.ports.jobKeys ?? {
				keepJobKey: async (key) => void jobs.set(toHex(key.publicKey), key),
				keptJobKey: async (key) => jobs.get(toHex(key)),
				dropJobKey: async (key) => void jobs.delete(toHex(key))
			},
			crypto: this.seals,
			clock,
			random,
			log: (event, facts) => log.push({ event, facts }),
			offering: () => options.offering,
			offers: () => [],
			registry: (options.choosing ?? withoutLots)({
				...{ store, clock, random, log: () => undefined },
				online: options.online ?? (() => true)
			})
		};
		const ports = options.dress?.(plain) ?? plain;
		const contributed: ContributeEvent[] = [];
		const terms = { pricePer1k: 100_000, region: undefined, ...options.terms };
		const tell = options.tell ?? ((event: ContributeEvent) => contributed.push(event));
		const contribution = contribute({ ...ports, engine: options.playing?.(engine) ?? engine }, terms, tell);
		const never = new AbortController().signal;
		const collect = async (
			told: AsyncIterable<OriginateEvent>,
			onEvent: ((event: OriginateEvent) => void) | undefined
		): Promise<OriginateEvent[]> => {
			const events: OriginateEvent[] = [];
			const iterator = told[Symbol.asyncIterator]();
			for (;;) {
				// Not `for await`: leaving that would end the story in good order, and a page that is gone ends nothing.
				const next = await iterator.next();
				if (next.done === true) return events;
				const event = next.value;
				events.push(event);
				onEvent?.(event);
				// A page that is gone sees nothing more, and writes nothing down.
				if (mesh.gone) return events;
			}
		};
		const ask: TestNode['ask'] = (wish, signal, policy, onEvent) =>
			collect(
				originate({ ...ORDINARY_WISH, ...wish }, { ...DEFAULT_POLICY, ...policy }, ports, signal ?? never),
				onEvent
			);
		const again: TestNode['reattach'] = (message, shown, signal, onEvent) =>
			collect(reattach(message, shown, ports, signal ?? never), onEvent);
		return { ports, mesh, identity, engine, contribution, contributed, log, ask, reattach: again };
	}
}

export const ORDINARY_WISH: Wish = {
	turns: [{ role: 'user', content: 'how does fireweed grow back' }],
	continueFrom: [],
	model: undefined,
	sampling: { temperatureMilli: 1000, topK: 20, topPMilli: 1000 },
	minTokens: 100,
	maxTokens: 100,
	message: undefined
};

/** Of newcomers who look alike the faster claim goes first, so that a test can say who. */
const withoutLots = (ports: RegistryPorts): Choosing =>
	new Registry({ ...ports, random: { bytes: (count) => new Uint8Array(count) } });

/** Words of an answer in order, with their tokens. */
export function answerOf(events: readonly OriginateEvent[]): {
	readonly text: string;
	readonly tokens: readonly number[];
} {
	const words = events.filter((event) => event.type === 'words');
	return { text: words.map((event) => event.text).join(''), tokens: words.flatMap((event) => event.tokens) };
}

/** The event that ended a job. */
export function endOf(events: readonly OriginateEvent[]): OriginateEvent {
	const last = events.at(-1);
	if (last === undefined) throw new Error('no events');
	return last;
}

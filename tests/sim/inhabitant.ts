/** One node of a simulated run: the real story over doubles, its own clock and shelves, and how it comes, goes and suffers. */
import { Offers } from '#lib/node/offers.ts';
import type { ContributeEvent } from '#lib/node/events.ts';
import type { GenerateRequest } from '#lib/ports/engine.ts';
import { SeededRandom } from '../doubles/chance.ts';
import { NodeClock } from '../doubles/clock.ts';
import type { TestNode, World } from '../doubles/node.ts';
import { Shelves } from '../doubles/shelves.ts';
import { disguise } from './hostile/disguise.ts';
import { choosing, type Policy } from './policies.ts';
import { breaks, type Sabotage } from './sabotage.ts';
import type { NodePlan, Script } from './script.ts';

/** What an inhabitant tells the checker. */
export interface Witness {
	ran(by: Inhabitant, request: GenerateRequest, tokens: readonly number[]): void;
	told(by: Inhabitant, event: ContributeEvent): void;
	/** Somebody came to a cheat with a job and is only held up. */
	tried(cheat: Inhabitant): void;
}

export class Inhabitant {
	readonly plan: NodePlan;
	readonly clock: NodeClock;
	readonly shelves: Shelves;
	readonly node: TestNode;
	/** Who follows the statements of others, and what it has heard. */
	readonly offers: Offers | undefined;
	readonly sabotage: Sabotage | undefined;
	readonly #stop = new AbortController();
	readonly #world: World;
	/** Virtual ms at which it left. */
	leftAt: number | undefined;
	/** It lends just now. */
	lending = false;
	/** Asks under way. */
	asking = 0;
	frozenAt: number | undefined;
	/** When it was last out of reach or asleep, virtual ms. */
	troubledUntil = 0;

	private constructor(
		plan: NodePlan,
		clock: NodeClock,
		shelves: Shelves,
		node: TestNode,
		offers: Offers | undefined,
		world: World,
		sabotage: Sabotage | undefined
	) {
		this.plan = plan;
		this.clock = clock;
		this.shelves = shelves;
		this.node = node;
		this.offers = offers;
		this.sabotage = sabotage;
		this.#world = world;
	}

	static async join(
		plan: NodePlan,
		script: Script,
		world: World,
		follows: boolean,
		witness: Witness,
		sabotage: Sabotage | undefined,
		policy: Policy = 'ours'
	): Promise<Inhabitant> {
		const clock = new NodeClock(world.clock, plan.skew);
		const chance = new SeededRandom(`${script.scenario}/${script.seed}/engine/${plan.id}`);
		const late: { self?: Inhabitant; offers?: Offers } = {};
		const mask =
			plan.cheat === undefined
				? undefined
				: disguise(plan.cheat, world, clock, chance, () => late.self !== undefined && witness.tried(late.self));
		const shelves = new Shelves();
		const node = await world.node({
			account: `${script.seed}/${plan.account}`,
			clock,
			store: shelves,
			engine: {
				tokensPerSecond: plan.tokensPerSecond,
				dies: () =>
					plan.diesOnceIn > 0 && chance.below(plan.diesOnceIn) === 0
						? chance.of(['engine-failed', 'out-of-memory'] as const)
						: undefined,
				pauseMs: () => (plan.pausesOnceIn > 0 && chance.below(plan.pausesOnceIn) === 0 ? plan.pauseMs : 0),
				loadMs: 1_500,
				ran: (request, tokens) => {
					if (late.self === undefined) return;
					witness.ran(late.self, request, breaks(sabotage).run(tokens));
				}
			},
			terms: { pricePer1k: plan.pricePer1k },
			dress: (ports) => {
				const plain = {
					...ports,
					log: () => undefined,
					offering: (model?: string) => late.offers?.offering(model),
					offers: () => late.offers?.list() ?? []
				};
				return breaks(sabotage).ports(mask?.ports?.(plain) ?? plain, world);
			},
			choosing: (ports) => choosing(policy, ports),
			...(mask?.playing === undefined ? {} : { playing: mask.playing }),
			tell: (event) => {
				if (late.self !== undefined) witness.told(late.self, event);
			}
		});
		const offers = follows ? new Offers(node.ports, () => undefined) : undefined;
		if (offers !== undefined) late.offers = offers;
		const self = new Inhabitant(plan, clock, shelves, node, offers, world, sabotage);
		late.self = self;
		node.mesh.observe((event) => {
			if (event.type === 'peer-down' && event.why !== 'closed') offers?.forget(event.peer);
		});
		await node.mesh.start();
		offers?.follow(node.ports.mesh);
		mask?.begin?.(node, self.#stop.signal).catch(() => undefined);
		if (plan.lends) {
			await node.contribution.start();
			self.lending = true;
		}
		return self;
	}

	get peer(): string {
		return this.node.identity.peer;
	}

	get honest(): boolean {
		return this.plan.cheat === undefined;
	}

	get here(): boolean {
		return this.leftAt === undefined;
	}

	/** Its tab is closed or killed: nothing of it runs any more; its disk stays. */
	leave(): void {
		if (!this.here) return;
		this.leftAt = this.#world.clock.monotonic();
		this.#stop.abort();
		this.lending = false;
		if (this.plan.leaves === 'closed') void this.node.mesh.stop();
		else this.#world.network.vanish(this.peer);
		this.clock.freeze();
	}

	/** Its tab sleeps: no timer fires, nothing is read. Others notice when its heartbeat stays away. */
	freeze(): void {
		if (!this.here || this.clock.frozen) return;
		this.clock.freeze();
		const { network, clock } = this.#world;
		const at = clock.monotonic();
		this.frozenAt = at;
		clock.at(at + network.init.silenceMs, () => {
			if (this.frozenAt !== at || !this.here) return;
			network.tell(this.peer, 'silent', 0);
			for (const channel of this.node.mesh.channels) channel.break('peer-lost', 0);
			for (const channel of this.node.mesh.channels) channel.lose('peer-lost');
		});
	}

	thaw(): void {
		if (!this.here || !this.clock.frozen) return;
		this.frozenAt = undefined;
		this.troubledUntil = this.#world.clock.monotonic();
		this.clock.thaw();
	}

	stopLending(): void {
		if (!this.here || !this.lending) return;
		this.lending = false;
		void this.node.contribution.stop();
	}
}

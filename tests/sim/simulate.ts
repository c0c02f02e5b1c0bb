/**
 * The simulator: a whole network of real nodes on a virtual clock, under a script of jobs and faults, watched by a checker.
 *
 * One seed is one run: the same seed gives the same trace hash in any process, because nothing here waits for anything but virtual time.
 */
import { SeededRandom } from '../doubles/chance.ts';
import { World } from '../doubles/node.ts';
import { DEFAULT_POLICY } from '#lib/protocol/policy.ts';
import { AFTERMATH_MS, Checker } from './checker.ts';
import { counts, type Counts } from './counts.ts';
import type { Dossier, Violation } from './dossier.ts';
import { strike } from './faults.ts';
import { Harm, type HarmDone } from './harm.ts';
import { Inhabitant } from './inhabitant.ts';
import { HEAL_MS } from './invariants/healing.ts';
import type { Peaks } from './invariants/bounds.ts';
import { plan, type Wanted } from './plan.ts';
import type { Policy } from './policies.ts';
import { breaks, isEnd, type Sabotage } from './sabotage.ts';
import type { Cheat, JobPlan, NodePlan, Script } from './script.ts';

export interface Result {
	readonly counts: Counts;
	/** 16 hex digits over everything that was delivered, with its time. */
	readonly traceHash: string;
	readonly violations: readonly Violation[];
	/** Virtual time over real time. */
	readonly ratio: number;
	readonly peaks: Peaks;
	readonly harm: Readonly<Partial<Record<Cheat, HarmDone>>>;
	/** Of finished jobs of honest askers: from the wish to the first word, and to the end, ms. */
	readonly waits: { readonly firstMs: readonly number[]; readonly endMs: readonly number[] };
}

export interface RunOptions {
	/** Breaks one node (by its number), or every one, on purpose. */
	readonly sabotage?: { readonly node: number | 'every'; readonly how: Sabotage };
	/** How every node chooses among bids; as the app does, when not given. */
	readonly policy?: Policy;
	/** Called after each virtual minute. */
	readonly onMinute?: ((minute: number) => void) | undefined;
	/** Real milliseconds; only `ratio` depends on it. */
	readonly realNow?: () => number;
}

/** Plans and runs. */
export function simulate(wanted: Wanted, options: RunOptions = {}): Promise<Result> {
	return run(plan(wanted), options);
}

/** Who follows the statements of others; hearing everybody is dear, so in a large network not everybody is watched for it. */
const FOLLOWERS = 24;
/** The same in a run of more node-minutes than this. */
const LONG = 20_000;
const FOLLOWERS_OF_LONG = 4;
/** Between two looks at what nodes hold. */
const LOOK_MS = 5_000;
/** After the last job: a channel without an assignment is closed within this (execute.ASSIGN_MS). */
const LAST_MS = 15_000;
/** Jobs asked when all faults are over. */
const PROBES = 5;
/** One after the other: asked all at once they would all choose the same lender, and the last would find nobody free. */
const PROBE_EVERY_MS = 8_000;
const PROBE = { words: 5, minTokens: 40, maxTokens: 40, temperatureMilli: 0, stopAfterMs: undefined };

export async function run(script: Script, options: RunOptions = {}): Promise<Result> {
	const { realNow = () => performance.now() } = options;
	const began = realNow();
	const town = new Town(script, options);
	await town.live();
	const { world, checker, harm } = town;
	return {
		counts: counts(town),
		traceHash: world.network.traceHash,
		violations: checker.violations,
		ratio: Math.round(world.clock.monotonic() / Math.max(1, realNow() - began)),
		peaks: checker.peaks,
		waits: town.waits,
		harm: Object.fromEntries([...harm.byCheat].sort(([a], [b]) => (a < b ? -1 : 1)))
	};
}

/** Everything that is alive in one run. */
export class Town {
	readonly script: Script;
	readonly world: World;
	readonly harm = new Harm();
	readonly checker: Checker;
	/** By number in the script; those that left stay. */
	readonly all = new Map<number, Inhabitant>();
	/** Ends of jobs by name, of honest askers and of others. */
	readonly ends = new Map<string, number>();
	asked = 0;
	/** Planned jobs whose asker was not there. */
	skipped = 0;
	tokens = 0;
	handOvers = 0;
	readonly waits: { readonly firstMs: number[]; readonly endMs: number[] } = { firstMs: [], endMs: [] };
	struck = new Map<string, number>();
	readonly #options: RunOptions;
	readonly #follows: (plan: NodePlan) => boolean;
	readonly #closing: Promise<void>[] = [];

	constructor(script: Script, options: RunOptions) {
		const { seed, scenario, latencyMs, jitterMs, weather } = script;
		this.script = script;
		this.#options = options;
		this.world = new World(`${scenario}/${seed}`, {
			latencyMs,
			jitterMs,
			weather: { ...weather, relays: 'up' },
			keepGossip: false
		});
		this.checker = new Checker(this.world, this.harm);
		const askers = script.nodes.filter(({ asks, cheat }) => asks && cheat === undefined);
		const followers = (script.nodes.length * script.endsAt) / 60_000 > LONG ? FOLLOWERS_OF_LONG : FOLLOWERS;
		const every = Math.max(1, Math.ceil(askers.length / followers));
		const follow = new Set(askers.filter((_, i) => i % every === 0).map(({ id }) => id));
		this.#follows = ({ id }) => follow.has(id);
	}

	async live(): Promise<void> {
		const { script, world } = this;
		const { clock } = world;
		for (const each of script.nodes) {
			clock.at(each.joinsAt, () => void this.#join(each));
			if (each.leavesAt !== undefined) clock.at(each.leavesAt, () => this.#leave(each));
		}
		for (const job of script.jobs) clock.at(job.at, () => void this.#ask(job, false));
		for (const fault of script.faults) strike(fault, this);
		// The last fault that ends is the weather itself.
		clock.at(script.quietAt, () => world.network.weather.set({}));
		const heals = script.quietAt + HEAL_MS;
		clock.at(heals, () => this.#healed());
		const end = Math.max(script.endsAt, heals + PROBES * PROBE_EVERY_MS) + 1;
		for (let minute = 1; clock.monotonic() < end;) {
			await clock.pass(Math.min(LOOK_MS, end - clock.monotonic()));
			this.checker.look(this.all.values());
			if (clock.monotonic() >= minute * 60_000) this.#options.onMinute?.(minute++);
		}
		// What is under way may end; a job that does not is closed as it stands, and is a violation.
		const patience = clock.monotonic() + script.deadlineMs + 2 * AFTERMATH_MS;
		while (this.checker.open.length > 0 && clock.monotonic() < patience) await clock.pass(LOOK_MS);
		for (const dossier of this.checker.open) await clock.until(this.#close(dossier));
		await clock.until(Promise.all(this.#closing));
		// Cheats go on for ever; what they left behind must go when they do.
		for (const who of this.all.values()) if (!who.honest) who.leave();
		await clock.pass(LAST_MS);
		this.checker.end(this.all.values());
		for (const who of this.all.values()) who.clock.freeze();
	}

	count(fault: string): void {
		this.struck.set(fault, (this.struck.get(fault) ?? 0) + 1);
	}

	async #join(plan: NodePlan): Promise<void> {
		const { sabotage } = this.#options;
		const how = sabotage?.node === plan.id || sabotage?.node === 'every' ? sabotage.how : undefined;
		const who = await Inhabitant.join(
			plan,
			this.script,
			this.world,
			this.#follows(plan),
			this.checker,
			how,
			this.#options.policy
		);
		this.all.set(plan.id, who);
		this.checker.met(who);
	}

	#leave(plan: NodePlan): void {
		const who = this.all.get(plan.id);
		if (who === undefined) return;
		who.leave();
		this.count(plan.leaves);
	}

	async #ask(job: JobPlan, probe: boolean): Promise<void> {
		const asker = this.all.get(job.asker);
		const { clock } = this.world;
		if (asker === undefined || !asker.here || asker.clock.frozen) return void this.skipped++;
		this.asked++;
		const prompt = `#${job.id} ${Array.from({ length: job.words }, (_, i) => `word${(i * 7 + job.id) % 97}`).join(' ')}`;
		const dossier: Dossier = {
			plan: job,
			asker,
			askedAt: clock.monotonic(),
			prompt,
			hex: undefined,
			events: [],
			runs: [],
			owed: [],
			endedAt: undefined,
			probe
		};
		this.checker.asked(dossier);
		const stop = new AbortController();
		if (job.stopAfterMs !== undefined) {
			asker.clock.sleep(job.stopAfterMs).then(
				() => stop.abort(),
				() => undefined
			);
		}
		asker.asking++;
		const { minTokens, maxTokens, temperatureMilli } = job;
		const wish = {
			turns: [{ role: 'user' as const, content: prompt }],
			sampling: { temperatureMilli, topK: 20, topPMilli: 1000 },
			minTokens,
			maxTokens
		};
		const broken = breaks(asker.sabotage);
		let firstAt: number | undefined;
		await asker.node.ask(wish, stop.signal, { deadlineMs: this.script.deadlineMs }, (event) => {
			for (const seen of broken.event(event)) this.checker.saw(dossier, seen);
			if (event.type === 'words') firstAt ??= clock.monotonic();
		});
		asker.asking--;
		const last = dossier.events.at(-1);
		// Its page was closed in the midst: the job has no end that anybody could see.
		if (!asker.here && (last === undefined || !isEnd(last))) return;
		dossier.endedAt = clock.monotonic();
		this.#tally(dossier);
		if (asker.honest && dossier.events.at(-1)?.type === 'finished' && firstAt !== undefined) {
			this.waits.firstMs.push(firstAt - dossier.askedAt);
			this.waits.endMs.push(dossier.endedAt - dossier.askedAt);
		}
		if (probe) this.checker.probed(dossier);
		clock.at(clock.monotonic() + AFTERMATH_MS, () => this.#closing.push(this.#close(dossier)));
	}

	async #close(dossier: Dossier): Promise<void> {
		await this.checker.close(dossier, this.script.deadlineMs, DEFAULT_POLICY.maxPrice);
	}

	#tally({ events, asker }: Dossier): void {
		const end = events.at(-1);
		const name =
			end === undefined
				? 'none'
				: end.type === 'finished'
					? end.status
					: `${end.type}:${'code' in end ? end.code : ''}`;
		const whose = asker.honest ? name : `hostile ${name}`;
		this.ends.set(whose, (this.ends.get(whose) ?? 0) + 1);
		for (const event of events) {
			if (event.type === 'words') this.tokens += event.tokens.length;
			if (event.type === 'handed-over') this.handOvers++;
		}
	}

	/** All faults have been over for long enough. */
	#healed(): void {
		const everybody = [...this.all.values()];
		this.checker.healed(everybody);
		// Among cheats, and where more is asked than can be answered, no single job is promised an answer.
		if (this.script.nodes.some(({ cheat }) => cheat !== undefined) || this.script.scenario === 'overload') return;
		const { clock } = this.world;
		const fine = (who: Inhabitant) =>
			who.here &&
			who.plan.asks &&
			clock.monotonic() - who.plan.joinsAt > HEAL_MS &&
			Math.abs(who.clock.errorMs) < 30_000;
		const able = everybody.filter(fine);
		const lenders = everybody.filter((who) => fine(who) && who.lending).length;
		if (lenders < PROBES) return;
		const chance = new SeededRandom(`${this.script.seed}/probes`);
		for (let i = 0; i < PROBES && able.length > 0; i++) {
			const [asker] = able.splice(chance.below(able.length), 1) as [Inhabitant];
			const job: JobPlan = { ...PROBE, id: -1 - i, at: clock.monotonic(), asker: asker.plan.id };
			clock.at(clock.monotonic() + i * PROBE_EVERY_MS, () => void this.#ask(job, true));
		}
	}
}

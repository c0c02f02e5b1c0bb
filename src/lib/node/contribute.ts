/**
 * A node that offers its engine: says what it can, bids on wishes it may and can answer, and runs what it is assigned.
 *
 * What it may spend is decided by market/admit; what it owes is run by `execute`. It remembers its own bids, so nobody is served on
 * terms it did not offer.
 */
import { readyInMs, spend, type Allowance, type Pace } from '#lib/market/allowance.ts';
import type { Engine, EngineReady } from '#lib/ports/engine.ts';
import type { Channel, PeerId } from '#lib/ports/mesh.ts';
import { jobAnnouncement, type JobAnnouncement } from '#lib/protocol/announcement.ts';
import { read, type Signed } from '#lib/protocol/envelope.ts';
import { codeOf } from '#lib/protocol/errors.ts';
import { judgeGossip } from '#lib/protocol/gossip.ts';
import { offer } from '#lib/protocol/model.ts';
import { advertise } from './advertise.ts';
import { Desk } from './desk.ts';
import type { ContributeEvent } from './events.ts';
import { execute, turnAway } from './execute.ts';
import { KeptJobs } from './kept.ts';
import { OpenBids } from './open-bids.ts';
import type { ExecutorPorts } from './ports.ts';
import { Tender, type Offering } from './tender.ts';

/** What a contributor decides. */
export interface ContributeTerms {
	/** Microcredits per 1,000 tokens. */
	readonly pricePer1k: number;
	/** Self-declared region, shown as "says it is in …". */
	readonly region: string | undefined;
	/** Accounts that alone are answered; undefined, or where missing: everybody. Asked each time. */
	readonly circle?: () => ReadonlySet<string> | undefined;
}

export interface Contribution {
	/** Loads nothing: the engine is ready when this is called. Refusal `not-verifiable`. */
	start(): Promise<void>;
	/** Offers nothing and bids on nothing while `paused`; the running job goes on, and a bid that is out still holds. */
	pause(paused: boolean): void;
	/** Takes no new jobs and stops the running one, which still gets its receipt. */
	stop(): Promise<void>;
	/** How much it has taken on. */
	readonly load: ExecutorLoad;
}

/** Jobs that have the engine, jobs that wait for it, bids that somebody may still take. */
export interface ExecutorLoad {
	readonly running: number;
	readonly queued: number;
	readonly bids: number;
}

/** Channels of strangers that may stand at once; each that is not yet assigned waits at most execute.ASSIGN_MS. */
const MAX_CHANNELS = 32;
/** Of one node. It has one for each job that runs or waits here, and one more that it opens. */
const MAX_CHANNELS_PEER = 4;
/** Channels beyond these that are told so, of all nodes together; when those are used up, more are closed unread, so that a flood has one signature a second. */
const TURNED_AWAY: Pace = { burst: 8, perMs: 0.001 };

/** States of an engine that lives; one of any other has to be loaded again. */
const ALIVE: readonly Engine['state'][] = ['ready', 'busy', 'loading'];

export function contribute(
	ports: ExecutorPorts,
	terms: ContributeTerms,
	tell: (event: ContributeEvent) => void
): Contribution {
	const bids = new OpenBids(() => ports.clock.monotonic());
	const desk = new Desk(ports);
	const stopping = new AbortController();
	const tender = new Tender(ports, terms, desk, bids, tell, () => void revive());
	const running = new Map<Promise<void>, PeerId>();
	const kept = new KeptJobs(ports);
	const undo: (() => void)[] = [];
	let turnedAway: Allowance | undefined;
	let offering: Offering | undefined;
	let paused = false;
	/** Says what is offered, until called. */
	let quiet: (() => void) | undefined;
	let state: (() => void) | undefined;

	let reviving = false;

	/** Offers what the engine has just proved. */
	const open = ({ card, tokensPerSecond, loadMs, ...ready }: EngineReady) => {
		const model = offer(card);
		offering = { model, tokensPerSecond, loadMs };
		desk.tokensPerSecond = tokensPerSecond;
		state = () =>
			(quiet ??= advertise(model, { card, tokensPerSecond, loadMs, ...ready }, terms, () => desk.load, ports));
		if (!paused) state();
		tell({ type: 'ready', model: model.id, tokensPerSecond });
	};

	/** The engine is gone (its graphics device, its worker): it is loaded again, and nothing is stated meanwhile, which would not be true. */
	const revive = async () => {
		if (reviving || offering === undefined || stopping.signal.aborted) return;
		reviving = true;
		quiet?.();
		quiet = state = undefined;
		tell({ type: 'reviving', progress: undefined });
		try {
			open(await ports.engine.load((progress) => tell({ type: 'reviving', progress }), stopping.signal));
		} catch (error) {
			offering = undefined;
			if (!stopping.signal.aborted) tell({ type: 'engine-lost', code: codeOf(error) });
		} finally {
			reviving = false;
		}
	};

	const told = (event: ContributeEvent) => {
		tell(event);
		if (event.type === 'ended' && !ALIVE.includes(ports.engine.state)) void revive();
	};

	const hear = async (bytes: Uint8Array) => {
		// Who asks by gossip is nobody's acquaintance.
		if (paused || offering === undefined || terms.circle?.() !== undefined) return;
		const answer = await tender.overGossip(read(jobAnnouncement, bytes), offering);
		if (answer !== undefined) await ports.mesh.publish('fireweed/1/bids', answer.bytes);
	};

	const hearDirectly = async (wish: Signed<JobAnnouncement>, peer: PeerId, account: string | undefined) => {
		if (paused || offering === undefined) return undefined;
		const circle = terms.circle?.();
		if (circle !== undefined && (account === undefined || !circle.has(account))) return undefined;
		return (await tender.directly(wish, peer, offering))?.bytes;
	};

	const noRoom = (channel: Channel) => {
		const now = ports.clock.monotonic();
		if (readyInMs(turnedAway, TURNED_AWAY, 1, now) > 0) return channel.abort();
		turnedAway = spend(turnedAway, TURNED_AWAY, 1, now);
		void turnAway(channel, () => desk.retryMs, ports, stopping.signal);
	};

	const serve = (channel: Channel) => {
		const ofPeer = [...running.values()].filter((peer) => peer === channel.peer).length;
		if (stopping.signal.aborted) return channel.abort();
		if (running.size >= MAX_CHANNELS || ofPeer >= MAX_CHANNELS_PEER) return noRoom(channel);
		const work = execute(
			channel,
			(wish, account) => hearDirectly(wish, channel.peer, account),
			(job, bid) => bids.take(job, bid),
			desk,
			ports,
			stopping.signal,
			told,
			kept
		);
		running.set(work, channel.peer);
		void work.finally(() => running.delete(work));
	};

	return {
		start: async () => {
			const ready = await ports.engine.load(() => undefined, stopping.signal);
			// Before anybody is heard: what cannot be lent is refused here.
			offer(ready.card);
			undo.push(
				ports.mesh.onChannel(serve),
				ports.mesh.subscribe(
					'fireweed/1/announcements',
					(bytes) => judgeGossip('fireweed/1/announcements', bytes, ports.crypto, ports.clock.now()),
					(bytes) => {
						hear(bytes).catch((error: unknown) => tell({ type: 'refused', code: codeOf(error) }));
					}
				)
			);
			open(ready);
		},
		pause: (value) => {
			paused = value;
			if (!paused) return state?.();
			quiet?.();
			quiet = undefined;
		},
		stop: async () => {
			for (const step of undo.splice(0)) step();
			quiet?.();
			state = undefined;
			stopping.abort();
			desk.close();
			await Promise.allSettled(running.keys());
			kept.clear();
		},
		get load() {
			return { ...desk.load, bids: bids.size };
		}
	};
}

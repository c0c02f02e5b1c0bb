/**
 * A node that offers its engine: says what it can, bids on wishes it may and can answer, and runs what it is assigned.
 *
 * What it may spend is decided by market/admit; what it owes is run by `execute`. It remembers its own bids, so nobody is served on
 * terms it did not offer.
 */
import { admit, type ExecutorView } from '#lib/market/admit.ts';
import type { Engine } from '#lib/ports/engine.ts';
import type { Channel } from '#lib/ports/mesh.ts';
import { jobAnnouncement, type JobAnnouncement } from '#lib/protocol/announcement.ts';
import { commitNonce, jobBid, jobInterest, type JobBid } from '#lib/protocol/bid.ts';
import { read, seal, type Signed } from '#lib/protocol/envelope.ts';
import { codeOf } from '#lib/protocol/errors.ts';
import { judgeGossip } from '#lib/protocol/gossip.ts';
import { CLOCK_SKEW_MS } from '#lib/protocol/limits.ts';
import { offer, type OfferedModel } from '#lib/protocol/model.ts';
import { toHex } from '#lib/protocol/encode.ts';
import { advertise } from './advertise.ts';
import type { ContributeEvent } from './events.ts';
import { execute } from './execute.ts';
import type { ExecutorPorts } from './ports.ts';

/** What a contributor decides. */
export interface ContributeTerms {
	/** Microcredits per 1,000 tokens. */
	readonly pricePer1k: number;
	/** Self-declared region, shown as "says it is in …". */
	readonly region: string | undefined;
}

/** A bid this node has out, with what only it knows. */
export interface OpenBid {
	readonly announcement: Signed<JobAnnouncement>;
	readonly bid: Signed<JobBid>;
	readonly nonce: Uint8Array;
	readonly model: OfferedModel;
	/** Monotonic ms. */
	readonly expiresAt: number;
}

export interface Contribution {
	/** Loads nothing: the engine is ready when this is called. Refusal `not-verifiable`. */
	start(): Promise<void>;
	/** Offers nothing and bids on nothing while `paused`; the running job goes on, and a bid that is out still holds. */
	pause(paused: boolean): void;
	/** Takes no new jobs and stops the running one, which still gets its receipt. */
	stop(): Promise<void>;
}

/** A bid binds this long: the bid window, a new WebRTC connection with its retries, and the assignment. */
const BID_VALID_MS = 20_000;
/** Bids remembered; older ones have long expired. */
const MAX_REMEMBERED = 256;
/** Channels of strangers that may stand at once; each that is not yet assigned waits at most execute.ASSIGN_MS. */
const MAX_CHANNELS = 32;

export function contribute(
	ports: ExecutorPorts,
	terms: ContributeTerms,
	tell: (event: ContributeEvent) => void
): Contribution {
	const bids = new Map<string, OpenBid>();
	const stopping = new AbortController();
	const running = new Set<Promise<void>>();
	const undo: (() => void)[] = [];
	let tokensPerSecond = 0;
	let loadMs = 0;
	let model: OfferedModel | undefined;
	let paused = false;
	/** Says what is offered, until called. */
	let quiet: (() => void) | undefined;
	let state: (() => void) | undefined;

	const forget = () => {
		const now = ports.clock.monotonic();
		for (const [key, open] of bids) if (open.expiresAt <= now || bids.size > MAX_REMEMBERED) bids.delete(key);
	};

	const hear = async (bytes: Uint8Array) => {
		const announcement = read(jobAnnouncement, bytes);
		const key = toHex(announcement.body.job);
		forget();
		if (paused || model === undefined || Math.abs(announcement.body.issuedAt - ports.clock.now()) > CLOCK_SKEW_MS)
			return;
		const view: ExecutorView = {
			model,
			engine: readiness(ports.engine, stopping.signal),
			readyInMs: Math.ceil(loadMs),
			openBids: bids.size,
			pricePer1k: terms.pricePer1k,
			tokensPerSecond,
			region: terms.region
		};
		const verdict = admit(announcement.body, view);
		tell({ type: 'considered', job: key, verdict: verdict.type });
		const common = {
			job: announcement.body.job,
			announcement: announcement.cid,
			issuedAt: ports.clock.now(),
			extensions: {}
		};
		const { node, certificate } = ports.identity;
		if (verdict.type === 'interest') {
			const body = { ...common, model: model.id, readyInMs: verdict.readyInMs };
			await ports.mesh.publish('fireweed/1/bids', (await seal(jobInterest, body, node, certificate)).bytes);
		}
		if (verdict.type !== 'bid') return;
		const nonce = ports.random.bytes(32);
		const body: JobBid = {
			...common,
			model,
			pricePer1k: verdict.pricePer1k,
			firstTokenMs: verdict.firstTokenMs,
			milliTokensPerSecond: Math.round(tokensPerSecond * 1000),
			...(terms.region === undefined ? {} : { region: terms.region }),
			addresses: [...ports.mesh.addresses()].slice(0, 8),
			nonceCommitment: commitNonce(nonce),
			validMs: BID_VALID_MS
		};
		const bid = await seal(jobBid, body, node, certificate);
		bids.set(key, { announcement, bid, nonce, model, expiresAt: ports.clock.monotonic() + BID_VALID_MS });
		await ports.mesh.publish('fireweed/1/bids', bid.bytes);
	};

	const serve = (channel: Channel) => {
		if (stopping.signal.aborted || running.size >= MAX_CHANNELS) return channel.abort();
		// A bid is taken once: a second assignment of the same job finds none (replay).
		const take = (key: string) => {
			forget();
			const found = bids.get(key);
			bids.delete(key);
			return found;
		};
		const work = execute(channel, take, ports, stopping.signal, tell).finally(() => running.delete(work));
		running.add(work);
	};

	return {
		start: async () => {
			const ready = await ports.engine.load(() => undefined, stopping.signal);
			const offered = (model = offer(ready.card));
			tokensPerSecond = ready.tokensPerSecond;
			loadMs = ready.loadMs;
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
			state = () => (quiet ??= advertise(offered, ready, terms, ports));
			if (!paused) state();
			tell({ type: 'ready', model: model.id, tokensPerSecond });
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
			await Promise.allSettled(running);
		}
	};
}

/** What the engine could do now. One whose worker died since is loaded again: the next wish may then find it ready. */
function readiness(engine: Engine, signal: AbortSignal): ExecutorView['engine'] {
	if (engine.state === 'ready' || engine.state === 'busy') return engine.state;
	engine.load(() => undefined, signal).catch(() => undefined);
	return 'loading';
}

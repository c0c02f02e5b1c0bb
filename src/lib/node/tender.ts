/** Step 4 at the executor: hears a wish and answers it with a bid, with "could, later", or not at all. */
import { admit, type ExecutorView, type Verdict } from '#lib/market/admit.ts';
import { readyInMs, spend, type Allowance, type Pace } from '#lib/market/allowance.ts';
import type { Engine } from '#lib/ports/engine.ts';
import type { PeerId } from '#lib/ports/mesh.ts';
import type { JobAnnouncement } from '#lib/protocol/announcement.ts';
import { commitNonce, jobBid, jobInterest, type JobBid } from '#lib/protocol/bid.ts';
import { toHex } from '#lib/protocol/encode.ts';
import { seal, type Signed } from '#lib/protocol/envelope.ts';
import { CLOCK_SKEW_MS } from '#lib/protocol/limits.ts';
import type { OfferedModel } from '#lib/protocol/model.ts';
import type { ContributeTerms } from './contribute.ts';
import type { Desk } from './desk.ts';
import type { ContributeEvent } from './events.ts';
import type { OpenBid, OpenBids } from './open-bids.ts';
import type { ExecutorPorts } from './ports.ts';

/** What this node offers, once its engine is ready. */
export interface Offering {
	readonly model: OfferedModel;
	readonly tokensPerSecond: number;
	readonly loadMs: number;
}

/** A bid binds this long: the bid window, a new WebRTC connection with its retries, and the assignment; and as a spare while the job runs. */
export const BID_VALID_MS = 20_000;
/** Wishes over gossip have no author, so all of them share one allowance of answers; each costs a signature here and bytes everywhere. */
const GOSSIP_ANSWERS: Pace = { burst: 64, perMs: 0.025 };
/** One node that asks directly, a few at once and one in two seconds; and all of them together. It is apart from gossip, so that a flood there does not shut out who is known. */
const DIRECT_ANSWERS: Pace = { burst: 8, perMs: 0.0005 };
const ALL_DIRECT_ANSWERS: Pace = { burst: 64, perMs: 0.025 };
/** Nodes whose pace is remembered; a new name gets a new allowance, which is why all together have one. */
const MAX_ASKERS = 256;
/** Of all who offer the model, about so many answer a wish (protocol.md 3: k/n). Sixteen draws miss all one time in nine million. */
const ANSWERS_WANTED = 16;
/** And so many say that they are full: an asker needs one such word, not all. */
const BUSY_WANTED = 4;

/** An answer to a wish; `open` when it is a bid. */
export interface Answer {
	readonly bytes: Uint8Array;
	readonly open: OpenBid | undefined;
}

export class Tender {
	readonly #ports: ExecutorPorts;
	readonly #terms: ContributeTerms;
	readonly #desk: Desk;
	readonly #bids: OpenBids;
	readonly #tell: (event: ContributeEvent) => void;
	readonly #revive: () => void;
	#answers: Allowance | undefined;
	#direct: Allowance | undefined;
	/** By PeerId, in order of last use. */
	readonly #askers = new Map<PeerId, Allowance>();

	constructor(
		ports: ExecutorPorts,
		terms: ContributeTerms,
		desk: Desk,
		bids: OpenBids,
		tell: (event: ContributeEvent) => void,
		revive: () => void
	) {
		this.#ports = ports;
		this.#terms = terms;
		this.#desk = desk;
		this.#bids = bids;
		this.#tell = tell;
		this.#revive = revive;
	}

	/** A wish out of gossip: undefined when this node says nothing to it. */
	async overGossip(announcement: Signed<JobAnnouncement>, offering: Offering): Promise<Answer | undefined> {
		const now = this.#ports.clock.monotonic();
		if (readyInMs(this.#answers, GOSSIP_ANSWERS, 1, now) > 0) return undefined;
		const verdict = this.#judge(announcement, offering);
		if (verdict === undefined) return undefined;
		if (!this.#drawn(verdict.type === 'bid' ? ANSWERS_WANTED : BUSY_WANTED, announcement.body.model)) return undefined;
		const answer = await this.#answer(announcement, offering, verdict);
		if (answer !== undefined) this.#answers = spend(this.#answers, GOSSIP_ANSWERS, 1, now);
		return answer;
	}

	/** A wish said to this node alone, by `peer`: undefined when it has asked too often, or this node would not take it. */
	async directly(announcement: Signed<JobAnnouncement>, peer: PeerId, offering: Offering): Promise<Answer | undefined> {
		const now = this.#ports.clock.monotonic();
		const asked = this.#askers.get(peer);
		if (readyInMs(asked, DIRECT_ANSWERS, 1, now) > 0 || readyInMs(this.#direct, ALL_DIRECT_ANSWERS, 1, now) > 0)
			return undefined;
		this.#askers.delete(peer);
		this.#askers.set(peer, spend(asked, DIRECT_ANSWERS, 1, now));
		const [oldest] = this.#askers.keys();
		if (this.#askers.size > MAX_ASKERS && oldest !== undefined) this.#askers.delete(oldest);
		this.#direct = spend(this.#direct, ALL_DIRECT_ANSWERS, 1, now);
		const verdict = this.#judge(announcement, offering);
		return verdict === undefined ? undefined : this.#answer(announcement, offering, verdict);
	}

	#judge(announcement: Signed<JobAnnouncement>, offering: Offering): Verdict | undefined {
		const { clock, engine } = this.#ports;
		const { body } = announcement;
		if (Math.abs(body.issuedAt - clock.now()) > CLOCK_SKEW_MS) return undefined;
		const view: ExecutorView = {
			model: offering.model,
			engine: this.#readiness(engine),
			readyInMs: Math.ceil(offering.loadMs),
			queue: this.#desk.outlook(body),
			pricePer1k: this.#terms.pricePer1k,
			tokensPerSecond: offering.tokensPerSecond,
			region: this.#terms.region
		};
		const verdict = admit(body, view);
		this.#tell({ type: 'considered', job: toHex(body.job), verdict: verdict.type });
		return verdict;
	}

	/** What the engine could do now. One that died since, while nobody needed it, is loaded again: the next wish may then find it ready. */
	#readiness({ state }: Engine): ExecutorView['engine'] {
		if (state === 'ready' || state === 'busy') return state;
		this.#revive();
		return 'loading';
	}

	/** Whether this node is one of the `wanted` that answer, drawn by lot among all it knows to offer the model. */
	#drawn(wanted: number, model: string | undefined): boolean {
		const { offering, random } = this.#ports;
		// Itself is not among those it has heard of.
		const all = (offering(model)?.length ?? 0) + 1;
		if (all <= wanted) return true;
		const [high = 0, low = 0] = random.bytes(2);
		return (high * 256 + low) / 65_536 < wanted / all;
	}

	async #answer(
		announcement: Signed<JobAnnouncement>,
		{ model, tokensPerSecond }: Offering,
		verdict: Verdict
	): Promise<Answer | undefined> {
		if (verdict.type === 'decline') return undefined;
		const { clock, identity, mesh, random } = this.#ports;
		const { region } = this.#terms;
		const stamp = { issuedAt: clock.now(), extensions: {} };
		const common = { job: announcement.body.job, announcement: announcement.cid, ...stamp };
		const { node, certificate } = identity;
		if (verdict.type !== 'bid') {
			const ms = verdict.type === 'busy' ? verdict.retryMs : verdict.readyInMs;
			const readyInMs = Math.min(MAX_READY_MS, ms);
			const why = verdict.type === 'busy' ? ({ why: 'busy' } as const) : {};
			const said = await seal(jobInterest, { ...common, model: model.id, readyInMs, ...why }, node, certificate);
			return { bytes: said.bytes, open: undefined };
		}
		const nonce = random.bytes(32);
		const body: JobBid = {
			...common,
			model,
			pricePer1k: verdict.pricePer1k,
			firstTokenMs: verdict.firstTokenMs,
			...(verdict.waitMs > 0 ? { waitMs: verdict.waitMs } : {}),
			milliTokensPerSecond: Math.round(tokensPerSecond * 1000),
			...(region === undefined ? {} : { region }),
			addresses: [...mesh.addresses()].slice(0, 8),
			nonceCommitment: commitNonce(nonce),
			validMs: BID_VALID_MS
		};
		const bid = await seal(jobBid, body, node, certificate);
		const open = { announcement, bid, nonce, model, madeAt: clock.monotonic() };
		this.#bids.add(open);
		return { bytes: bid.bytes, open };
	}
}

/** The longest that a message can say; a device that slept while its model loaded took longer. A bid never does: its first word comes within the deadline. */
const MAX_READY_MS = 3_600_000;

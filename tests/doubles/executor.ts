/** The executor's side of one job without a network: its ports on virtual time, a wire whose far end the test holds, and what an asker signs. */
import type { OpenBid } from '#lib/node/open-bids.ts';
import type { ExecutorPorts } from '#lib/node/ports.ts';
import type { Terms } from '#lib/node/deliver.ts';
import type { Channel } from '#lib/ports/mesh.ts';
import { jobAnnouncement, type JobAnnouncement } from '#lib/protocol/announcement.ts';
import { assignJob, jobCancel, type AssignJob, type JobCancel } from '#lib/protocol/assignment.ts';
import { commitNonce, jobBid, seedOf, type JobBid } from '#lib/protocol/bid.ts';
import { acknowledgement, checkpoint, type Acknowledgement } from '#lib/protocol/checkpoint.ts';
import { read, seal, sealBytes, type Signed } from '#lib/protocol/envelope.ts';
import { Refusal, type Code } from '#lib/protocol/errors.ts';
import { offer } from '#lib/protocol/model.ts';
import { DEFAULT_POLICY, publicPart } from '#lib/protocol/policy.ts';
import { executionReceipt, receiptCountersignature } from '#lib/protocol/receipt.ts';
import { reattachJob, type ReattachJob } from '#lib/protocol/reattach.ts';
import { openStore } from '#lib/store/store.ts';
import { SeededRandom } from './chance.ts';
import { VirtualClock } from './clock.ts';
import { ScriptedEngine, type ScriptedEngineInit } from './engine.ts';
import { FarEnd, typeOf } from './far-end.ts';
import { Seals } from './seals.ts';

/** One end of a channel; the test is the other. */
export class Wire implements Channel {
	readonly peer: string;
	readonly sent: Uint8Array[] = [];
	state: 'open' | 'closed' | 'aborted' = 'open';
	/** What sending is refused with. */
	refuses: Code | undefined;
	/** Called with each message when it was sent. */
	onSent: (bytes: Uint8Array) => void = () => undefined;
	readonly messages = new FarEnd();
	/** How often something was to be sent, whether it went or not. */
	tries = 0;

	constructor(peer: string) {
		this.peer = peer;
	}

	/** The types of what was sent, in order. */
	get types(): readonly string[] {
		return this.sent.map(typeOf);
	}

	/** The far end says it. */
	hear(bytes: Uint8Array): void {
		this.messages.says(bytes);
	}

	/** The far end closes in good order, or the channel breaks with a code. */
	end(code?: Code): void {
		this.messages.ends(code);
	}

	async send(bytes: Uint8Array): Promise<void> {
		this.tries++;
		if (this.refuses !== undefined) throw new Refusal(this.refuses);
		if (this.state !== 'open') throw new Refusal('channel-closed');
		this.sent.push(bytes);
		this.onSent(bytes);
	}

	async close(): Promise<void> {
		if (this.state === 'open') this.state = 'closed';
	}

	abort(): void {
		this.state = 'aborted';
		this.messages.ends('channel-closed');
	}
}

export interface ExecutorInit {
	readonly engine?: Partial<ScriptedEngineInit>;
	/** Changes the ports before anything sees them. */
	readonly dress?: (ports: ExecutorPorts) => ExecutorPorts;
}

const bytes = (length: number, first: number) => Uint8Array.from({ length }, (_, i) => (first + i) & 255);

/** An executor that is loaded, and an asker with one job for it. */
export async function executorStage(init: ExecutorInit = {}) {
	const clock = new VirtualClock();
	const seals = new Seals();
	const random = new SeededRandom('executor');
	const identity = await seals.identity(bytes(32, 1), bytes(32, 2), clock.now());
	const asking = await seals.identity(bytes(32, 3), bytes(32, 4), clock.now());
	const engine = new ScriptedEngine({ clock, ...init.engine });
	await clock.until(engine.load(() => undefined, new AbortController().signal));
	const store = await openStore({ pathname: '/', now: () => clock.now(), keep: 'memory' });
	const log: { readonly event: string; readonly facts: unknown }[] = [];
	const plain = {
		...{ store, identity, engine, clock, random, crypto: seals },
		log: (event: string, facts: unknown) => log.push({ event, facts })
	} as unknown as ExecutorPorts;
	const ports = init.dress?.(plain) ?? plain;
	const key = seals.signer(bytes(32, 5));
	const stranger = seals.signer(bytes(32, 6));
	const job = bytes(16, 7);
	const nonce = bytes(32, 8);
	const model = offer(engine.card);
	const stamp = () => ({ issuedAt: clock.now(), extensions: {} });

	const announced = (change: Partial<JobAnnouncement> = {}) =>
		seal(
			jobAnnouncement,
			{
				...{ job, promptTokens: 64, minTokens: 40, maxTokens: 40, policy: publicPart(DEFAULT_POLICY), windowMs: 200 },
				...stamp(),
				...change
			},
			key
		);
	/** An open bid on the announcement. */
	const offered = async (announcement: Signed<JobAnnouncement>, change: Partial<JobBid> = {}): Promise<OpenBid> => {
		const body: JobBid = {
			...{ job, announcement: announcement.cid, model, pricePer1k: 100_000, firstTokenMs: 100 },
			...{ milliTokensPerSecond: 50_000, addresses: [], nonceCommitment: commitNonce(nonce), validMs: 20_000 },
			...stamp(),
			...change
		};
		const bid = await seal(jobBid, body, identity.node, identity.certificate);
		return { announcement, bid, nonce, model, madeAt: clock.monotonic() };
	};
	const assigned = ({ bid, announcement }: OpenBid, change: Partial<AssignJob> = {}, by = key) =>
		seal(
			assignJob,
			{
				...{ job, epoch: 1, bid: bid.cid, turns: [{ role: 'user', content: 'how does fireweed grow' }] as const },
				...{ continueFrom: [], sampling: { temperatureMilli: 1000, topK: 20, topPMilli: 1000 } },
				...{ minTokens: announcement.body.minTokens, maxTokens: announcement.body.maxTokens },
				...{ pricePer1k: bid.body.pricePer1k, originatorNonce: bytes(32, 9), salt: bytes(32, 10) },
				...{ predecessors: [], ...stamp() },
				...change
			} as AssignJob,
			by
		);
	/** What both would have agreed on. */
	const agreed = async (length: number, change: Partial<AssignJob> = {}, more: Partial<Terms> = {}): Promise<Terms> => {
		const open = await offered(await announced({ minTokens: length, maxTokens: length }));
		const assignment = await assigned(open, change);
		const { epoch, originatorNonce, pricePer1k } = assignment.body;
		const seed = seedOf(job, epoch, originatorNonce, nonce);
		const { announcement, bid } = open;
		return { assignment, announcement, bid, model, nonce, seed, pricePer1k, sameAccount: false, ...more };
	};

	const acknowledge = async (of: Uint8Array, change: Partial<Acknowledgement> = {}, by = key) => {
		const { body, cid } = read(checkpoint, of);
		const { epoch, tokens, chain } = body;
		const words = { job, epoch, checkpoint: cid, tokens, chain, ...stamp(), ...change };
		return (await seal(acknowledgement, words, by)).bytes;
	};
	const countersign = async (of: Uint8Array, by = key) =>
		(await sealBytes(receiptCountersignature, read(executionReceipt, of).bodyBytes, by)).bytes;
	const cancel = async (change: Partial<JobCancel> = {}, by = key) =>
		(await seal(jobCancel, { job, epoch: 1, reason: 'stopped', ...stamp(), ...change }, by)).bytes;
	const comeBack = (to: Signed<AssignJob>, change: Pick<ReattachJob, 'tokens' | 'chain'> & Partial<ReattachJob>) => {
		const node = asking.node.publicKey;
		const { cid } = to;
		const words = { job, epoch: 1, assignment: cid, checked: 0, attempt: 1, node, ...stamp(), ...change };
		return seal(reattachJob, words, key);
	};
	/** From now on whatever is sent over the wire is confirmed; `only` types of it. */
	const confirm = (wire: Wire, only = [checkpoint.type, executionReceipt.type]) => {
		wire.onSent = (said) => {
			const type = typeOf(said);
			if (!only.includes(type)) return;
			const answer =
				type === checkpoint.type ? acknowledge(said) : type === executionReceipt.type ? countersign(said) : undefined;
			void answer?.then((word) => wire.hear(word));
		};
	};
	return {
		...{ clock, seals, random, identity, asking, engine, store, log, ports, key, stranger, job, nonce, model },
		...{ announced, offered, assigned, agreed, acknowledge, countersign, cancel, comeBack, confirm }
	};
}

export type ExecutorStage = Awaited<ReturnType<typeof executorStage>>;

/** The signed papers of one job between an asker and an executor, as the two hand them to each other, and the ports to read them with. */
import type { AnnouncedJob } from '#lib/node/announce.ts';
import type { HiredJob } from '#lib/node/hired-job.ts';
import { Inbox, type JobMail } from '#lib/node/inbox.ts';
import type { ExecutorPorts } from '#lib/node/ports.ts';
import type { Channel } from '#lib/ports/mesh.ts';
import type { Identity, Signer } from '#lib/ports/keys.ts';
import { jobAnnouncement, type JobAnnouncement } from '#lib/protocol/announcement.ts';
import { assignJob, type AssignJob } from '#lib/protocol/assignment.ts';
import { commitNonce, jobBid, seedOf, type JobBid } from '#lib/protocol/bid.ts';
import { acknowledgement, checkpoint, type Acknowledgement, type Checkpoint } from '#lib/protocol/checkpoint.ts';
import { toHex } from '#lib/protocol/encode.ts';
import { seal, sealBytes, type Signed } from '#lib/protocol/envelope.ts';
import { DEFAULT_POLICY } from '#lib/protocol/policy.ts';
import { executionReceipt, receiptCountersignature, type ExecutionReceipt } from '#lib/protocol/receipt.ts';
import { reattachJob, type ReattachJob } from '#lib/protocol/reattach.ts';
import { SAMPLES } from '../fixtures/messages.ts';
import { VirtualClock } from './clock.ts';
import { FarEnd } from './far-end.ts';
import { Seals } from './seals.ts';
import { Shelves } from './shelves.ts';

const sampleOf = <T>(type: string) => SAMPLES.find(({ kind }) => kind.type === type)?.body as T;
const secret = (n: number) => new Uint8Array(32).fill(n);

/** What is to be different about the job. */
export interface PapersChange {
	readonly assignment?: Partial<AssignJob>;
	readonly bid?: Partial<JobBid>;
	/** Both sides are of one account. */
	readonly sameAccount?: boolean;
}

/** A channel that takes everything; what comes over it is for the test to say. */
export function channelTo(peer: string) {
	const sent: Uint8Array[] = [];
	const state = { aborted: 0, closed: 0 };
	const messages = new FarEnd();
	return {
		...{ peer, sent, state, messages },
		send: async (message: Uint8Array) => void sent.push(message),
		close: async () => void state.closed++,
		abort: () => {
			state.aborted++;
			messages.ends('channel-closed');
		}
	} satisfies Channel & Record<string, unknown>;
}

/** What both sides hold once the job is assigned. */
interface Made {
	readonly seals: Seals;
	readonly key: Signer;
	readonly asker: Identity;
	readonly executor: Identity;
	readonly announcement: Signed<JobAnnouncement>;
	readonly bid: Signed<JobBid>;
	readonly assignment: Signed<AssignJob>;
}

/** The executor's half of the seed. */
const NONCE = secret(2);

export class Papers {
	readonly clock = new VirtualClock();
	readonly store = new Shelves();
	readonly log: { readonly event: string; readonly facts: unknown }[] = [];
	/** Job keys that are kept for a page that comes back. */
	readonly keys = new Map<string, Signer>();
	readonly nonce = NONCE;
	readonly policy = DEFAULT_POLICY;
	readonly seals: Seals;
	/** Signs for the job. */
	readonly key: Signer;
	readonly asker: Identity;
	readonly executor: Identity;
	readonly announcement: Signed<JobAnnouncement>;
	readonly bid: Signed<JobBid>;
	readonly assignment: Signed<AssignJob>;

	private constructor(made: Made) {
		({ seals: this.seals, key: this.key, asker: this.asker, executor: this.executor } = made);
		({ announcement: this.announcement, bid: this.bid, assignment: this.assignment } = made);
	}

	static async of({ assignment, bid, sameAccount = false }: PapersChange = {}): Promise<Papers> {
		const seals = new Seals();
		const now = new VirtualClock().now();
		const asker = await seals.identity(secret(3), secret(4), now);
		const executor = await seals.identity(secret(sameAccount ? 3 : 5), secret(6), now);
		const key = seals.signer(secret(1));
		const announcement = await seal(jobAnnouncement, sampleOf<JobAnnouncement>(jobAnnouncement.type), key);
		const offer = {
			...sampleOf<JobBid>(jobBid.type),
			...{ announcement: announcement.cid, nonceCommitment: commitNonce(NONCE), ...bid }
		};
		const offered = await seal(jobBid, offer, executor.node, executor.certificate);
		const { seedFrom: _seedFrom, ...first } = sampleOf<AssignJob>(assignJob.type);
		const given = { ...first, epoch: 1, bid: offered.cid, continueFrom: [], predecessors: [], ...assignment };
		return new Papers({
			...{ seals, key, asker, executor, announcement, bid: offered },
			assignment: await seal(assignJob, given, key)
		});
	}

	/** Of either side; `identity` is the asker's. */
	get ports(): ExecutorPorts {
		const { clock, seals: crypto, store, log, keys, asker: identity } = this;
		const name = (key: Uint8Array) => toHex(key);
		return {
			...{ clock, crypto, store, identity },
			log: (event: string, facts: unknown) => void log.push({ event, facts }),
			jobKeys: {
				keepJobKey: async (key: Signer) => void keys.set(name(key.publicKey), key),
				keptJobKey: async (key: Uint8Array) => keys.get(name(key)),
				dropJobKey: async (key: Uint8Array) => void keys.delete(name(key))
			}
		} as unknown as ExecutorPorts;
	}

	get job(): AnnouncedJob {
		const { key, policy, announcement } = this;
		const { job } = announcement.body;
		return { id: job, hex: toHex(job), key, policy, announcement };
	}

	/** The job as its asker has it once it was accepted. */
	hired(change: Partial<HiredJob> = {}): HiredJob {
		const { bid, executor, asker, assignment, nonce, clock } = this;
		const { job, epoch, originatorNonce } = assignment.body;
		return {
			job: this.job,
			executor: {
				...{ bid: bid.body, signed: bid, executor: executor.peer, account: executor.account },
				...{ accountKey: executor.accountKey, sameAccount: executor.account === asker.account, heardAt: 0 }
			},
			assignment,
			seed: seedOf(job, epoch, originatorNonce, nonce),
			seedFrom: { epoch, originatorNonce, executorNonce: nonce },
			channel: channelTo(executor.peer),
			inbox: new Inbox<JobMail>(clock),
			deadlineAt: clock.monotonic() + this.policy.deadlineMs,
			startedFrom: 0,
			parts: [],
			...change
		};
	}

	/** The executor's word for everything up to `tokens`. */
	async checkpoint(tokens: number, change: Partial<Checkpoint> = {}, by = this.executor.node) {
		const { body, cid: assignment } = this.assignment;
		const { job, epoch } = body;
		const said = { ...sampleOf<Checkpoint>(checkpoint.type), job, epoch, assignment, tokens };
		return seal(checkpoint, { ...said, issuedAt: this.clock.now(), ...change }, by);
	}

	/** The asker's answer to it. */
	async acknowledgement(of: Signed<Checkpoint>, change: Partial<Acknowledgement> = {}, by: Signer = this.key) {
		const { job, epoch, tokens, chain } = of.body;
		const said = { job, epoch, checkpoint: of.cid, tokens, chain, issuedAt: this.clock.now(), extensions: {} };
		return seal(acknowledgement, { ...said, ...change }, by);
	}

	/** Sealed by the executor, who is certified unless said otherwise. */
	async receipt(
		change: Partial<ExecutionReceipt> = {},
		certificate: Uint8Array | undefined = this.executor.certificate
	) {
		const { executor, key, assignment, announcement } = this;
		const { job, epoch } = assignment.body;
		const said: ExecutionReceipt = {
			...sampleOf<ExecutionReceipt>(executionReceipt.type),
			...{ job, epoch, assignment: assignment.cid, announcement: announcement.cid, originator: key.publicKey },
			...{ executorNode: executor.node.publicKey, executorAccount: executor.accountKey, ...change }
		};
		return seal(executionReceipt, said, executor.node, certificate);
	}

	/** The asker's signature under the same bytes. */
	async countersigned(receipt: Signed<ExecutionReceipt>, by: Signer = this.key) {
		return sealBytes(receiptCountersignature, receipt.bodyBytes, by);
	}

	/** The request of a page that comes back, to go on after nothing. */
	async request(change: Partial<ReattachJob> = {}, by: Signer = this.key) {
		const { body, cid: assignment } = this.assignment;
		const { job, epoch } = body;
		const said = { ...sampleOf<ReattachJob>(reattachJob.type), job, epoch, assignment, tokens: 0, checked: 0 };
		return seal(reattachJob, { ...said, node: this.asker.node.publicKey, ...change }, by);
	}
}

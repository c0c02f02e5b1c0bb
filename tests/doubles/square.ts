/**
 * A market square on virtual time: one who asks, and lenders who say nothing by themselves. What comes to the asker, over the topic of bids or over
 * a channel, and when, is the test's own; what the asker says and opens is written down.
 */
import { announce, type AnnouncedJob } from '#lib/node/announce.ts';
import type { Offer, Wish } from '#lib/node/app.ts';
import type { SignedBid } from '#lib/node/bidding.ts';
import type { OriginateEvent } from '#lib/node/events.ts';
import type { NodePorts } from '#lib/node/ports.ts';
import { Registry } from '#lib/node/registry.ts';
import type { Identity, Signer } from '#lib/ports/keys.ts';
import type { Channel, Mesh, MeshEvent, PeerId, Verdict } from '#lib/ports/mesh.ts';
import type { Random } from '#lib/ports/random.ts';
import { assignJob } from '#lib/protocol/assignment.ts';
import { commitNonce, jobBid, jobInterest, type JobBid, type JobInterest } from '#lib/protocol/bid.ts';
import { read, seal, type Signed } from '#lib/protocol/envelope.ts';
import { codeOf, retryMsOf, type Code } from '#lib/protocol/errors.ts';
import type { OfferedModel } from '#lib/protocol/model.ts';
import { DEFAULT_POLICY, type ExecutionPolicy } from '#lib/protocol/policy.ts';
import { jobStatus, type JobStatusUpdate } from '#lib/protocol/status.ts';
import type { Topic } from '#lib/protocol/topic.ts';
import { SeededRandom } from './chance.ts';
import { VirtualClock } from './clock.ts';
import { FarEnd } from './far-end.ts';
import { ORDINARY_WISH } from './node.ts';
import { Seals } from './seals.ts';

export const MODEL: OfferedModel = {
	...{ id: 'small', name: 'Small', engineClass: 'this-wasm-1t', contextTokens: 4_096 },
	weightsHash: new Uint8Array(32).fill(1),
	tokenizerHash: new Uint8Array(32).fill(2),
	templateHash: new Uint8Array(32).fill(3),
	engineHash: new Uint8Array(32).fill(4)
};

/** One end of a channel; the far end is the test. */
export class Wire implements Channel {
	readonly peer: PeerId;
	readonly sent: Uint8Array[] = [];
	/** How often it was called. */
	aborted = 0;
	closed = 0;
	/** What becomes of a message that is sent. */
	taking: () => Promise<void> = () => Promise.resolve();
	closing: () => Promise<void> = () => Promise.resolve();
	/** The far end hears a message. */
	far: (message: Uint8Array) => void = () => undefined;
	readonly messages = new FarEnd();

	constructor(peer: PeerId = 'peer') {
		this.peer = peer;
	}

	send(message: Uint8Array): Promise<void> {
		this.sent.push(message);
		this.far(message);
		return this.taking();
	}

	/** The far end says something. */
	say(bytes: Uint8Array): void {
		this.messages.says(bytes);
	}

	/** The far end closes in good order, or is lost. */
	end(over?: Code): void {
		this.messages.ends(over);
	}

	close(): Promise<void> {
		this.closed++;
		return this.closing();
	}

	abort(): void {
		this.aborted++;
		this.messages.ends('channel-closed');
	}
}

interface Opened {
	readonly peer: PeerId;
	readonly addresses: readonly string[];
	readonly signal: AbortSignal;
	/** Undefined while it is not there. */
	wire?: Wire;
}

/** The network as the asker meets it. */
export class Ways {
	readonly self: PeerId;
	readonly clock: VirtualClock;
	readonly published: { readonly topic: Topic; readonly bytes: Uint8Array; readonly at: number }[] = [];
	readonly opened: Opened[] = [];
	/** How a channel to somebody comes; at once where nothing is said. */
	readonly to = new Map<PeerId, (wire: Wire) => Promise<void> | void>();
	readonly subscribed: {
		readonly topic: Topic;
		readonly judge: (message: Uint8Array, from: PeerId) => Verdict | Promise<Verdict>;
		readonly hear: (message: Uint8Array) => void;
	}[] = [];
	readonly observers = new Set<(event: MeshEvent) => void>();
	own: readonly string[] = ['/memory/here'];

	constructor(self: PeerId, clock: VirtualClock) {
		this.self = self;
		this.clock = clock;
	}

	/** Says something on the topic of bids. */
	say(bytes: Uint8Array): void {
		for (const { hear } of this.subscribed) hear(bytes);
	}

	emit(event: MeshEvent): void {
		for (const observer of this.observers) observer(event);
	}

	/** The channels to somebody, in the order they were opened. */
	wires(peer: PeerId): readonly Wire[] {
		return this.opened.flatMap((each) => (each.peer === peer && each.wire !== undefined ? [each.wire] : []));
	}

	/** The only channel to somebody. */
	wire(peer: PeerId): Wire {
		const [first, second] = this.wires(peer);
		if (first === undefined || second !== undefined) throw new Error(`not one channel to ${peer}`);
		return first;
	}

	get port(): Mesh {
		const part: Partial<Mesh> = {
			self: this.self,
			addresses: () => this.own,
			publish: async (topic, bytes) => void this.published.push({ topic, bytes, at: this.clock.monotonic() }),
			subscribe: (topic, judge, hear) => {
				const one = { topic, judge, hear };
				this.subscribed.push(one);
				return () => void this.subscribed.splice(this.subscribed.indexOf(one), 1);
			},
			observe: (listener) => {
				this.observers.add(listener);
				return () => this.observers.delete(listener);
			},
			open: async (peer, addresses, signal) => {
				const opened: Opened = { peer, addresses, signal };
				this.opened.push(opened);
				const wire = new Wire(peer);
				await this.to.get(peer)?.(wire);
				return (opened.wire = wire);
			}
		};
		return part as Mesh;
	}
}

/** A lender: an identity, and what it may say of a job. */
export interface Lender {
	readonly identity: Identity;
	readonly peer: PeerId;
	readonly nonce: Uint8Array;
	bid(job: AnnouncedJob, change?: Partial<JobBid>): Promise<Signed<JobBid>>;
	interest(job: AnnouncedJob, change?: Partial<JobInterest>): Promise<Signed<JobInterest>>;
	/** Its bid as it stands with the asker. */
	heard(job: AnnouncedJob, change?: Partial<JobBid>): Promise<SignedBid>;
	/** Its word to an assignment: `accepted`, unless it says otherwise. */
	status(assignment: Uint8Array, change?: Partial<JobStatusUpdate>): Promise<Signed<JobStatusUpdate>>;
	/** It did so many jobs well here. */
	didWell(jobs?: number): void;
	/** What it states of itself. */
	states(change?: Partial<Offer>): Offer;
}

export interface Square {
	readonly clock: VirtualClock;
	readonly seals: Seals;
	readonly ways: Ways;
	readonly ports: NodePorts;
	readonly registry: Registry;
	readonly log: { readonly event: string; readonly facts: unknown }[];
	/** Everything that somebody states, and those that are believed to be all. */
	readonly stated: { offers: readonly Offer[]; all: readonly PeerId[] | undefined; askedOf: (string | undefined)[] };
	/** Keys made for jobs. */
	readonly jobKeys: Signer[];
	lender(name: number, account?: Uint8Array): Promise<Lender>;
	job(wish?: Partial<Wish>, policy?: Partial<ExecutionPolicy>): Promise<AnnouncedJob>;
}

/** The secret of the asker's own account. */
export const OWN = new Uint8Array(32).fill(200);

/** `lots`: bytes of the registry's chance; zeros when not given. */
export async function square(lots: Random = { bytes: (length) => new Uint8Array(length) }): Promise<Square> {
	const clock = new VirtualClock();
	const seals = new Seals();
	const random = new SeededRandom('square');
	const identity = await seals.identity(OWN, new Uint8Array(32).fill(201), clock.now());
	const ways = new Ways(identity.peer, clock);
	const log: { event: string; facts: unknown }[] = [];
	const rows = new Map<string, unknown>();
	const known = {
		list: async () => [],
		put: async (row: { readonly id: string }) => void rows.set(row.id, row),
		delete: async (id: string) => void rows.delete(id)
	} as never;
	const registry = new Registry({ store: { known }, clock, random: lots, log: () => undefined, online: () => true });
	const stated: Square['stated'] = { offers: [], all: undefined, askedOf: [] };
	const jobKeys: Signer[] = [];
	const ports: NodePorts = {
		...{ mesh: ways.port, identity, crypto: seals, clock, random, registry },
		store: undefined as never,
		jobKeys: undefined as never,
		jobKey: async () => {
			const key = seals.signer(random.bytes(32));
			jobKeys.push(key);
			return key;
		},
		log: (event, facts) => log.push({ event, facts }),
		offering: (model) => {
			stated.askedOf.push(model);
			return stated.all;
		},
		offers: () => stated.offers
	};
	const lender = async (name: number, account = new Uint8Array(32).fill(name)): Promise<Lender> => {
		const own = await seals.identity(account, new Uint8Array(32).fill(100 + name), clock.now());
		const { peer, node, certificate } = own;
		const nonce = new Uint8Array(32).fill(name);
		const common = (job: AnnouncedJob) => ({
			...{ job: job.id, announcement: job.announcement.cid, issuedAt: clock.now(), extensions: {} }
		});
		const bid: Lender['bid'] = (job, change) => {
			const body: JobBid = {
				...{ ...common(job), model: MODEL, pricePer1k: 100_000, firstTokenMs: 300, milliTokensPerSecond: 20_000 },
				...{ addresses: [`/memory/${name}`], nonceCommitment: commitNonce(nonce), validMs: 20_000 }
			};
			return seal(jobBid, { ...body, ...change }, node, certificate);
		};
		const heard: Lender['heard'] = async (job, change) => {
			const signed = await bid(job, change);
			const sameAccount = own.account === identity.account;
			const who = { executor: peer, account: own.account, accountKey: own.accountKey, sameAccount };
			return { bid: signed.body, signed, ...who, heardAt: clock.monotonic() };
		};
		const who = { id: peer, account: own.account, addresses: [`/memory/${name}`] };
		const did = { model: MODEL.id, tokensPerSecond: 20, firstMs: 300, promised: { tokensPerSecond: 20 } };
		return {
			...{ identity: own, peer, nonce, bid, heard },
			interest: (job, change) =>
				seal(jobInterest, { ...common(job), model: MODEL.id, readyInMs: 5_000, ...change }, node, certificate),
			status: (assignment, change) => {
				const { job, epoch } = read(assignJob, assignment).body;
				const opened = (change?.state ?? 'accepted') === 'accepted' ? { executorNonce: nonce } : {};
				const body = { job, epoch, state: 'accepted' as const, issuedAt: clock.now(), extensions: {} };
				return seal(jobStatus, { ...body, ...opened, ...change }, node);
			},
			didWell: (jobs = 1) => {
				for (let i = 0; i < jobs; i++) registry.learn(who, { type: 'kept', ...did });
			},
			states: (change) => ({
				...{ executor: peer, account: own.account, region: undefined, model: MODEL.id, modelName: MODEL.name },
				...{ tokensPerSecond: 20, pricePer1k: 100_000, free: false, circle: false },
				...{ addresses: [`/stated/${name}`], heardAt: 0 },
				...change
			})
		};
	};
	const job: Square['job'] = (wish, policy) =>
		announce({ ...ORDINARY_WISH, ...wish }, { ...DEFAULT_POLICY, ...policy }, ports);
	return { clock, seals, ways, ports, registry, log, stated, jobKeys, lender, job };
}

/** How a tale went: what it told, each with the time it took until then, ms, and how it ended. */
export interface Told<R> {
	readonly events: readonly (readonly [ms: number, event: OriginateEvent])[];
	readonly ms: number;
	readonly value: R | undefined;
	readonly code: Code | undefined;
	readonly retryMs: number | undefined;
}

/** Follows a tale to its end. */
export async function follow<R>(clock: VirtualClock, tale: AsyncGenerator<OriginateEvent, R, void>): Promise<Told<R>> {
	const begun = clock.monotonic();
	const events: (readonly [number, OriginateEvent])[] = [];
	const took = () => Math.round(clock.monotonic() - begun);
	const read = async (): Promise<Told<R>> => {
		try {
			for (;;) {
				const next = await tale.next();
				if (next.done === true) return { events, ms: took(), value: next.value, code: undefined, retryMs: undefined };
				events.push([took(), next.value]);
			}
		} catch (error) {
			return { events, ms: took(), value: undefined, code: codeOf(error), retryMs: retryMsOf(error) };
		}
	};
	return clock.until(read());
}

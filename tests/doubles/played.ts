/**
 * An asker with one running job, and executors played by hand: each says the very bytes a test wants it to say, and remembers what it is told. For
 * the asker's side of an answer, a message at a time, without a network.
 */
import { announce, type AnnouncedJob } from '#lib/node/announce.ts';
import type { Wish } from '#lib/node/app.ts';
import type { SignedBid } from '#lib/node/bidding.ts';
import type { HiredJob, Resumed } from '#lib/node/hired-job.ts';
import { Inbox, type JobMail } from '#lib/node/inbox.ts';
import type { NodePorts } from '#lib/node/ports.ts';
import type { Identity } from '#lib/ports/keys.ts';
import type { Channel, PeerId } from '#lib/ports/mesh.ts';
import type { Store } from '#lib/ports/store.ts';
import { jobAnnouncement, type JobAnnouncement } from '#lib/protocol/announcement.ts';
import { assignJob, commit, jobCancel, type AssignJob } from '#lib/protocol/assignment.ts';
import { commitNonce, jobBid, seedOf, type JobBid } from '#lib/protocol/bid.ts';
import { acknowledgement, checkpoint, type Checkpoint } from '#lib/protocol/checkpoint.ts';
import { cidOf, type Link } from '#lib/protocol/encode.ts';
import { read, seal, type Signed } from '#lib/protocol/envelope.ts';
import { Refusal, type Code } from '#lib/protocol/errors.ts';
import { chainNext, chainStart, encodeFrame, type Frame } from '#lib/protocol/frame.ts';
import { DEFAULT_POLICY, policyHash, priceOf, type ExecutionPolicy } from '#lib/protocol/policy.ts';
import { executionReceipt, type ExecutionReceipt } from '#lib/protocol/receipt.ts';
import { jobStatus } from '#lib/protocol/status.ts';
import { SAMPLES } from '../fixtures/messages.ts';
import { SeededRandom } from './chance.ts';
import { FarEnd, typeOf } from './far-end.ts';
import { ORDINARY_WISH, World, type NodeOptions, type TestNode } from './node.ts';

const SAMPLE = SAMPLES.find(({ kind }) => kind.type === jobBid.type)?.body as JobBid;
/** The model that all offer unless told otherwise: of a bit-exact class. */
export const MODEL = SAMPLE.model;

/** The words of tokens, as every engine here has them. */
export const textOf = (tokens: readonly number[]): string => tokens.map((token) => `w${token} `).join('');

/** A channel whose other end is a test. */
export class PlayedChannel implements Channel {
	readonly peer: PeerId;
	readonly sent: Uint8Array[] = [];
	closed = false;
	aborted = false;
	/** Hears each message as it is sent; what it returns or throws becomes of the sending. */
	onSend: (bytes: Uint8Array) => Promise<void> | void = () => undefined;
	readonly messages = new FarEnd();

	constructor(peer: PeerId) {
		this.peer = peer;
	}

	async send(message: Uint8Array): Promise<void> {
		if (this.aborted || this.closed) throw new Refusal('channel-closed');
		this.sent.push(message.slice());
		await this.onSend(message);
	}

	close(): Promise<void> {
		this.closed = true;
		return Promise.resolve();
	}

	abort(): void {
		this.aborted = true;
		this.ends('channel-closed');
	}

	says(bytes: Uint8Array): void {
		this.messages.says(bytes);
	}

	ends(end?: Code): void {
		this.messages.ends(end);
	}

	/** What it was told, by kind. */
	get told(): readonly string[] {
		return this.sent.map(typeOf);
	}

	/** Why it was asked to stop. */
	get cancels(): readonly string[] {
		return this.sent
			.filter((bytes) => typeOf(bytes) === jobCancel.type)
			.map((bytes) => read(jobCancel, bytes).body.reason);
	}

	/** Checkpoints that were acknowledged to it. */
	get acknowledged(): readonly string[] {
		return this.sent
			.filter((bytes) => typeOf(bytes) === acknowledgement.type)
			.map((bytes) => read(acknowledgement, bytes).body.checkpoint.toString());
	}
}

/** Where a played executor begins. */
export interface Begun {
	readonly epoch?: number;
	readonly continueFrom?: readonly number[];
	readonly predecessors?: readonly Link[];
	readonly startedFrom?: number;
	readonly deadlineAt?: number;
	readonly minTokens?: number;
	readonly maxTokens?: number;
	readonly parts?: HiredJob['parts'];
	readonly resumed?: Resumed;
}

/** One who answers, or would. */
export class Player {
	readonly identity: Identity & { readonly peer: string };
	readonly bid: SignedBid;
	readonly channel: PlayedChannel;
	readonly nonce: Uint8Array;
	readonly #scene: Scene;
	#hired: HiredJob | undefined;
	/** Its asker reads its channel; else a test says what stands in the inbox. */
	#poured = false;
	#sequence = 0;
	#position = 0;
	#chain: Uint8Array = new Uint8Array();
	#previous: Link | undefined;
	readonly #told: number[] = [];

	constructor(scene: Scene, identity: Player['identity'], bid: SignedBid, nonce: Uint8Array) {
		this.#scene = scene;
		this.identity = identity;
		this.bid = bid;
		this.nonce = nonce;
		this.channel = new PlayedChannel(identity.peer);
	}

	get hired(): HiredJob {
		if (this.#hired === undefined) throw new Error('not hired');
		return this.#hired;
	}

	/** CID of its newest checkpoint. */
	get checked(): string | undefined {
		return this.#previous?.toString();
	}

	/** Has the job, as if it had accepted. */
	async hire(begun: Begun = {}): Promise<HiredJob> {
		const { job, wish, ports } = this.#scene;
		const { epoch = 1, continueFrom = [], predecessors = [], resumed } = begun;
		const originatorNonce = new Uint8Array(32).fill(epoch);
		const { minTokens = wish.minTokens, maxTokens = wish.maxTokens } = begun;
		const body: AssignJob = {
			job: job.id,
			epoch,
			bid: this.bid.signed.cid,
			turns: [...wish.turns],
			continueFrom: [...continueFrom],
			sampling: wish.sampling,
			minTokens,
			maxTokens,
			pricePer1k: this.bid.bid.pricePer1k,
			originatorNonce,
			salt: new Uint8Array(32).fill(7),
			predecessors: [...predecessors],
			issuedAt: ports.clock.now(),
			extensions: {}
		};
		const assignment = await seal(assignJob, body, job.key);
		const seedFrom = { epoch, originatorNonce, executorNonce: this.nonce };
		return this.takes({
			job,
			executor: this.bid,
			assignment,
			seed: seedOf(job.id, epoch, originatorNonce, this.nonce),
			seedFrom,
			channel: this.channel,
			inbox: new Inbox<JobMail>(ports.clock),
			deadlineAt: begun.deadlineAt ?? ports.clock.monotonic() + job.policy.deadlineMs,
			startedFrom: begun.startedFrom ?? continueFrom.length,
			parts: begun.parts ?? [],
			...(resumed === undefined ? {} : { resumed })
		});
	}

	/** Begins to answer under this assignment. */
	takes(hired: HiredJob): HiredJob {
		this.#hired = hired;
		this.#poured = false;
		this.#position = hired.assignment.body.continueFrom.length;
		this.#chain = chainStart(hired.assignment.bodyBytes);
		return hired;
	}

	/** Accepts whatever assignment it is sent, `afterMs` later, and then answers under it. */
	accepts(afterMs = 0): this {
		return this.#when(assignJob.type, async (bytes) => {
			const assignment = read(assignJob, bytes);
			if (afterMs > 0) await this.#scene.world.clock.sleep(afterMs);
			const { job, epoch, originatorNonce } = assignment.body;
			const { seedFrom = { epoch, originatorNonce, executorNonce: this.nonce } } = assignment.body;
			this.takes({
				...{ job: this.#scene.job, executor: this.bid, assignment, channel: this.channel, seedFrom },
				seed: seedOf(job, seedFrom.epoch, seedFrom.originatorNonce, seedFrom.executorNonce),
				...{ inbox: new Inbox<JobMail>(this.#scene.ports.clock), deadlineAt: 0, startedFrom: 0, parts: [] }
			});
			this.#poured = true;
			const body = { job, epoch, state: 'accepted' as const, executorNonce: this.nonce, issuedAt: 1, extensions: {} };
			this.channel.says((await seal(jobStatus, body, this.identity.node)).bytes);
		});
	}

	/** Says no to whatever assignment it is sent, `afterMs` later. */
	refuses(code: Code, afterMs = 0): this {
		return this.#when(assignJob.type, async (bytes) => {
			if (afterMs > 0) await this.#scene.world.clock.sleep(afterMs);
			const { job, epoch } = read(assignJob, bytes).body;
			const body = { job, epoch, state: 'refused' as const, code, issuedAt: 1, extensions: {} };
			this.channel.says((await seal(jobStatus, body, this.identity.node)).bytes);
		});
	}

	/** Bids on whatever is announced to it over its channel. */
	answers(change: Partial<JobBid> = {}): this {
		return this.#when(jobAnnouncement.type, async (bytes) => {
			const announced = read(jobAnnouncement, bytes);
			this.channel.says((await this.#scene.bidOf(this.identity, this.nonce, change, announced)).bytes);
		});
	}

	#when(kind: string, does: (bytes: Uint8Array) => Promise<void>): this {
		const before = this.channel.onSend;
		this.channel.onSend = (bytes) => (typeOf(bytes) === kind ? does(bytes) : before(bytes));
		return this;
	}

	/** Its next frame. */
	frame(tokens: readonly number[], text = textOf(tokens), change: Partial<Frame> = {}): Uint8Array {
		const { job, assignment } = this.hired;
		const { epoch } = assignment.body;
		const [sequence, position] = [this.#sequence, this.#position];
		const frame = { job: job.id, epoch, sequence, position, tokens: [...tokens], text };
		this.#sequence++;
		this.#position += tokens.length;
		this.#chain = chainNext(this.#chain, frame);
		this.#told.push(...tokens);
		const { type: _type, version: _version, ...changed } = { ...frame, ...change } as Frame;
		return encodeFrame(changed);
	}

	/** A checkpoint over all it told. */
	async checkpoint(change: Partial<Checkpoint> = {}, signer = this.identity.node): Promise<Uint8Array> {
		const { job, assignment } = this.hired;
		const body: Checkpoint = {
			job: job.id,
			epoch: assignment.body.epoch,
			assignment: assignment.cid,
			tokens: this.#position,
			chain: this.#chain,
			logitsRoot: new Uint8Array(32),
			...(this.#previous === undefined ? {} : { previous: this.#previous }),
			issuedAt: this.#scene.ports.clock.now(),
			extensions: {},
			...change
		};
		const signed = await seal(checkpoint, body, signer);
		this.#previous = signed.cid;
		return signed.bytes;
	}

	/** A receipt over all it told. */
	async receipt(change: Partial<ExecutionReceipt> = {}, signer = this.identity.node): Promise<Uint8Array> {
		return (await this.sealed(change, signer)).bytes;
	}

	async sealed(change: Partial<ExecutionReceipt> = {}, signer = this.identity.node): Promise<Signed<ExecutionReceipt>> {
		const { job, assignment, executor, seed } = this.hired;
		const run = assignment.body;
		const { sameAccount, bid } = executor;
		const pricePer1k = sameAccount ? 0 : run.pricePer1k;
		const promptTokens = 12;
		const answerTokens = change.answerTokens ?? this.#told.length;
		const now = this.#scene.ports.clock.now();
		const last = this.#previous === undefined ? {} : { lastCheckpoint: this.#previous };
		const body: ExecutionReceipt = {
			job: job.id,
			epoch: run.epoch,
			announcement: bid.announcement,
			assignment: assignment.cid,
			policy: policyHash(job.announcement.body.policy),
			executorNode: this.identity.node.publicKey,
			executorAccount: this.identity.accountKey,
			originator: job.key.publicKey,
			model: bid.model,
			sampler: 'fireweed/sampler/1',
			sampling: run.sampling,
			seed,
			promptTokens,
			cachedTokens: 0,
			droppedTurns: 0,
			truncation: 'oldest-rounds/1',
			startPosition: run.continueFrom.length,
			answerTokens,
			prefillMs: 20,
			decodeMs: 500,
			startedAt: now,
			endedAt: now,
			pricePer1k,
			price: priceOf(pricePer1k, promptTokens + answerTokens),
			sameAccount,
			status: 'success',
			promptCommitment: commit(run.salt, 'prompt', run.turns),
			outputCommitment: commit(run.salt, 'output', { tokens: this.#told, text: textOf(this.#told) }),
			chain: this.#chain,
			...last,
			predecessors: run.predecessors,
			extensions: {},
			...change
		};
		return seal(executionReceipt, body, signer);
	}

	/** Says these to its asker. */
	says(...messages: readonly Uint8Array[]): void {
		for (const bytes of messages) {
			if (this.#poured) this.channel.says(bytes);
			else this.hired.inbox.put({ type: 'message', bytes });
		}
	}
}

/** What an executor offers beyond the ordinary. */
export interface PlayerOptions {
	readonly bid?: Partial<JobBid>;
	readonly sameAccount?: boolean;
	/** Nodes of one account have one name of it. */
	readonly account?: string;
	readonly heardAt?: number;
}

/** An asker, its job, and whoever it meets. */
export class Scene {
	readonly world: World;
	readonly asker: TestNode;
	readonly ports: NodePorts & { readonly store: Store };
	readonly wish: Wish;
	readonly job: AnnouncedJob;
	/** Whom a channel can be opened to. */
	readonly #there = new Map<PeerId, Player>();
	#count = 0;

	private constructor(world: World, asker: TestNode, wish: Wish, job: AnnouncedJob) {
		this.world = world;
		this.asker = asker;
		this.wish = wish;
		this.job = job;
		const open = async (peer: PeerId): Promise<Channel> => {
			const player = this.#there.get(peer);
			if (player === undefined) throw new Refusal('unreachable', peer);
			return player.channel;
		};
		const mesh = new Proxy(asker.ports.mesh, {
			get: (target, name) => {
				if (name === 'open') return open;
				const value: unknown = Reflect.get(target, name, target);
				return typeof value === 'function' ? (value.bind(target) as unknown) : value;
			}
		});
		this.ports = { ...asker.ports, mesh };
	}

	static async set(
		seed: string,
		change: {
			readonly wish?: Partial<Wish>;
			readonly policy?: Partial<ExecutionPolicy>;
			readonly node?: NodeOptions;
		} = {}
	): Promise<Scene> {
		const world = new World(seed);
		const asker = await world.node({ account: 'asker', ...change.node });
		const wish: Wish = { ...ORDINARY_WISH, minTokens: 0, model: MODEL.id, ...change.wish };
		const job = await announce(wish, { ...DEFAULT_POLICY, ...change.policy }, asker.ports);
		return new Scene(world, asker, wish, job);
	}

	get clock(): World['clock'] {
		return this.world.clock;
	}

	get log(): TestNode['log'] {
		return this.asker.log;
	}

	/** Facts of the lines of this name. */
	logged(event: string): readonly unknown[] {
		return this.log.filter((line) => line.event === event).map(({ facts }) => facts);
	}

	/** Somebody who offered; a channel can be opened to it unless `away`. */
	async player(options: PlayerOptions = {}, away = false): Promise<Player> {
		const name = `player${this.#count++}`;
		const random = new SeededRandom(name);
		const account = new SeededRandom(`account/${options.account ?? name}`).bytes(32);
		const identity = await this.world.seals.identity(account, random.bytes(32), this.clock.now());
		const nonce = random.bytes(32);
		const signed = await this.bidOf(identity, nonce, options.bid);
		const bid: SignedBid = {
			bid: signed.body,
			signed,
			executor: identity.peer,
			account: identity.account,
			accountKey: identity.accountKey,
			sameAccount: options.sameAccount ?? false,
			heardAt: options.heardAt ?? this.clock.monotonic()
		};
		const player = new Player(this, identity, bid, nonce);
		if (!away) this.#there.set(identity.peer, player);
		return player;
	}

	/** What one of that name bids on an announcement of the job, the first unless another is given. */
	bidOf(
		identity: Pick<Identity, 'node' | 'certificate'>,
		nonce: Uint8Array,
		change: Partial<JobBid> = {},
		announcement: Signed<JobAnnouncement> = this.job.announcement
	): Promise<Signed<JobBid>> {
		const body: JobBid = {
			...SAMPLE,
			job: this.job.id,
			announcement: announcement.cid,
			nonceCommitment: commitNonce(nonce),
			issuedAt: this.clock.now(),
			...change
		};
		return seal(jobBid, body, identity.node, identity.certificate);
	}
}

/** A link to nothing in particular. */
export const linkTo = (n: number): Link => cidOf(Uint8Array.of(n));
/** Tokens `from` … `to` − 1. */
export const tokens = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

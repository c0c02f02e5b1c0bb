/**
 * What a node remembers. One table per noun; every put is whole and idempotent, so it may be repeated after a lost leader.
 * Refusals: `storage-full`, `storage-unavailable`.
 */

import type { Sampling } from '#lib/protocol/sampler.ts';

/** A change seen by any view in any tab of the profile. */
export interface TableChange {
	readonly key: string;
	readonly kind: 'put' | 'delete';
}

export interface Table<T> {
	get(key: string): Promise<T | undefined>;
	put(value: T): Promise<void>;
	delete(key: string): Promise<void>;
	/** Newest first by the table's own time field; all when no limit is given. */
	list(limit?: number): Promise<readonly T[]>;
	/** Hears changes made by this tab and by others. Returns how to stop. */
	observe(listener: (change: TableChange) => void): () => void;
}

/** A conversation's head; its messages stand in `messages` under the same conversation id. */
export interface Conversation {
	readonly id: string;
	readonly title: string;
	readonly createdAt: number;
	readonly updatedAt: number;
	/** The message whose branch is shown. Missing: the newest. */
	readonly leaf?: string | undefined;
	/** Missing: as the model likes it. */
	readonly manner?: Manner | undefined;
	/** Unix ms at which it was read from a file: who answered is then only what the file says. */
	readonly importedAt?: number | undefined;
}

/** How a conversation wants to be answered; what is missing is left to the model. */
export interface Manner {
	/** Said to the model before everything else. */
	readonly system?: string | undefined;
	readonly sampling?: Sampling | undefined;
	/** Tokens of one answer at most. */
	readonly maxTokens?: number | undefined;
}

/** A text file that a message brings along. */
export interface Attachment {
	readonly name: string;
	readonly text: string;
}

/** One message. An answer keeps its token ids so that a lost answer can be continued exactly. */
export interface Message {
	readonly id: string;
	readonly conversation: string;
	readonly role: 'user' | 'assistant';
	readonly text: string;
	/** Unix ms. */
	readonly createdAt: number;
	/** Place on its branch, from 0: versions of one message have the same. */
	readonly order: number;
	/** The message it follows. Missing in a first one, and in records of before there were branches: there it follows the one before. */
	readonly parent?: string | undefined;
	readonly attachments?: readonly Attachment[] | undefined;
	readonly answer?: Answer;
}

/** How an answer came about. */
export interface Answer {
	readonly by: 'device' | 'mesh' | 'fixed';
	readonly status: 'running' | 'done' | 'stopped' | 'lost' | 'failed';
	/** Readable name of the model. */
	readonly model: string | undefined;
	/** Its id: whoever goes on must read the same tokens. Missing in records of before it was kept. */
	readonly modelId?: string | undefined;
	/** PeerId of the executor for mesh answers. */
	readonly executor: string | undefined;
	/** Why it was chosen, in a few words for a person; of the last one, when another went on. */
	readonly chosen?: string | undefined;
	readonly region: string | undefined;
	/** The executor was another node of this account. */
	readonly sameAccount?: boolean | undefined;
	readonly tokens: readonly number[];
	readonly tokensPerSecond: number | undefined;
	/** Microcredits. */
	readonly price: number | undefined;
	/** Key in `receipts`. */
	readonly receipt: string | undefined;
	/** Code from protocol/errors when it failed or was lost. */
	readonly code: string | undefined;
	/** When everybody was busy: ms after which asking again made sense. */
	readonly retryMs?: number | undefined;
	/** Text positions (in characters) at which another executor went on. */
	readonly seams: readonly number[];
	/** Those of them after which the words may differ from an unbroken answer: another engine or other weights went on. */
	readonly roughSeams?: readonly number[] | undefined;
}

/**
 * What a running job needs to be taken up again by another page of this profile: its documents, and every word as it came. It holds the
 * prompt, so it goes when the job ends.
 */
export interface Unfinished {
	/** AssignJobV1, JobAnnouncementV1 and JobBidV1 envelopes. */
	readonly assignment: Uint8Array;
	readonly announcement: Uint8Array;
	readonly bid: Uint8Array;
	/** The policy whole, canonical DAG-CBOR. */
	readonly policy: Uint8Array;
	/** The executor's half of the seed of its first epoch. */
	readonly executorNonce: Uint8Array;
	/** Unix ms when the policy's time is over. */
	readonly deadlineAt: number;
	/** Answer position the job began at, whoever began it. */
	readonly startedFrom: number;
	/** What earlier executors can prove: market/price Part. */
	readonly parts: readonly {
		readonly pricePer1k: number;
		readonly startPosition: number;
		readonly answerTokens: number;
		readonly price: number | undefined;
	}[];
	/** How often this assignment was taken up again. */
	readonly attempt: number;
	/** Tokens and text since `startedFrom`; of each frame the number of tokens and of UTF-16 units. */
	readonly tokens: readonly number[];
	readonly text: string;
	readonly frames: readonly number[];
}

/** A job this account asked for. */
export interface OriginatedJob {
	/** Hex of the job id. */
	readonly id: string;
	readonly createdAt: number;
	readonly model: string;
	readonly state: 'announced' | 'assigned' | 'running' | 'finished' | 'failed' | 'lost' | 'cancelled';
	readonly executor: string | undefined;
	readonly receipt: string | undefined;
	readonly code: string | undefined;
	/** Key of the message its answer goes to. */
	readonly message: string | undefined;
	/** While it runs at an executor. */
	readonly unfinished?: Unfinished | undefined;
}

/** A bid heard for one of this account's jobs. */
export interface HeardBid {
	/** `<job id>:<executor>` */
	readonly id: string;
	readonly job: string;
	readonly executor: string;
	readonly heardAt: number;
	/** Microcredits per 1,000 tokens. */
	readonly pricePer1k: number;
	readonly chosen: boolean;
	readonly reason: string;
}

/** A job this node answered for somebody. Never its text. */
export interface AssignedJob {
	readonly id: string;
	readonly createdAt: number;
	readonly endedAt: number | undefined;
	readonly model: string;
	readonly state: 'running' | 'success' | 'cancelled' | 'partial' | 'failed';
	readonly tokens: number;
	/** Microcredits. */
	readonly price: number;
	readonly sameAccount: boolean;
	readonly receipt: string | undefined;
	readonly code: string | undefined;
}

/** A receipt in whatever state of completeness it was reached; bytes are the signed envelopes as received. */
export interface ReceiptRecord {
	/** CID text of the receipt body, or of the last checkpoint body for a partial one. */
	readonly cid: string;
	readonly kind: 'sealed' | 'checkpoint';
	readonly role: 'originator' | 'executor';
	readonly job: string;
	readonly createdAt: number;
	/** ExecutionReceiptV1 or CheckpointV1 envelope. */
	readonly document: Uint8Array;
	/** Countersignature or acknowledgement envelope of the other side, when it came. */
	readonly counterpart: Uint8Array | undefined;
	/** Facts the CheckpointV1 alone does not hold, from the terms both sides agreed on. */
	readonly terms: Uint8Array | undefined;
	/** The same: answer position its executor began at; missing where that was 0. */
	readonly startPosition?: number | undefined;
}

/** What this node last offered, so that a reload resumes with the same statement. */
export interface LocalCapability {
	readonly id: 'self';
	readonly savedAt: number;
	/** CapabilityAdvertisementV1 envelope. */
	readonly document: Uint8Array;
}

/** A node that this device met or was given, so that it is found again without any server. */
export interface MetNode {
	/** PeerId. */
	readonly id: string;
	readonly role: 'tab' | 'relay';
	/** did:key, for a tab. */
	readonly account: string | undefined;
	readonly firstMetAt: number;
	readonly lastMetAt: number;
	/** Days on which it was met: what lasts is worth more than what is loud today. */
	readonly days: number;
	/** Who named it: the person (pasted, invited), the app's directory, or the network. */
	readonly by: 'person' | 'directory' | 'network';
	/** NodeManifestV1 envelope; for a relay that never signed one, undefined. */
	readonly document: Uint8Array | undefined;
	/** Where it was last reached or said to be. */
	readonly addresses: readonly string[];
}

/** What this originator saw of one executor itself (market/known). Never leaves this browser. */
export interface KnownExecutor {
	/** PeerId. */
	readonly id: string;
	/** `did:key` of its account. */
	readonly account: string;
	/** How it is reached, at most 64 characters: those who share it are likely to be one operator's. */
	readonly kind: string;
	/** Jobs it did as it should, and what it broke, as they weighed at `at`. */
	readonly kept: number;
	readonly broken: number;
	/** Jobs it did as it should in all; never fades. */
	readonly jobs: number;
	/** How its first try here ended, 1 for well, else less than 0 (at worst −1): what newcomers of its kind are judged by. */
	readonly first: number;
	/** Unix ms. */
	readonly firstAt: number;
	/** Model id of the two measures below; undefined until something was measured. */
	readonly model: string | undefined;
	/** Tokens a second as read here, and ms from its acceptance to the first token, the newest weighing most; 0 until measured. */
	readonly tokensPerSecond: number;
	readonly firstMs: number;
	/** Measured speed over promised speed, at most 1. */
	readonly honesty: number;
	/** How long it was heard to offer, and how long it was missed between, ms. */
	readonly upMs: number;
	readonly downMs: number;
	/** Unix ms of the last change. */
	readonly at: number;
}

/** One named setting of this profile. */
export interface Setting {
	readonly id: string;
	readonly savedAt: number;
	readonly value: string | number | boolean;
}

/**
 * What moves with a person to another browser. Left behind on purpose: what is this tab's own (`capabilities`), `settings`, since a file
 * must not switch anything on, and whom this device found reachable and reliable (`met`, `known`).
 */
export interface Snapshot {
	readonly conversations: readonly Conversation[];
	readonly messages: readonly Message[];
	readonly jobs: readonly OriginatedJob[];
	readonly bids: readonly HeardBid[];
	readonly assigned: readonly AssignedJob[];
	readonly receipts: readonly ReceiptRecord[];
}

/** What a merge adds, or would add. Nothing that stands here is ever changed or removed by it. */
export interface MergeReport {
	/** Conversations that come, the copies included. */
	readonly conversations: number;
	readonly messages: number;
	readonly receipts: number;
	/** Jobs asked for, answered, and bids. */
	readonly jobs: number;
	/** Conversations that went on differently here and there: this one stays, the other comes beside it under a name of its own. */
	readonly copied: number;
	/** Conversations and receipts that are here already, word for word. */
	readonly same: number;
	/** Records of the file that are none, and stay out. */
	readonly unreadable: number;
}

/** A merge that was made, or only looked at. */
export interface Merge {
	readonly report: MergeReport;
	/** Deletes again what it added. */
	undo(): Promise<void>;
}

export interface Store {
	readonly conversations: Table<Conversation>;
	readonly messages: Table<Message> & {
		/** In order. */
		of(conversation: string): Promise<readonly Message[]>;
	};
	readonly jobs: Table<OriginatedJob>;
	readonly bids: Table<HeardBid>;
	readonly assigned: Table<AssignedJob>;
	readonly receipts: Table<ReceiptRecord>;
	readonly capabilities: Table<LocalCapability>;
	readonly settings: Table<Setting>;
	readonly met: Table<MetNode>;
	readonly known: Table<KnownExecutor>;
	/** `kept`: IndexedDB; `memory`: nothing survives this tab (private window, storage refused). */
	readonly durability: 'kept' | 'memory';
	/** Whether this tab writes for the profile just now. */
	readonly leading: boolean;
	close(): Promise<void>;
}

/** A store whose contents can move to another browser. */
export interface MovableStore extends Store {
	/** Everything that moves, read at one moment. Refusal `storage-unavailable`. */
	snapshot(): Promise<Snapshot>;
	/**
	 * Adds a snapshot that came from elsewhere, in one transaction: all of it or, on any refusal, nothing. `look` only counts. Aborting before the
	 * end undoes it. Refusals: `storage-full`, `storage-unavailable`, `aborted`.
	 */
	merge(snapshot: unknown, how: 'look' | 'add', signal?: AbortSignal): Promise<Merge>;
}

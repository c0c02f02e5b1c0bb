/**
 * What the story tells its listeners: discriminated unions, never bags of booleans. The user interface reads nothing else of a running job.
 */
import type { LoadProgress } from '#lib/ports/engine.ts';
import type { Code } from '#lib/protocol/errors.ts';
import type { Verdict } from '#lib/market/admit.ts';

/** Who answers, as far as a person wants to know. */
export interface ExecutorFacts {
	/** PeerId. */
	readonly id: string;
	/** `did:key` of its account. */
	readonly account: string;
	readonly sameAccount: boolean;
	/** Self-declared. */
	readonly region: string | undefined;
	/** Model id and readable name. */
	readonly model: string;
	readonly modelName: string;
	/** Microcredits per 1,000 tokens; 0 between nodes of one account. */
	readonly pricePer1k: number;
}

/** One life of a job as its originator sees it. Exactly one `finished`, `lost` or `failed` ends it. */
export type OriginateEvent =
	| { readonly type: 'announced'; readonly job: string }
	/** Those who did well here before were asked, each over a channel of its own; nobody else knows of the job yet. */
	| { readonly type: 'asked'; readonly job: string; readonly executors: number }
	| { readonly type: 'bid'; readonly executor: string; readonly pricePer1k: number }
	/** Somebody could answer after loading its model. */
	| { readonly type: 'interest'; readonly executor: string; readonly readyInMs: number }
	/** It has a place in the queue of an executor; said again while it waits. */
	| { readonly type: 'queued'; readonly executor: string; readonly waitMs: number }
	/** All who could answer are full. The wish is said again by itself after `retryMs`; so far it was said `tries` times, of `most`. */
	| { readonly type: 'busy'; readonly retryMs: number; readonly tries: number; readonly most: number }
	/** `reason`: why this one, in words for a person. */
	| { readonly type: 'assigned'; readonly executor: ExecutorFacts; readonly reason: string }
	| { readonly type: 'accepted' }
	/** By policy (`hedge`) somebody else answers beside the first: it reads the prompt too, and is paid what it delivers. */
	| { readonly type: 'standby'; readonly executor: ExecutorFacts }
	/** Another page began this answer; its executor is looked for. `reattached` follows, or what follows the loss of an executor. */
	| { readonly type: 'reattaching'; readonly executor: ExecutorFacts }
	/** It goes on: `words` follow from `position` on. */
	| { readonly type: 'reattached'; readonly position: number }
	/** `tokens` and `text` are new; `position` is that of the first of them. */
	| { readonly type: 'words'; readonly text: string; readonly tokens: readonly number[]; readonly position: number }
	/** A checkpoint was verified and acknowledged; `receipt` is the CID of what is now claimable. */
	| { readonly type: 'checkpoint'; readonly tokens: number; readonly receipt: string }
	/** Its executor was lost and another goes on; `accepted` follows, and `words` from `position` on. */
	| {
			readonly type: 'handed-over';
			/** PeerId of the one that was lost. */
			readonly from: string;
			readonly to: ExecutorFacts;
			/** Answer position of the first new token: none before it is lost, doubled or changed. */
			readonly position: number;
			/** Both are of one bit-exact class: the answer is the one the lost executor would have given. */
			readonly exact: boolean;
			readonly why: Code;
			/** Why this one, in words for a person. */
			readonly reason: string;
	  }
	/** `tokens` and `price` are those of all executors together; `receipt` is the last one's and names those before. */
	| {
			readonly type: 'finished';
			readonly status: 'success' | 'cancelled' | 'partial';
			readonly receipt: string;
			readonly tokens: number;
			readonly tokensPerSecond: number;
			/** Microcredits. */
			readonly price: number;
			readonly droppedTurns: number;
	  }
	/** The executor went away, stalled or lied after `tokens` verified tokens, and nobody goes on; what was shown stays. */
	| { readonly type: 'lost'; readonly code: Code; readonly tokens: number; readonly receipt: string | undefined }
	/** Nothing was answered. `retryMs`: with `busy`, after which time asking again makes sense. */
	| { readonly type: 'failed'; readonly code: Code; readonly retryMs?: number | undefined };

/** Words that came once more after a reload: on the screen already, not in the job's own record. */
export interface Again {
	readonly type: 'again';
	readonly text: string;
	readonly tokens: readonly number[];
	readonly position: number;
}

/** What a contributing node tells its screen. Never a text. */
export type ContributeEvent =
	| { readonly type: 'ready'; readonly model: string; readonly tokensPerSecond: number }
	/** What computes was lost and is being loaded again; nothing is offered meanwhile. `ready` or `engine-lost` follows. */
	| { readonly type: 'reviving'; readonly progress: LoadProgress | undefined }
	/** It could not be loaded again: nothing is lent any more. */
	| { readonly type: 'engine-lost'; readonly code: Code }
	| { readonly type: 'considered'; readonly job: string; readonly verdict: Verdict['type'] }
	| { readonly type: 'started'; readonly job: string; readonly sameAccount: boolean }
	| { readonly type: 'progress'; readonly job: string; readonly tokens: number }
	| {
			readonly type: 'ended';
			readonly job: string;
			readonly status: 'success' | 'cancelled' | 'partial' | 'failed';
			readonly tokens: number;
			readonly price: number;
			readonly receipt: string | undefined;
			readonly code: Code | undefined;
	  }
	| { readonly type: 'refused'; readonly code: Code };

/** A job with an executor who took it, and what one who begins it goes on from. */
import type { Part } from '#lib/market/price.ts';
import type { AssignJob, SeedOrigin } from '#lib/protocol/assignment.ts';
import type { Link } from '#lib/protocol/encode.ts';
import type { Signed } from '#lib/protocol/envelope.ts';
import type { Channel } from '#lib/ports/mesh.ts';
import type { AnnouncedJob } from './announce.ts';
import type { SignedBid } from './bidding.ts';
import type { Inbox, JobMail } from './inbox.ts';
import type { Transcript } from './transcript.ts';

/** A job that an executor has accepted. */
export interface HiredJob {
	readonly job: AnnouncedJob;
	readonly executor: SignedBid;
	readonly assignment: Signed<AssignJob>;
	readonly seed: Uint8Array;
	/** What the seed was made of: later executors of the job go on with it. */
	readonly seedFrom: SeedOrigin;
	readonly channel: Channel;
	readonly inbox: Inbox<JobMail>;
	/** Monotonic ms when the policy's time is over. */
	readonly deadlineAt: number;
	/** Answer position the job began at, whoever began it. */
	readonly startedFrom: number;
	/** What earlier executors of the job can prove, oldest first. */
	readonly parts: readonly Part[];
	/** When another page of this profile began it: what that page had heard and shown. */
	readonly resumed?: Resumed;
}

/** What one page leaves to the next. */
export interface Resumed {
	readonly transcript: Transcript;
	/** Of this executor, up to the transcript's position. */
	readonly tokens: readonly number[];
	readonly text: string;
	/** Every token of the answer that was shown, and the text since this executor began; may be longer than what was kept of its frames. */
	readonly shown: { readonly tokens: readonly number[]; readonly text: string };
	readonly attempt: number;
}

/** Where an executor begins; earlier executors of the job leave it to the next. */
export interface Beginning extends Pick<HiredJob, 'startedFrom' | 'parts'> {
	readonly epoch: number;
	/** Every token shown so far. */
	readonly continueFrom: readonly number[];
	readonly predecessors: readonly Link[];
	/** Undefined for the first: its own nonces make the seed. */
	readonly seedFrom: SeedOrigin | undefined;
	/** Undefined for the first: its assignment starts the policy's time. */
	readonly deadlineAt: number | undefined;
}

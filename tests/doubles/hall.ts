/** Lenders on a square who have bid for one job, numbered, each of which does what the test says once somebody comes to it. */
import type { AnnouncedJob } from '#lib/node/announce.ts';
import type { RankedJob, SignedBid } from '#lib/node/bidding.ts';
import { assignJob } from '#lib/protocol/assignment.ts';
import type { JobBid } from '#lib/protocol/bid.ts';
import { peek } from '#lib/protocol/envelope.ts';
import type { Code } from '#lib/protocol/errors.ts';
import { MAX_CHANNEL_MESSAGE } from '#lib/protocol/limits.ts';
import type { JobStatusUpdate } from '#lib/protocol/status.ts';
import { square, type Lender, type Square, type Wire } from './square.ts';

/** What one lender does. */
export interface Doing {
	/** How its channel comes. */
	readonly way?: () => Promise<void> | void;
	/** It answers a wish with its bid after so many ms; not at all when not given. */
	readonly here?: number;
	/** What it says to an assignment, and after how many ms. */
	readonly says?: readonly (readonly [ms: number, word: Partial<JobStatusUpdate>])[];
}

export const ACCEPTS: Doing = { says: [[10, {}]] };
export const refuses = (code: Code, waitMs?: number): Doing => ({
	says: [[10, { state: 'refused', code, ...(waitMs === undefined ? {} : { waitMs }) }]]
});

const isPrompt = (message: Uint8Array) => peek(message, MAX_CHANNEL_MESSAGE).type === assignJob.type;

export class Hall {
	readonly at: Square;
	readonly job: AnnouncedJob;
	readonly lenders: readonly Lender[];
	/** When a way to each was opened. */
	readonly opened: (readonly [ms: number, lender: number])[] = [];

	constructor(at: Square, job: AnnouncedJob, lenders: readonly Lender[]) {
		this.at = at;
		this.job = job;
		this.lenders = lenders;
		for (const i of lenders.keys()) this.does(i, {});
	}

	the(i: number): Lender {
		return this.lenders[i] as Lender;
	}

	numberOf(peer: string): number {
		return this.lenders.findIndex((lender) => lender.peer === peer);
	}

	does(i: number, doing: Doing): void {
		this.at.ways.to.set(this.the(i).peer, async (wire) => {
			this.opened.push([this.at.clock.monotonic(), i]);
			this.answers(wire, i, doing);
			await doing.way?.();
		});
	}

	/** Over this channel. */
	answers(wire: Wire, i: number, { here, says = [] }: Doing): void {
		const { clock } = this.at;
		const after = (ms: number, said: Promise<{ readonly bytes: Uint8Array }>) => {
			const begun = clock.monotonic();
			void said.then(({ bytes }) => clock.at(begun + ms, () => wire.say(bytes)));
		};
		wire.far = (message) => {
			if (isPrompt(message)) for (const [ms, word] of says) after(ms, this.the(i).status(message, word));
			else if (here !== undefined) after(here, this.the(i).bid(this.job, { milliTokensPerSecond: pace(i) }));
		};
	}

	/** Its bid; the first claims the most. */
	offer(i: number, change?: Partial<JobBid>): Promise<SignedBid> {
		return this.the(i).heard(this.job, { milliTokensPerSecond: pace(i), ...change });
	}

	/** Bids of these, or of all, in the order in which they are chosen. */
	async offers(...who: readonly number[]): Promise<RankedJob> {
		const all = who.length > 0 ? who : this.lenders.keys();
		return this.ranked(await Promise.all([...all].map((i) => this.offer(i))));
	}

	ranked(bids: readonly SignedBid[]): RankedJob {
		const { registry, clock } = this.at;
		const { announcement, policy } = this.job;
		const choices = registry.rank(bids, announcement.body, policy, clock.monotonic());
		return { job: this.job, choices, announcements: [announcement] };
	}

	/** Those that were shown the prompt, in their order. */
	prompted(): readonly number[] {
		const { opened } = this.at.ways;
		return opened.flatMap(({ peer, wire }) => (wire?.sent.some(isPrompt) === true ? [this.numberOf(peer)] : []));
	}

	/** Those to whom a way is open. */
	open(): readonly number[] {
		const { opened } = this.at.ways;
		return [...new Set(opened.flatMap(({ wire, peer }) => (wire?.aborted === 0 ? [this.numberOf(peer)] : [])))];
	}

	/** What is held against each of whom something is remembered. */
	remembered(): Readonly<Record<number, number>> {
		const rows = [...this.at.registry.knowledge().executors.values()];
		return Object.fromEntries(rows.map(({ id, broken }) => [this.numberOf(id), Number(broken.toFixed(3))]));
	}
}

const pace = (i: number) => 20_000 - 100 * i;

/** A hall with so many of them. */
export async function hall(count: number): Promise<Hall> {
	const at = await square();
	const job = await at.job();
	return new Hall(at, job, await Promise.all(Array.from({ length: count }, (_, i) => at.lender(i))));
}

/** Who else would answer: the bids that were not chosen, while they hold, and those that a new announcement of the running job brings. */
import { owedFor, type Part } from '#lib/market/price.ts';
import type { Choice } from '#lib/market/select.ts';
import { successors, type Interrupted } from '#lib/market/succeed.ts';
import { promptBucket } from '#lib/protocol/announcement.ts';
import { codeOf } from '#lib/protocol/errors.ts';
import { judgeGossip } from '#lib/protocol/gossip.ts';
import { sameClass } from '#lib/protocol/model.ts';
import { mostPromptTokens } from './announce.ts';
import type { Wish } from './app.ts';
import { admitBid, restate, type RankedJob, type SignedBid } from './bidding.ts';
import type { Engaged } from './engage.ts';
import type { HiredJob } from './hired-job.ts';
import { Inbox } from './inbox.ts';
import type { NodePorts } from './ports.ts';

/** A late executor is gone this much later at the most ordinary; a spare bid must still hold then. */
const WARM_FOR_MS = 6_000;
/** The job is not announced oftener than this because of an executor that is late again and again. */
const ASK_AGAIN_MS = 10_000;
/** How long nobody may answer before nobody is there; bids come within one way there and back over gossip. */
const NOBODY_LEFT_MS = 800;
/** The same when the job was announced already, while its executor was late, and nobody came. */
const STILL_NOBODY_MS = 300;
/** After the first bid, for one that goes on exactly, or better. */
const BETTER_MS = 60;

/** Assignments that a page which is gone may have given after the one it wrote down: epochs only have to rise. */
const UNKNOWN_EPOCHS = 16;

export class Spares {
	readonly #job: RankedJob['job'];
	readonly #wish: Wish;
	readonly #ports: NodePorts;
	readonly #bids = new Map<string, SignedBid>();
	readonly #announcements: RankedJob['announcements'][number][];
	readonly #struckOff = new Set<string>();
	readonly #accounts = new Set<string>();
	/** Each is one search that waits for a bid. */
	readonly #searches = new Set<Inbox<true>>();
	#current: HiredJob | undefined;
	#epoch = 0;
	#askedAt: number | undefined;
	#deaf: () => void = () => undefined;

	constructor({ ranked, tried }: Pick<Engaged, 'ranked' | 'tried'>, wish: Wish, ports: NodePorts) {
		this.#job = ranked.job;
		this.#announcements = [...ranked.announcements];
		for (const { heard } of ranked.choices) {
			// Its way is closed by now.
			const { line: _closed, ...bid } = heard;
			this.#bids.set(heard.executor, bid);
		}
		// Who had its try and did not take the job is not asked again; the one that has it is struck off when it is lost.
		for (const executor of tried) this.#struckOff.add(executor);
		this.#wish = wish;
		this.#ports = ports;
	}

	/** This one leads now; its bid is taken. */
	hired(job: HiredJob): void {
		const { executor } = job.executor;
		this.#current = job;
		const unknown = job.resumed === undefined ? 0 : UNKNOWN_EPOCHS;
		this.#epoch = Math.max(this.#epoch, job.assignment.body.epoch + unknown);
		this.tried(executor);
	}

	/** This one is lost and does not get it again. */
	lost(job: HiredJob): void {
		this.#struckOff.add(job.executor.executor);
		this.#accounts.add(job.executor.account);
	}

	/** The epoch of the next assignment: higher than any before it. */
	nextEpoch(): number {
		return ++this.#epoch;
	}

	/** Bids as old as this (monotonic ms) do not stand any more. */
	outdated(heardAt: number): void {
		for (const [executor, bid] of this.#bids) if (bid.heardAt <= heardAt) this.#bids.delete(executor);
	}

	/** This one offered and then did not take it: it is not asked again in this job. */
	refused(executor: string): void {
		this.#struckOff.add(executor);
	}

	/** A bid is taken once, whatever came of it. */
	tried(executor: string): void {
		this.#bids.delete(executor);
	}

	/** The executor is late: unless somebody else would answer, asks for new bids. Costs nothing to call often. */
	warm(shown: readonly number[]): void {
		const now = this.#ports.clock.monotonic();
		if (this.#ranked([], now + WARM_FOR_MS).length > 0) return;
		if (this.#askedLately()) return;
		void this.#ask(shown);
	}

	/** Who may go on when nobody has it any more, best first; none when nobody answers in time. */
	async next(
		shown: readonly number[],
		parts: readonly Part[],
		signal: AbortSignal
	): Promise<readonly Choice<SignedBid>[]> {
		const found = () => this.#ranked(parts, this.#ports.clock.monotonic());
		if (found().length > 0) return found();
		const asked = this.#askedLately();
		await this.#ask(shown);
		return this.#search(found, asked ? STILL_NOBODY_MS : NOBODY_LEFT_MS, signal);
	}

	/**
	 * Who may answer beside those who have it: of the bit-exact class of the first, since only they draw the same words, rather of another account,
	 * and at a price that the policy has room for after the `promised` microcredits.
	 */
	async beside(
		running: readonly HiredJob[],
		shown: readonly number[],
		parts: readonly Part[],
		promised: number,
		signal: AbortSignal
	): Promise<readonly Choice<SignedBid>[]> {
		const model = running[0]?.executor.bid.model;
		if (model === undefined) return [];
		const accounts = running.map(({ executor }) => executor.account);
		const has = new Set(running.map(({ executor }) => executor.executor));
		// One that has it would offer it a place in its own queue, and one that waits in a queue is beside nobody.
		const found = () =>
			this.#ranked(parts, this.#ports.clock.monotonic(), promised, accounts).filter(
				({ heard: { bid, executor } }) => sameClass(bid.model, model) && !has.has(executor) && (bid.waitMs ?? 0) === 0
			);
		if (found().length > 0 || this.#askedLately()) return found();
		await this.#ask(shown);
		return this.#search(found, NOBODY_LEFT_MS, signal);
	}

	/** Hears no more bids. */
	close(): void {
		this.#deaf();
	}

	#askedLately(): boolean {
		return this.#askedAt !== undefined && this.#ports.clock.monotonic() - this.#askedAt < ASK_AGAIN_MS;
	}

	/** Waits for a bid that fits, and a moment longer for a better one. */
	async #search<T>(found: () => readonly T[], ms: number, signal: AbortSignal): Promise<readonly T[]> {
		const { clock } = this.#ports;
		const came = new Inbox<true>(clock);
		const end = clock.monotonic() + ms;
		const stop = () => came.put(true);
		this.#searches.add(came);
		signal.addEventListener('abort', stop, { once: true });
		try {
			while (found().length === 0 && clock.monotonic() < end && !signal.aborted)
				await came.take(end - clock.monotonic());
			if (found().length > 0) await clock.sleep(BETTER_MS, signal).catch(() => undefined);
			return found();
		} finally {
			this.#searches.delete(came);
			signal.removeEventListener('abort', stop);
		}
	}

	#ranked(parts: readonly Part[], now: number, promised = 0, accounts: readonly string[] = []): Choice<SignedBid>[] {
		const { announcement, policy } = this.#job;
		if (this.#current === undefined) return [];
		const job: Interrupted = {
			announcement: announcement.body,
			policy,
			model: this.#current.executor.bid.model,
			struckOff: this.#struckOff,
			accounts: new Set([...this.#accounts, ...accounts]),
			spent: promised + owedFor(parts, mostPromptTokens({ turns: this.#wish.turns, continueFrom: [] }))
		};
		return successors([...this.#bids.values()], job, now, this.#ports.registry.rank);
	}

	/** The same job once more, for the model whose tokens were shown, as long as it has become. Never the prompt. Never throws. */
	async #ask(shown: readonly number[]): Promise<void> {
		const { mesh, crypto, clock } = this.#ports;
		const model = this.#current?.executor.bid.model.id;
		this.#askedAt = clock.monotonic();
		this.#deaf();
		this.#deaf = mesh.subscribe(
			'fireweed/1/bids',
			(bytes) => judgeGossip('fireweed/1/bids', bytes, crypto, clock.now()),
			(bytes) => void this.#hear(bytes)
		);
		const { turns } = this.#wish;
		const promptTokens = promptBucket(mostPromptTokens({ turns, continueFrom: shown }));
		const change = { ...(model === undefined ? {} : { model }), promptTokens };
		try {
			const again = await restate(this.#job, change, this.#ports);
			// A bid on it may come before the publishing is over.
			this.#announcements.push(again);
			await mesh.publish('fireweed/1/announcements', again.bytes);
		} catch (error) {
			this.#ports.log('not-announced', { code: codeOf(error) });
		}
	}

	async #hear(bytes: Uint8Array): Promise<void> {
		const word = await admitBid(bytes, this.#job, this.#announcements, this.#ports);
		if (word?.type !== 'offer') return;
		// The newest: an executor keeps one open bid for each job.
		this.#bids.set(word.executor, word.offer);
		for (const search of this.#searches) search.put(true);
	}
}

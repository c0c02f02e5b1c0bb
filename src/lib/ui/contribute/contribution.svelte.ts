/**
 * Contributing as a screen sees it: the jobs answered here, never their texts, and what the contributor agreed to and set.
 */
import type { App, LendingLimits, Person } from '#lib/node/app.ts';
import type { ContributeEvent } from '#lib/node/events.ts';
import type { AssignedJob } from '#lib/ports/store.ts';
import type { Code } from '#lib/protocol/errors.ts';
import { codeOfThrown } from '../words.ts';
import { agreed, agreedToAnother, CONSENT_VERSION } from './terms.ts';

/** A job this tab answers or answered. */
export interface JobLine {
	readonly id: string;
	readonly startedAt: number;
	readonly sameAccount: boolean;
	readonly tokens: number;
	readonly state: 'running' | 'success' | 'cancelled' | 'partial' | 'failed';
	/** Microcredits; undefined while it runs. */
	readonly price: number | undefined;
	readonly receipt: string | undefined;
	readonly code: Code | undefined;
	/** Tokens by the whole time from start to end, reading the prompt included; undefined while it runs. */
	readonly tokensPerSecond: number | undefined;
}

/** The list shows this many; older ones stand in the receipts. */
const JOBS_SHOWN = 50;
/** Names of settings. */
const CONSENT = 'lending-consent';
const BY_ITSELF = 'lend-by-itself';
const AWAKE = 'lend-awake';
const MODEL = 'lent-model';

/** The list of jobs after an event; newest first. */
export function hearJob(jobs: readonly JobLine[], event: ContributeEvent, now: number): readonly JobLine[] {
	switch (event.type) {
		case 'started': {
			const job: JobLine = {
				id: event.job,
				startedAt: now,
				sameAccount: event.sameAccount,
				tokens: 0,
				state: 'running',
				price: undefined,
				receipt: undefined,
				code: undefined,
				tokensPerSecond: undefined
			};
			return [job, ...jobs.filter((other) => other.id !== event.job)].slice(0, JOBS_SHOWN);
		}
		case 'progress':
			return jobs.map((job) => (job.id === event.job ? { ...job, tokens: event.tokens } : job));
		case 'ended': {
			const { status, tokens, price, receipt, code } = event;
			const ended = (job: JobLine): JobLine => ({
				...{ ...job, state: status, tokens, price, receipt, code },
				tokensPerSecond: paceOf(tokens, job.startedAt, now)
			});
			return jobs.map((job) => (job.id === event.job ? ended(job) : job));
		}
		case 'ready':
		case 'reviving':
		case 'engine-lost':
		case 'considered':
		case 'refused':
			return jobs;
	}
}

/** A job of an earlier visit. One that says it runs was cut off with its tab. */
export function earlierJob(job: AssignedJob): JobLine {
	return {
		id: job.id,
		startedAt: job.createdAt,
		sameAccount: job.sameAccount,
		tokens: job.tokens,
		state: job.state === 'running' ? 'partial' : job.state,
		price: job.price,
		receipt: job.receipt,
		code: job.code as Code | undefined,
		tokensPerSecond: job.endedAt === undefined ? undefined : paceOf(job.tokens, job.createdAt, job.endedAt)
	};
}

/** Undefined where nothing was answered or the clock stood still. */
function paceOf(tokens: number, from: number, to: number): number | undefined {
	return tokens > 0 && to > from ? (1000 * tokens) / (to - from) : undefined;
}

export class Contribution {
	/** Of this visit. */
	jobs = $state.raw<readonly JobLine[]>([]);
	/** Of visits before it, newest first. */
	earlier = $state.raw<readonly JobLine[]>([]);
	/** When this tab began to offer, Unix ms; undefined while it does not lend. */
	since = $state<number | undefined>(undefined);
	/** Why the last start failed, when the tab itself did not say. */
	failed = $state<Code | undefined>(undefined);
	/** Between the click and the first word of the tab. */
	starting = $state(false);
	/** Undefined until they were read. */
	limits = $state.raw<LendingLimits | undefined>(undefined);
	/** Accounts this person knows. */
	people = $state.raw<readonly Person[]>([]);
	/** Lends as soon as the page opens. */
	byItself = $state(false);
	/** Keeps the screen on while it lends. */
	awake = $state(false);
	/** What lending means has changed since this person agreed. */
	changed = $state(false);
	/** Model lent last, by id. */
	model = $state<string | undefined>(undefined);
	readonly #app: Promise<App>;

	constructor(app: Promise<App>) {
		this.#app = app;
	}

	/** A job is being answered just now: closing the tab would cut it off. */
	get busy(): boolean {
		return this.jobs.some((job) => job.state === 'running');
	}

	/** Tokens made in this visit. */
	get tokens(): number {
		return this.jobs.reduce((sum, job) => sum + job.tokens, 0);
	}

	/** Hears the tab, and begins by itself where that was agreed to. Returns how to stop. */
	follow(app: App): () => void {
		const stops = [
			app.observeContribution((event) => {
				if (event.type === 'ready') this.since ??= Date.now();
				this.jobs = hearJob(this.jobs, event, Date.now());
			}),
			app.contribution.observe(({ state }) => {
				if (state === 'off' || state === 'failed') this.since = undefined;
			}),
			app.lending.limits.observe((limits) => (this.limits = limits)),
			app.people.list.observe((people) => (this.people = people))
		];
		void this.#restore(app).catch(() => {});
		return () => stops.forEach((stop) => stop());
	}

	async #restore({ store: { settings, assigned }, sharedOrigin }: App): Promise<void> {
		const read = async (id: string) => (await settings.get(id))?.value;
		const [consent, byItself, awake, model] = await Promise.all([CONSENT, BY_ITSELF, AWAKE, MODEL].map(read));
		this.awake = awake === true;
		this.byItself = byItself === true;
		this.changed = agreedToAnother(consent);
		if (typeof model === 'string') this.model = model;
		if (this.byItself && agreed(consent) && !sharedOrigin) void this.start(this.model);
		const visit = Date.now();
		const kept = await assigned.list(JOBS_SHOWN);
		this.earlier = kept.filter((job) => job.createdAt < visit).map(earlierJob);
	}

	/** Starts with this model, the built-in one when undefined; what goes wrong is shown. Pressing the button is the consent. */
	async start(model?: string): Promise<void> {
		this.failed = undefined;
		this.starting = true;
		this.model = model;
		this.changed = false;
		try {
			const app = await this.#app;
			this.#keep(CONSENT, CONSENT_VERSION);
			if (model !== undefined) this.#keep(MODEL, model);
			await app.startContributing(model);
		} catch (error) {
			this.failed = codeOfThrown(error);
		} finally {
			this.starting = false;
		}
	}

	/** Stops; also cancels a start under way. */
	async stop(): Promise<void> {
		try {
			await (await this.#app).stopContributing();
		} catch (error) {
			this.failed = codeOfThrown(error);
		}
	}

	/** The person's own pause, and its end. */
	async pause(paused: boolean): Promise<void> {
		(await this.#app).lending.pause(paused);
	}

	/** Changes some of the limits; they hold at once. */
	async limit(change: Partial<LendingLimits>): Promise<void> {
		if (this.limits === undefined) return;
		const app = await this.#app;
		await app.lending.set({ ...this.limits, ...change }).catch(() => {});
	}

	/** Adds somebody to those this person knows, or changes what is noted. Refusals: `malformed`, `oversized`. */
	async know(person: Person): Promise<void> {
		await (await this.#app).people.put(person);
	}

	/** Takes an account off that list. */
	async forget(account: string): Promise<void> {
		await (await this.#app).people.remove(account).catch(() => {});
	}

	/** Lends as soon as the page opens, or not. */
	setByItself(value: boolean): void {
		this.byItself = value;
		this.#keep(BY_ITSELF, value);
	}

	/** Keeps the screen on while it lends, or not. */
	setAwake(value: boolean): void {
		this.awake = value;
		this.#keep(AWAKE, value);
	}

	/** What is not kept holds for this visit. */
	#keep(id: string, value: number | boolean | string): void {
		void this.#app.then((app) => app.store.settings.put({ id, savedAt: Date.now(), value })).catch(() => {});
	}
}

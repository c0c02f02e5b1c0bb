/**
 * Contributing as a screen sees it: the jobs of this visit, never their texts.
 */
import type { App } from '#lib/node/app.ts';
import type { ContributeEvent } from '#lib/node/events.ts';
import type { Code } from '#lib/protocol/errors.ts';
import { codeOfThrown } from '../words.ts';

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
}

/** The list shows this many; older ones stand in the receipts. */
const JOBS_SHOWN = 50;

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
				code: undefined
			};
			return [job, ...jobs.filter((other) => other.id !== event.job)].slice(0, JOBS_SHOWN);
		}
		case 'progress':
			return jobs.map((job) => (job.id === event.job ? { ...job, tokens: event.tokens } : job));
		case 'ended': {
			const { status, tokens, price, receipt, code } = event;
			return jobs.map((job) => (job.id === event.job ? { ...job, state: status, tokens, price, receipt, code } : job));
		}
		case 'ready':
		case 'considered':
		case 'refused':
			return jobs;
	}
}

export class Contribution {
	jobs = $state.raw<readonly JobLine[]>([]);
	/** Why the last start failed, when the tab itself did not say. */
	failed = $state<Code | undefined>(undefined);
	/** Between the click and the first word of the tab. */
	starting = $state(false);
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

	/** Hears the tab. Returns how to stop. */
	follow(app: App): () => void {
		return app.observeContribution((event) => (this.jobs = hearJob(this.jobs, event, Date.now())));
	}

	/** Starts with this model, the built-in one when undefined; what goes wrong is shown. */
	async start(model?: string): Promise<void> {
		this.failed = undefined;
		this.starting = true;
		try {
			await (await this.#app).startContributing(model);
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
}

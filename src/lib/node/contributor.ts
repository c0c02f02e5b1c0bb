/**
 * Lending this device as its person sees it, from the click to the last job. What may be lent when is decided by `Lending`, what is
 * done with a job by `contribute`; here each step becomes a state that a screen can show.
 */
import type { PauseCause } from '#lib/market/lending.ts';
import { codeOf, Refusal } from '#lib/protocol/errors.ts';
import type { ContributeState } from './app.ts';
import { contribute, type ContributeTerms, type Contribution } from './contribute.ts';
import type { ContributeEvent } from './events.ts';
import type { Here } from './here.ts';
import type { Lending } from './lending.ts';
import type { NodePorts } from './ports.ts';
import { Watchable } from './watched.ts';

export interface ContributorPorts {
	readonly ports: NodePorts;
	readonly here: Pick<Here, 'lend' | 'endLending'>;
	readonly lending: Pick<Lending, 'follow'>;
	readonly terms: ContributeTerms;
	/** An origin that others share: nothing is lent from there. */
	readonly sharedOrigin: boolean;
	/** Joins the mesh, or does nothing where it is joined. */
	readonly join: () => Promise<void>;
	/** Called when the node offers; whoever knows whether others can reach it says so with `reachable`. */
	readonly offering: () => void;
}

export class Contributor {
	readonly state = new Watchable<ContributeState>({ state: 'off' });
	readonly #given: ContributorPorts;
	readonly #listeners = new Set<(event: ContributeEvent) => void>();
	#contribution: Contribution | undefined;
	#starting: AbortController | undefined;
	#measured = { tokensPerSecond: 0, model: '', jobs: 0 };
	#pausedBy: PauseCause | undefined;
	#unfollow = () => {};

	constructor(given: ContributorPorts) {
		this.#given = given;
	}

	/** Whether this node offers its engine. */
	get active(): boolean {
		return this.#contribution !== undefined;
	}

	/** What each job does; returns how to stop. */
	observe(listener: (event: ContributeEvent) => void): () => void {
		this.#listeners.add(listener);
		return () => this.#listeners.delete(listener);
	}

	/**
	 * Loads `model` (the chosen one when not given), joins the mesh and offers. Nothing when it does so already. Refusals: `insecure-context` on a shared
	 * origin, `not-verifiable`, those of loading and joining; the state says the same. Stopped in the midst it resolves, and is off.
	 */
	async start(model?: string): Promise<void> {
		const { here, join, lending, offering, ports, sharedOrigin, terms } = this.#given;
		if (this.state.value.state !== 'off' && this.state.value.state !== 'failed') return;
		if (sharedOrigin) throw this.#fail(new Refusal('insecure-context', 'shared origin'));
		const begun = (this.#starting = new AbortController());
		this.state.set({ state: 'loading', progress: undefined });
		try {
			const engine = here.lend(model);
			const ready = await engine.load((progress) => this.state.set({ state: 'loading', progress }), begun.signal);
			this.#measured = { tokensPerSecond: ready.tokensPerSecond, model: ready.card.name, jobs: 0 };
			this.state.set({ state: 'connecting' });
			if (!ready.card.verifiable) throw new Refusal('not-verifiable', ready.card.id);
			await join();
			if (begun.signal.aborted) throw new Refusal('aborted');
			const contribution = contribute({ ...ports, engine }, terms, (event) => this.#hear(event));
			this.#contribution = contribution;
			const unfollow = await lending.follow((cause) => this.#pause(cause));
			// Stopped while the limits were read: who stopped it knew of nothing to undo.
			if (begun.signal.aborted) unfollow();
			if (begun.signal.aborted) throw new Refusal('aborted');
			this.#unfollow = unfollow;
			await contribution.start();
			offering();
		} catch (error) {
			this.#unfollow();
			this.#contribution = undefined;
			await here.endLending();
			if (codeOf(error) === 'aborted') this.state.set({ state: 'off' });
			else throw this.#fail(error);
		}
	}

	/** Takes no more jobs, stops the running one, which still gets its receipt, and frees the engine. */
	async stop(): Promise<void> {
		this.#starting?.abort();
		this.#unfollow();
		const ending = this.#contribution;
		this.#contribution = undefined;
		await ending?.stop();
		await this.#given.here.endLending();
		this.state.set({ state: 'off' });
	}

	/** Others can reach this node: who waited for that is ready. */
	reachable(): void {
		if (this.state.value.state === 'connecting') this.#becomeReady();
	}

	#becomeReady(): void {
		if (this.#pausedBy === undefined) this.state.set({ state: 'ready', ...this.#measured });
		else this.state.set({ state: 'paused', why: this.#pausedBy, ...this.#measured });
	}

	/** A running job goes on, so what the screen shows changes at its end only. */
	#pause(cause: PauseCause | undefined): void {
		this.#pausedBy = cause;
		this.#contribution?.pause(cause !== undefined);
		const { state } = this.state.value;
		if (state === 'ready' || state === 'paused') this.#becomeReady();
	}

	#hear(event: ContributeEvent): void {
		if (event.type === 'reviving') this.state.set({ state: 'loading', progress: event.progress, again: true });
		if (event.type === 'ready' && this.state.value.state === 'loading') {
			this.#measured = { ...this.#measured, tokensPerSecond: event.tokensPerSecond };
			this.#becomeReady();
		}
		if (event.type === 'engine-lost') void this.stop().then(() => this.#fail(new Refusal(event.code)));
		if (event.type === 'started') this.state.set({ state: 'working', ...this.#measured });
		if (event.type === 'ended') {
			this.#measured = { ...this.#measured, jobs: this.#measured.jobs + 1 };
			if (this.state.value.state === 'working') this.#becomeReady();
		}
		for (const listener of this.#listeners) listener(event);
	}

	#fail(error: unknown): unknown {
		this.state.set({ state: 'failed', code: codeOf(error) });
		return error;
	}
}

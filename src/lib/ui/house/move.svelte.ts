/** A move as one screen sees it, on either side: one step after the other, each of which can be stopped. */
import type { ArrivingPerson } from '#lib/node/move-in.ts';
import { t } from '../language/language.svelte.ts';

export type MoveState =
	| { readonly step: 'idle' }
	/** The mesh is joined, a relay or the other tab is sought. */
	| { readonly step: 'connecting' }
	/** The new side waits with its code in sight. */
	| { readonly step: 'code'; readonly code: string }
	| { readonly step: 'compare'; readonly digits: string }
	/** The person here said yes, the other has not. */
	| { readonly step: 'waiting' }
	| { readonly step: 'moving'; readonly bytes: number; readonly of: number }
	/** All of it has gone; the new side has not taken it in yet. */
	| { readonly step: 'settling' }
	| { readonly step: 'done'; readonly said: string }
	| { readonly step: 'failed'; readonly said: string };

export class Move {
	state = $state.raw<MoveState>({ step: 'idle' });
	readonly #words: (error: unknown) => string;
	#stop = new AbortController();
	#answer: ((same: boolean) => void) | undefined;

	/** `words`: what a refusal means on this side. */
	constructor(words: (error: unknown) => string) {
		this.#words = words;
	}

	get busy(): boolean {
		return !['idle', 'done', 'failed'].includes(this.state.step);
	}

	/** Runs one move; resolves to undefined when it ended early, which the state then says. */
	async run<T>(work: (person: ArrivingPerson, signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
		if (this.busy) return undefined;
		const { signal } = (this.#stop = new AbortController());
		this.state = { step: 'connecting' };
		try {
			return await work(this.#person(signal), signal);
		} catch (error) {
			// What has left cannot be called back, and whoever stops should know it.
			const { step }: MoveState = this.#now();
			const left = step === 'moving' || step === 'settling';
			const said = this.#words(error);
			this.state = { step: 'failed', said: left ? `${said} ${t('move.some-of-it-may-have')}` : said };
			return undefined;
		} finally {
			this.#answer = undefined;
		}
	}

	/** The person has compared the figures. */
	answer(same: boolean): void {
		if (this.state.step === 'compare') this.state = same ? { step: 'waiting' } : { step: 'connecting' };
		this.#answer?.(same);
		this.#answer = undefined;
	}

	done(said: string): void {
		this.state = { step: 'done', said };
	}

	reset(): void {
		this.state = { step: 'idle' };
	}

	stop(): void {
		this.#stop.abort();
	}

	/** The state as it is after work that changed it. */
	#now(): MoveState {
		return this.state;
	}

	#person(signal: AbortSignal): ArrivingPerson {
		const show = (state: MoveState) => {
			if (!signal.aborted) this.state = state;
		};
		return {
			show: (code) => show({ step: 'code', code }),
			compare: (digits) => {
				show({ step: 'compare', digits });
				return new Promise((resolve) => (this.#answer = resolve));
			},
			progress: (bytes, of) => show(bytes < of ? { step: 'moving', bytes, of } : { step: 'settling' })
		};
	}
}

/** Six figures in two threes, as people read them aloud. */
export const spaced = (digits: string): string => `${digits.slice(0, 3)} ${digits.slice(3)}`;

/** What each way to cheat did to honest nodes: counted, never a violation by itself. */
import type { Dossier, Segment } from './dossier.ts';
import type { Inhabitant } from './inhabitant.ts';
import type { Cheat } from './script.ts';

export interface HarmDone {
	/** Jobs of honest askers that this cheat was given. */
	jobs: number;
	/** Times somebody came to it with a job and was only held up. */
	heldUp: number;
	/** Of the jobs, not finished in the end. */
	unfinished: number;
	/** Tokens shown to honest askers that the model did not draw. */
	falseTokens: number;
	/** Microcredits that honest askers signed for beyond what an honest executor would have billed. */
	overbilled: number;
	/** Tokens that honest executors made for this cheat and cannot prove. */
	unpaidTokens: number;
	/** Jobs it asked for that honest executors ran. */
	served: number;
}

export class Harm {
	readonly byCheat = new Map<Cheat, HarmDone>();

	of(cheat: Cheat): HarmDone {
		const none = { jobs: 0, heldUp: 0, unfinished: 0, falseTokens: 0, overbilled: 0, unpaidTokens: 0, served: 0 };
		const done = this.byCheat.get(cheat) ?? none;
		this.byCheat.set(cheat, done);
		return done;
	}

	/** Adds what one job suffered. */
	count(
		dossier: Dossier,
		parts: readonly Segment[],
		tokens: readonly number[],
		byPeer: (peer: string) => Inhabitant | undefined
	): void {
		const { asker, events, owed, runs } = dossier;
		if (asker.plan.cheat !== undefined) {
			const harm = this.of(asker.plan.cheat);
			for (const { by, request, tokens: made } of runs) {
				if (!by.honest) continue;
				harm.served++;
				const proven = Math.max(
					request.continueFrom.length,
					...owed.filter(({ to }) => to === by.peer).map(({ until }) => until)
				);
				harm.unpaidTokens += Math.max(0, made.length - proven);
			}
			return;
		}
		const end = events.at(-1);
		const cheats = new Set<Cheat>();
		for (const part of parts) {
			const cheat = byPeer(part.executor)?.plan.cheat;
			if (cheat === undefined) continue;
			cheats.add(cheat);
			const run = runs.find(
				({ by, request }) => by.peer === part.executor && request.continueFrom.length === part.from
			);
			const drawn = run?.tokens.slice(part.from) ?? [];
			if (cheat === 'liar') this.of(cheat).falseTokens += part.tokens.filter((token, at) => token !== drawn[at]).length;
		}
		for (const { to, price, promptTokens, kind } of owed) {
			const cheat = byPeer(to)?.plan.cheat;
			if (cheat === undefined || kind !== 'receipt' || price === undefined || promptTokens === undefined) continue;
			// Given tokens are run as a prompt is, and billed with it.
			const fair = promptTokensOf(dossier) + (parts.find(({ executor }) => executor === to)?.from ?? 0);
			const billed = promptTokens + Math.max(0, tokens.length);
			if (promptTokens > fair)
				this.of(cheat).overbilled += Math.round((price * (promptTokens - fair)) / Math.max(1, billed));
		}
		for (const cheat of cheats) {
			this.of(cheat).jobs++;
			if (end?.type !== 'finished') this.of(cheat).unfinished++;
		}
	}
}

/** As the scripted engine counts. */
function promptTokensOf({ prompt }: Dossier): number {
	return prompt.split(/\s+/).length + 3;
}

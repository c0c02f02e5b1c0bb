/** What an asker sees of one job: it ends, once, and every token is the one its executor drew. */
import { isCode } from '#lib/protocol/errors.ts';
import { scriptedAnswer } from '../../doubles/engine.ts';
import { segments, shown, type Accuse, type Dossier, type Run, type Segment } from '../dossier.ts';
import type { Inhabitant } from '../inhabitant.ts';
import { isEnd } from '../sabotage.ts';

/** After the policy's deadline: bids, one connection, and the last word after a stop. */
const AFTER_DEADLINE_MS = 40_000;

/** `now`: virtual ms. */
export function oneEnd({ events, endedAt, askedAt }: Dossier, deadlineMs: number, now: number, accuse: Accuse): void {
	const say = (what: string) => accuse('one-end', what);
	const took = (endedAt ?? now) - askedAt;
	if (took > deadlineMs + AFTER_DEADLINE_MS) say(`took ${Math.round(took / 1000)} s`);
	if (endedAt === undefined) return;
	const ends = events.filter(isEnd);
	if (ends.length !== 1) return say(`${ends.length} ends: ${events.map(({ type }) => type).join(' ')}`);
	const end = events.at(-1);
	if (end === undefined || !isEnd(end)) return say(`something after the end: ${end?.type}`);
	if ((end.type === 'failed' || end.type === 'lost') && (!isCode(end.code) || end.code === 'internal')) {
		say(`a failure without a cause: ${end.code}`);
	}
	if (end.type === 'failed' && shown(events).length > 0) say(`failed after ${shown(events).length} tokens were shown`);
}

export function wholeAnswer(dossier: Dossier, byPeer: (peer: string) => Inhabitant | undefined, accuse: Accuse): void {
	const { events, plan, runs } = dossier;
	const say = (what: string) => accuse('whole-answer', what);
	let next = 0;
	for (const event of events) {
		if (event.type !== 'words') continue;
		if (event.position !== next) return say(`position ${event.position} where ${next} was due`);
		if (event.text !== event.tokens.map((token) => `w${token} `).join('')) {
			// Words of a liar are its own; an honest executor's text is that of its tokens.
			if (truthful(byPeer(executorAt(events, next)))) return say(`text and tokens differ at ${next}`);
		}
		next += event.tokens.length;
	}
	const tokens = shown(events);
	const end = events.at(-1);
	if (end?.type === 'finished') {
		if (end.tokens !== tokens.length) return say(`${tokens.length} tokens shown, ${end.tokens} said to be the answer`);
		const parts = segments(events);
		const honest = parts.every(({ executor }) => truthful(byPeer(executor)));
		if (honest && end.status === 'success' && tokens.length < plan.minTokens) say('shorter than agreed');
	}
	if (tokens.length > plan.maxTokens) say('longer than agreed');
	let seed: Uint8Array | undefined;
	let pure = true;
	for (const part of segments(events)) {
		const by = byPeer(part.executor);
		if (!truthful(by)) {
			pure = false;
			continue;
		}
		if (part.tokens.length === 0) continue;
		const run = runOf(part, runs, tokens);
		if (run === undefined) return say(`tokens from ${part.from} that their executor did not draw`);
		if (seed !== undefined && run.request.seed.join() !== seed.join())
			return say('drawn with another seed after a hand-over');
		seed = run.request.seed;
	}
	if (!pure || seed === undefined || tokens.length === 0) return;
	const { request } = runs[0] as Run;
	const alone = scriptedAnswer({ ...request, seed }, [], tokens.length);
	if (alone.join() !== tokens.join()) say('not the unbroken run of one engine');
}

/** Cheats that still run the model as it is. */
export function truthful(by: Inhabitant | undefined): boolean {
	return by !== undefined && by.plan.cheat !== 'liar' && by.plan.cheat !== 'equivocator';
}

function executorAt(events: Dossier['events'], position: number): string {
	return segments(events).findLast(({ from }) => from <= position)?.executor ?? '';
}

/** The run of that executor that was given what was shown before and drew what was shown of it. */
function runOf(part: Segment, runs: readonly Run[], tokens: readonly number[]): Run | undefined {
	return runs.find(({ by, request, tokens: drawn }) => {
		if (by.peer !== part.executor || request.continueFrom.length !== part.from) return false;
		const until = part.from + part.tokens.length;
		return drawn.length >= until && tokens.slice(0, until).every((token, at) => drawn[at] === token);
	});
}

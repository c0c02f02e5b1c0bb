/**
 * Which door to try next. Pure. One after the other and those already known first: a tab that knocks at every door at once shows a
 * watcher of the network what it is (protocol.md 10).
 */
import type { Caution } from '#lib/ports/doors.ts';

/** The stages in their order. */
export const STAGES = ['met-relays', 'met-tabs', 'directory', 'named'] as const;
export type Stage = (typeof STAGES)[number];

/** How long each may take before the next, ms: a relay answers in well under a second, a tab has to be introduced first. */
const PATIENCE_MS: Readonly<Record<Stage, number>> = {
	'met-relays': 1_500,
	'met-tabs': 5_000,
	directory: 4_000,
	named: 8_000
};
/**
 * With a relay of an earlier visit up, the directory is asked all the same after this time, ms: otherwise those who once came by a
 * private relay would stay a network of their own for ever.
 */
export const SETTLED_MS = 15_000;
/** Everything was tried in vain: again after this, ms. */
export const AGAIN_MS = 30_000;

export interface Sight {
	/** The stage tried last. */
	readonly stage: Stage | undefined;
	/** Since it began, ms. */
	readonly sinceMs: number;
	readonly relayUp: boolean;
	readonly caution: Caution;
	/** How much there is to try behind each door. */
	readonly supply: Readonly<Record<Stage, number>>;
}

/** The stage to begin now; `again`: from the start; undefined: nothing yet. */
export function nextStage(sight: Sight): Stage | 'again' | undefined {
	const { stage, sinceMs, relayUp, caution, supply } = sight;
	const at = stage === undefined ? -1 : STAGES.indexOf(stage);
	const open = (one: Stage) =>
		supply[one] > 0 && (caution === 'ordinary' || one === 'met-relays' || one === 'met-tabs');
	if (relayUp) {
		const early = at < STAGES.indexOf('directory');
		return early && open('directory') && stage !== undefined && sinceMs >= SETTLED_MS ? 'directory' : undefined;
	}
	if (stage !== undefined && sinceMs < PATIENCE_MS[stage]) return undefined;
	const next = STAGES.slice(at + 1).find(open);
	if (next !== undefined) return next;
	return sinceMs >= AGAIN_MS && STAGES.some(open) ? 'again' : undefined;
}

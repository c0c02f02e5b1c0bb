/**
 * How long may a connection be silent before its peer is taken for gone? A pure decision from the silences on it that ended.
 *
 * Where frames come and go without a break, a short silence says as much as a long one does on a way that stutters; so a lively, calm connection is
 * given half the time. Failure detectors that learn from the times between arrivals: W. Chen, S. Toueg, M. K. Aguilera, "On the quality of service of
 * failure detectors" (2002); here with a floor and a ceiling, so that no peer can lengthen its own time beyond what everybody has.
 */

/** Nobody is waited for longer, ms: nearly five beats, so that four may be late or stuck. */
export const PATIENCE_MS = 1_200;
/** Nor is anybody given up sooner, ms: longer than a lost frame among many is away, and than living pages were measured to stand still (docs/decisions/heartbeat-of-our-own.md). */
export const LEAST_PATIENCE_MS = 600;
/**
 * So many times the longest of the newest pauses, a few of them: with the first beat that has no frame before it the whole time is had again, because a
 * beat that is lost is 650 ms away.
 */
const NEWEST_TIMES = 5;
const NEWEST = 4;
/** And so many times the longest within SPAN_MS to twice that. */
const LONGEST_TIMES = 2;
const SPAN_MS = 30_000;
/** Until it is known for so long, a connection has the whole time, ms. */
export const KNOWN_AFTER_MS = 5_000;

/** What is remembered of one connection. Moments are monotonic ms. */
export interface Patience {
	readonly since: number;
	/** The newest silences, ms. */
	readonly newest: readonly number[];
	/** The longest silence since `spanAt`, and in the span before, ms. */
	readonly longest: number;
	readonly longestBefore: number;
	readonly spanAt: number;
}

/** Of a connection that is new at `now`. */
export function patienceFrom(now: number): Patience {
	return { since: now, newest: [], longest: 0, longestBefore: 0, spanAt: now };
}

/** After a silence of `pauseMs` that ended at `now`. */
export function paused(patience: Patience, pauseMs: number, now: number): Patience {
	const newest = [...patience.newest, pauseMs].slice(-NEWEST);
	if (now - patience.spanAt < SPAN_MS) return { ...patience, newest, longest: Math.max(patience.longest, pauseMs) };
	return { ...patience, newest, longest: pauseMs, longestBefore: patience.longest, spanAt: now };
}

/** The silence that is waited for at `now`, ms. */
export function patienceMs({ since, newest, longest, longestBefore }: Patience, now: number): number {
	if (now - since < KNOWN_AFTER_MS || newest.length === 0) return PATIENCE_MS;
	const needed = Math.max(NEWEST_TIMES * Math.max(...newest), LONGEST_TIMES * Math.max(longest, longestBefore));
	return Math.min(PATIENCE_MS, Math.max(LEAST_PATIENCE_MS, needed));
}

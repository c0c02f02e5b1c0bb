/**
 * Is an executor late, or gone? A pure decision from the pauses between its frames.
 *
 * `late` makes the originator look for somebody else; `gone` makes it hand over. Silence is counted only while the originator waits with nothing
 * left to read and never beyond what it meant to wait: when its own tab was frozen or throttled, that lateness is its own.
 *
 * How it would be cheated: an executor that slows down step by step raises its own median and so its thresholds; a ceiling holds them, and
 * the deadline of the policy ends the job.
 */

/** How an executor keeps time. */
export interface Lateness {
	/** Milliseconds waited in vain since the last frame (before the first: since the assignment was accepted). */
	readonly silentMs: number;
	/** Milliseconds until the first frame, as promised; undefined once it came. */
	readonly firstMs: number | undefined;
	/** Pauses before the newest frames, the newest last. */
	readonly gapsMs: readonly number[];
	/** Silence that counts as late, and as gone, ms. */
	readonly lateMs: number;
	readonly goneMs: number;
}

export type Punctuality = 'on-time' | 'late' | 'gone';

/** Late: this many median pauses, and never sooner than that: a collection of garbage or a repainting takes as long (issue 4). */
const LATE_MEDIANS = 4;
const LATE_FLOOR_MS = 150;
/** Gone: ten times as patient, for handing over costs a whole prompt. At 8 tokens a second this is the floor. */
const GONE_MEDIANS = 40;
/** A packet that is lost three times in a row comes about three seconds late; a phone that changes its network needs two to four. */
const GONE_FLOOR_MS = 5_000;
/** Nobody reads an answer that pauses for longer. Also what a slow drip can gain by raising its own median. */
const GONE_CEILING_MS = 30_000;
/** The first frame may take a multiple of what was promised (another job's end, a cold cache) and some time for the way. */
const FIRST_LATE_TIMES = 2;
const FIRST_LATE_MS = 1_000;
const FIRST_GONE_TIMES = 4;
const FIRST_GONE_MS = 8_000;
/** Prefill of the longest prompt on a slow device, whatever was promised. */
const FIRST_CEILING_MS = 60_000;
/** Pauses remembered: a checkpoint's worth of frames, so that the median follows a device that becomes slower within seconds. */
const REMEMBERED_GAPS = 32;
/** The bid's own pace stands for so many pauses until real ones outnumber it. */
const PROMISED_GAPS = 4;
/** One look takes at most so long: what a freeze within it can be mistaken for. */
const LOOK_MS = 250;

/** An executor that promised its first frame in `firstMs` and then `tokensPerSecond`. */
export function expecting(firstMs: number, tokensPerSecond: number): Lateness {
	const gap = Math.min(GONE_CEILING_MS, 1_000 / Math.max(0.001, tokensPerSecond));
	return {
		silentMs: 0,
		firstMs,
		gapsMs: Array<number>(PROMISED_GAPS).fill(gap),
		lateMs: Math.min(FIRST_CEILING_MS, FIRST_LATE_TIMES * firstMs + FIRST_LATE_MS),
		goneMs: Math.min(FIRST_CEILING_MS, FIRST_GONE_TIMES * firstMs + FIRST_GONE_MS)
	};
}

/** After waiting `tookMs` where `askedMs` was meant, with nothing there to read before. */
export function waited(lateness: Lateness, askedMs: number, tookMs: number): Lateness {
	return { ...lateness, silentMs: lateness.silentMs + Math.max(0, Math.min(askedMs, tookMs)) };
}

/** After a frame. */
export function arrived({ silentMs, firstMs, gapsMs: before }: Lateness): Lateness {
	// The wait for the first frame says nothing about the pace.
	const gapsMs = firstMs === undefined ? [...before, silentMs].slice(-REMEMBERED_GAPS) : before;
	const median = medianOf(gapsMs);
	const goneMs = Math.min(GONE_CEILING_MS, Math.max(GONE_FLOOR_MS, GONE_MEDIANS * median));
	const lateMs = Math.min(goneMs, Math.max(LATE_FLOOR_MS, LATE_MEDIANS * median));
	return { silentMs: 0, firstMs: undefined, gapsMs, lateMs, goneMs };
}

/** What the silence so far means. */
export function punctuality({ silentMs, lateMs, goneMs }: Lateness): Punctuality {
	return silentMs >= goneMs ? 'gone' : silentMs >= lateMs ? 'late' : 'on-time';
}

/** How long to wait before the next look, ms. */
export function nextLookMs({ silentMs, lateMs, goneMs }: Lateness): number {
	return Math.max(1, Math.min(LOOK_MS, (silentMs < lateMs ? lateMs : goneMs) - silentMs));
}

function medianOf(values: readonly number[]): number {
	const sorted = [...values].sort((a, b) => a - b);
	const middle = sorted.length >> 1;
	const upper = sorted[middle] ?? 0;
	return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2;
}

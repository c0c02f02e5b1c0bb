/**
 * How many WebRTC connections strangers may make this tab create, and how fast. Pure: time is an argument.
 *
 * Chrome refuses the 501st RTCPeerConnection that is not garbage-collected yet, closed ones included (measured: 500 at once, then none;
 * after a collection 500 again). Each introduction that someone asks for costs us one, before we know anything about them.
 */

/** Connections that may come at once: a fifth of what Chrome grants. */
export const BURST = 100;
/** Time after which one more may come, ms: 20 a minute, so that 400 take 20 minutes, in which a busy tab is collected many times. */
export const REFILL_MS = 3_000;

export interface Bucket {
	readonly tokens: number;
	readonly at: number;
}

export const FULL_BUCKET: Bucket = { tokens: BURST, at: 0 };

/** Takes one token when there is one. */
export function take(bucket: Bucket, now: number): { readonly bucket: Bucket; readonly granted: boolean } {
	const tokens = Math.min(BURST, bucket.tokens + Math.max(0, now - bucket.at) / REFILL_MS);
	const granted = tokens >= 1;
	return { bucket: { tokens: granted ? tokens - 1 : tokens, at: now }, granted };
}

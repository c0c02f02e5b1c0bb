/** Why a bidder was chosen, in words for a person: what was seen here, never what a bid claims of itself. */
import type { Expected } from './expect.ts';
import type { BidHeard } from './select.ts';

export interface Among {
	/** Acceptable offers in all. */
	readonly offers: number;
	/** It went first to earn a record, though somebody known offered. */
	readonly tried: boolean;
}

/** Below this nobody minds that others come first, ms. */
const AT_ONCE_MS = 1_000;

/** A few words that begin small and end without a point. */
export function reasonFor({ bid, sameAccount }: BidHeard, { known, proven }: Expected, among: Among): string {
	if (sameAccount) return 'your own device';
	if (known !== undefined && proven) {
		const times = known.jobs === 1 ? 'once' : known.jobs === 2 ? 'twice' : `${known.jobs} times`;
		const waitMs = bid.waitMs ?? 0;
		const free = waitMs < AT_ONCE_MS ? 'free now' : `free in ${Math.ceil(waitMs / 1000)} s`;
		if (known.model !== bid.model.id || known.tokensPerSecond === 0) return `answered here ${times}, ${free}`;
		return `measured ${rounded(known.tokensPerSecond)} tokens a second here, answered ${times}, ${free}`;
	}
	if (among.offers === 1) return 'the only offer';
	if (known !== undefined && known.broken > 0)
		return `did not always answer here, but the best of ${among.offers} offers`;
	if (among.tried) return 'new here, tried so that it can show what it does';
	return `new here, one of ${among.offers} offers`;
}

const rounded = (speed: number): string => (speed < 10 ? speed.toFixed(1) : String(Math.round(speed)));

/**
 * Words over the mesh come in bursts, and for a moment not at all when somebody else goes on with an answer. This spreads each burst over
 * a short time, so that on the screen they come evenly: a playout buffer, as telephony has them against jitter (RFC 3550, 6.4.1 measures it).
 */

/** What has come stands on the screen whole after so long, ms: on the mean half of that late. A pause that is shorter is not seen. */
export const PLAYOUT_MS = 350;

/** Of one text that only grows. Pure but for what it remembers. */
export class Playout {
	#whole = 0;
	#least = 0;
	#coming: { readonly at: number; readonly length: number }[] = [];

	/** The text is `whole` characters long at `now`, ms of any clock. What is there first, and what became shorter, stands at once. */
	hear(whole: number, now: number): void {
		if (this.#whole === 0 || whole < this.#whole) [this.#least, this.#coming] = [whole, []];
		else if (whole > this.#whole) this.#coming.push({ at: now, length: whole - this.#whole });
		this.#whole = whole;
	}

	/** How many characters of it stand on the screen at `now`: never fewer than before. */
	shown(now: number): number {
		// A clock that was set back must not keep words from anybody.
		this.#coming = this.#coming.filter(({ at }) => now >= at && now - at < PLAYOUT_MS);
		const rest = this.#coming.reduce((sum, { at, length }) => sum + length * (1 - (now - at) / PLAYOUT_MS), 0);
		return (this.#least = Math.max(this.#least, this.#whole - Math.floor(rest)));
	}
}

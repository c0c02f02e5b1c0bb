/** Whether the network found itself: everybody who listens knows everybody who lends, and nobody who is gone. */
import { CLOCK_SKEW_MS } from '#lib/protocol/limits.ts';
import type { Accuse } from '../dossier.ts';
import type { Inhabitant } from '../inhabitant.ts';

/** Three statements of everybody (advertise.EVERY_MS and its pause), so that two may be lost. */
export const HEAL_MS = 36_000;
/** A statement is forgotten after its time (advertise.TTL_MS) at the latest. */
const FORGOTTEN_MS = 65_000;
/** The same where somebody replays statements: those within the skew window are believed again, for a quarter of their time. */
const FORGOTTEN_REPLAYED_MS = CLOCK_SKEW_MS + 20_000;

/** `now`: virtual ms; nothing has gone wrong for HEAL_MS. */
export function foundItself(all: readonly Inhabitant[], now: number, accuse: Accuse): void {
	const say = (what: string) => accuse('finds-itself', what);
	const settled = (who: Inhabitant) =>
		who.here && who.honest && now - who.plan.joinsAt > HEAL_MS && now - who.troubledUntil > HEAL_MS;
	const forgottenMs = all.every(({ honest }) => honest) ? FORGOTTEN_MS : FORGOTTEN_REPLAYED_MS;
	const lenders = all.filter((who) => settled(who) && who.lending);
	for (const who of all) {
		if (!settled(who) || who.offers === undefined) continue;
		const known = new Set(who.offers.list().map(({ executor }) => executor));
		const apart = (other: Inhabitant) => Math.abs(other.clock.errorMs - who.clock.errorMs);
		// Clocks that differ by more than the window do not believe each other.
		const missing = lenders.filter(
			(other) => other !== who && apart(other) < 0.95 * CLOCK_SKEW_MS && !known.has(other.peer)
		);
		if (missing.length > 0) {
			const names = missing.map(({ plan }) => plan.id).join(', ');
			say(`node ${who.plan.id} does not know ${missing.length} of ${lenders.length} lenders: ${names}`);
		}
		const gone = all.filter(
			({ leftAt, peer }) => leftAt !== undefined && now - leftAt > forgottenMs && known.has(peer)
		);
		if (gone.length > 0) say(`node ${who.plan.id} still offers ${gone.length} that are gone`);
	}
}

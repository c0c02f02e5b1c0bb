/** What an honest asker signs, as it went over the wire: each epoch once, each position once, never more than was shown or allowed. */
import { segments, type Accuse, type Dossier } from '../dossier.ts';

/** `mostPrice`: the policy's, microcredits for the whole job. */
export function paidOnce(dossier: Dossier, mostPrice: number, accuse: Accuse): void {
	const { owed, events } = dossier;
	const say = (what: string) => accuse('paid-once', what);
	const receipts = owed.filter(({ kind }) => kind === 'receipt');
	const byEpoch = new Map<number, string>();
	for (const { epoch, cid } of receipts) {
		if ((byEpoch.get(epoch) ?? cid) !== cid) say(`two receipts signed for epoch ${epoch}`);
		byEpoch.set(epoch, cid);
	}
	const price = [...byEpoch.values()]
		.map((cid) => receipts.find((each) => each.cid === cid)?.price ?? 0)
		.reduce((sum, each) => sum + each, 0);
	if (price > mostPrice) say(`signed for ${price}, allowed ${mostPrice}`);
	const parts = segments(events);
	for (const { to, kind, from, until } of owed) {
		const part = parts.find(({ executor }) => executor === to);
		const shownUntil = part === undefined ? 0 : part.from + part.tokens.length;
		if (until > shownUntil && (from === undefined || until > from)) {
			accuse('small-loss', `asker signed a ${kind} up to ${until}, shown by that executor up to ${shownUntil}`);
		}
		if (from !== undefined && part !== undefined && from < part.from)
			say(`a receipt begins at ${from}, before its part`);
	}
}

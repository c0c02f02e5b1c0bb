/**
 * Whom to remember and whom to dial first. Pure.
 *
 * How it would be cheated: connect under many names until everybody else is pushed out, and the next start finds only the cheat
 * (an eclipse). So half of the places belong to those met on the most days, which cannot be hurried; one account has few places; and
 * the order of dialling is by lot.
 */
import type { MetNode } from '#lib/ports/store.ts';

export const KEPT_TABS = 48;
export const KEPT_RELAYS = 16;
/** Places of one account among the tabs. */
export const KEPT_PER_ACCOUNT = 4;
/** Length of a day in ms: two meetings on one day count once. */
const DAY_MS = 24 * 3600 * 1000;

/** A meeting just now, with what the node said of itself. */
export type Meeting = Omit<MetNode, 'firstMetAt' | 'lastMetAt' | 'days'>;

/** The record after a meeting at `now` (Unix ms). What the person named stays named by the person. */
export function noted(old: MetNode | undefined, meeting: Meeting, now: number): MetNode {
	if (old === undefined) return { ...meeting, firstMetAt: now, lastMetAt: now, days: 1 };
	const newDay = Math.floor(now / DAY_MS) > Math.floor(old.lastMetAt / DAY_MS);
	return {
		...meeting,
		by: old.by === 'person' ? 'person' : meeting.by,
		document: meeting.document ?? old.document,
		firstMetAt: old.firstMetAt,
		lastMetAt: Math.max(now, old.lastMetAt),
		days: old.days + (newDay ? 1 : 0)
	};
}

/** Ids of those who lose their place. */
export function leavers(records: readonly MetNode[]): readonly string[] {
	const relays = stay(
		records.filter(({ role }) => role === 'relay'),
		KEPT_RELAYS,
		Number.POSITIVE_INFINITY
	);
	const tabs = stay(
		records.filter(({ role }) => role === 'tab'),
		KEPT_TABS,
		KEPT_PER_ACCOUNT
	);
	return records.filter(({ id }) => !relays.has(id) && !tabs.has(id)).map(({ id }) => id);
}

function stay(records: readonly MetNode[], places: number, perAccount: number): ReadonlySet<string> {
	const kept = new Set<string>();
	const ofAccount = new Map<string, number>();
	const take = (sorted: readonly MetNode[], until: number) => {
		for (const { id, account = '' } of sorted) {
			if (kept.size >= until) return;
			const count = ofAccount.get(account) ?? 0;
			if (kept.has(id) || count >= perAccount) continue;
			kept.add(id);
			ofAccount.set(account, count + 1);
		}
	};
	take([...records].sort(steadiestFirst), Math.ceil(places / 2));
	take(
		[...records].sort((a, b) => b.lastMetAt - a.lastMetAt),
		places
	);
	return kept;
}

function steadiestFirst(a: MetNode, b: MetNode): number {
	return b.days - a.days || a.firstMetAt - b.firstMetAt;
}

/**
 * The order of dialling at start: those the person named, then the rest by lot, each twice as likely before another for every doubling
 * of its days. `chance` gives numbers in [0, 1).
 */
export function dialOrder(records: readonly MetNode[], chance: () => number): readonly MetNode[] {
	const weighed = records.map((record) => ({
		record,
		// The usual weighted lottery: u^(1/w), largest first.
		lot: Math.max(chance(), Number.EPSILON) ** (1 / Math.max(1, record.days)) + (record.by === 'person' ? 1 : 0)
	}));
	return weighed.sort((a, b) => b.lot - a.lot).map(({ record }) => record);
}

/** What a run amounted to, in numbers. */
import type { Town } from './simulate.ts';

export interface Counts {
	readonly nodes: number;
	readonly jobs: number;
	/** Ends of honest askers' jobs: `success`, `cancelled`, `partial`, `lost:<code>`, `failed:<code>`; those of cheats begin with `hostile`. */
	readonly ends: Readonly<Record<string, number>>;
	readonly handOvers: number;
	readonly tokens: number;
	/** Faults that struck, departures among them, by type and in all. */
	readonly faults: Readonly<Record<string, number>>;
	readonly faultsInAll: number;
	readonly cheats: number;
	/** Assignments that honest lenders refused, by code. */
	readonly refusals: Readonly<Record<string, number>>;
	readonly receiptsSigned: number;
	readonly acknowledged: number;
	readonly published: number;
	readonly delivered: number;
	readonly steps: number;
	readonly signaturesChecked: number;
	readonly signaturesRefused: number;
	readonly virtualSeconds: number;
}

export function counts(town: Town): Counts {
	const { script, world, checker } = town;
	const plain = (map: ReadonlyMap<string, number>) =>
		Object.fromEntries([...map].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
	return {
		nodes: town.all.size,
		jobs: town.asked,
		ends: plain(town.ends),
		handOvers: town.handOvers,
		tokens: town.tokens,
		faults: plain(town.struck),
		faultsInAll: [...town.struck.values()].reduce((sum, each) => sum + each, 0),
		cheats: script.nodes.filter(({ cheat }) => cheat !== undefined).length,
		refusals: plain(checker.refusals),
		receiptsSigned: checker.signed.receipts,
		acknowledged: checker.signed.acknowledgements,
		published: world.network.published,
		delivered: world.network.delivered,
		steps: world.clock.steps,
		signaturesChecked: world.seals.checked,
		signaturesRefused: world.seals.refused,
		virtualSeconds: Math.round(world.clock.monotonic() / 1000)
	};
}

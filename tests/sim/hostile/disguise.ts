/** How a node cheats: real programs that speak the real protocol, most of them the real story with something put between it and its ports. */
import type { Engine } from '#lib/ports/engine.ts';
import type { SeededRandom } from '../../doubles/chance.ts';
import type { NodeClock } from '../../doubles/clock.ts';
import type { ScriptedEngine } from '../../doubles/engine.ts';
import type { TestNode, World } from '../../doubles/node.ts';
import type { Cheat } from '../script.ts';
import { equivocates, noShow, withholds } from './channels.ts';
import { flood } from './flooder.ts';
import { boasts, lies, overbills, stalls } from './engines.ts';
import { replay } from './replayer.ts';
import { manyNames } from './sybil.ts';

export interface Disguise {
	readonly ports?: (ports: TestNode['ports']) => TestNode['ports'];
	readonly playing?: (engine: ScriptedEngine) => Engine;
	/** A program of its own, which runs until the signal. */
	readonly begin?: (node: TestNode, stop: AbortSignal) => Promise<void>;
}

/** What a cheat of that kind does. `tried` is called whenever somebody comes to it with a job and is only held up. */
export function disguise(
	cheat: Cheat,
	world: World,
	clock: NodeClock,
	chance: SeededRandom,
	tried: () => void
): Disguise {
	switch (cheat) {
		case 'liar':
			return { playing: (engine) => boasts(lies(engine, chance)) };
		case 'staller':
			return { playing: (engine) => boasts(stalls(engine, chance, clock)) };
		case 'no-show':
			return { playing: boasts, ports: (ports) => noShow(ports, tried) };
		case 'overbiller':
			return { playing: (engine) => boasts(overbills(engine)) };
		case 'equivocator':
			return { playing: boasts, ports: (ports) => equivocates(ports, chance) };
		case 'ack-withholder':
			return { ports: (ports) => withholds(ports, 'Acknowledgement') };
		case 'seal-withholder':
			return { ports: (ports) => withholds(ports, 'ExecutionReceiptCountersignature') };
		case 'replayer':
			return { begin: (node, stop) => replay(node, chance, stop) };
		case 'flooder':
			return { begin: (node, stop) => flood(node, world, chance, stop) };
		case 'sybil':
			return { begin: (node, stop) => manyNames(node, world, chance, stop, tried) };
	}
}

/** Whether such a cheat lends, and asks: what it needs for its trade. */
export const TRADES: Readonly<Record<Cheat, { readonly lends: boolean; readonly asks: boolean }>> = {
	liar: { lends: true, asks: false },
	staller: { lends: true, asks: false },
	'no-show': { lends: true, asks: false },
	overbiller: { lends: true, asks: false },
	equivocator: { lends: true, asks: false },
	replayer: { lends: false, asks: false },
	flooder: { lends: false, asks: false },
	sybil: { lends: false, asks: false },
	'ack-withholder': { lends: false, asks: true },
	'seal-withholder': { lends: false, asks: true }
};

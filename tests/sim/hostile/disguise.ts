/** How a node cheats: real programs that speak the real protocol, most of them the real story with something put between it and its ports. */
import type { Engine } from '#lib/ports/engine.ts';
import type { SeededRandom } from '../../doubles/chance.ts';
import type { NodeClock } from '../../doubles/clock.ts';
import type { ScriptedEngine } from '../../doubles/engine.ts';
import type { TestNode, World } from '../../doubles/node.ts';
import type { Cheat } from '../script.ts';

export interface Disguise {
	readonly ports?: (ports: TestNode['ports']) => TestNode['ports'];
	readonly playing?: (engine: ScriptedEngine) => Engine;
	/** False: it does not lend by the real story. */
	readonly lends?: boolean;
	/** Programs of its own begin, and end when it leaves. */
	readonly begin?: (node: TestNode) => void;
	readonly end?: () => void;
}

export function disguise(_cheat: Cheat, _world: World, _clock: NodeClock, _chance: SeededRandom): Disguise {
	return {};
}

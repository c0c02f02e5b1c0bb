/** Every invariant can fail: for each there is a node that is broken in that way, and the checker finds it. And it accuses nobody else. */
import { describe, expect, it } from 'vitest';
import { INVARIANTS, type Invariant } from './dossier.ts';
import { SABOTAGES, type Sabotage } from './sabotage.ts';
import { plan } from './plan.ts';
import { run } from './simulate.ts';

const WANTED = { scenario: 'calm', seed: 5, nodes: 12, minutes: 1.5 } as const;

/** A node that asks, lends and follows the others' statements. */
const SCRIPT = plan(WANTED);
const VICTIM =
	SCRIPT.nodes.find(({ asks, lends, id }) => asks && lends && SCRIPT.jobs.some(({ asker }) => asker === id))?.id ?? 0;

describe('the checker', () => {
	it('accuses nobody of a calm world', async () => {
		expect((await run(SCRIPT)).violations).toEqual([]);
	});

	it.each(Object.entries(SABOTAGES) as [Sabotage, Invariant][])('finds a node that %s: %s', async (how, invariant) => {
		// Who is chosen to answer is not known beforehand.
		const node = how === 'runs-ahead' ? 'every' : VICTIM;
		const { violations } = await run(SCRIPT, { sabotage: { node, how } });
		expect(violations.map((each) => each.invariant)).toContain(invariant);
	});

	it('has a broken node for each invariant', () => {
		expect(new Set<string>(Object.values(SABOTAGES))).toEqual(new Set(Object.keys(INVARIANTS)));
	});
});

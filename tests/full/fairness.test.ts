/** A person with six nodes is six askers: docs/decisions/load.md says so with these numbers. In one run each has some fifteen answers, of which chance gives or takes half: four are added up. */
import { it } from 'vitest';
import { isFair, withGreedy } from '../sim/demand.ts';

it('a person with six nodes that asks six times as often has no more than their shares, and starves nobody', async () => {
	isFair(await withGreedy(6, 4), 6);
}, 600_000);

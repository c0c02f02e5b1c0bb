/** A failing run is made small, and the small one still fails; and the interval of a share is Wilson's. */
import { expect, it } from 'vitest';
import { plan } from './plan.ts';
import { kept, type Script } from './script.ts';
import { wilson } from './share.ts';
import { command, shrink } from './shrink.ts';
import { run } from './simulate.ts';

it('leaves one job and the nodes it needs of a run in which words are changed', async () => {
	const wanted = { scenario: 'storm', seed: 3, nodes: 12, minutes: 0.4 } as const;
	const whole = plan(wanted);
	const fails = async (script: Script) => {
		const { violations } = await run(script, { sabotage: { node: 'every', how: 'doubles-a-word' } });
		return violations.some(({ invariant }) => invariant === 'whole-answer');
	};
	expect(await fails(whole)).toBe(true);
	const { keep, script, runs } = await shrink(whole, fails, 120);
	expect([script.jobs.length, script.faults.length]).toEqual([1, 0]);
	// Who asks and who answers.
	expect(script.nodes.length).toBe(2);
	expect(await fails(kept(whole, keep))).toBe(true);
	expect(runs).toBeLessThanOrEqual(120);
	expect(command(whole, wanted, keep)).toBe(
		`npm run sim -- --seed 3 --nodes 12 --minutes 0.4 --scenario storm --keep-nodes ${keep.nodes?.join()} --keep-jobs ${keep.jobs?.join()} --keep-faults none`
	);
}, 120_000);

it('knows how sure a share is', () => {
	// Newcombe (1998), table I: 81 of 263, and 0 of 20.
	expect(wilson(81, 263).low).toBeCloseTo(0.2553, 4);
	expect(wilson(81, 263).high).toBeCloseTo(0.3662, 4);
	expect(wilson(0, 20).high).toBeCloseTo(0.1611, 4);
});

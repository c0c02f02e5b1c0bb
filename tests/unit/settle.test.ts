/** What an executor that is no longer needed is still owed: three seconds for its receipt, over what was shown and no more. */
import { describe, expect, it } from 'vitest';
import { LAST_WORDS, Runner } from '#lib/node/runner.ts';
import { release, settle } from '#lib/node/settle.ts';
import { encodeCanonical } from '#lib/protocol/encode.ts';
import { Scene, textOf } from '../doubles/played.ts';

/** One that was heard to say `said`. */
async function heard(said: readonly number[]) {
	const scene = await Scene.set('settle');
	const player = await scene.player();
	// Not at the beginning of time.
	await scene.clock.pass(10_000);
	const runner = new Runner(await player.hire(), 0, scene.ports);
	if (said.length > 0) await runner.turn({ type: 'message', bytes: player.frame(said) });
	return { scene, player, runner, settled: () => scene.logged('settled') };
}
const shown = (...tokens: number[]) => ({ tokens, text: textOf(tokens) });
const WORDLESS = encodeCanonical({ type: 'Later' });

describe('one that is cut off', () => {
	it('has its receipt over what was shown signed; what was under way is passed over', async () => {
		const { scene, player, runner, settled } = await heard([1, 2]);
		settle(runner, scene.ports);
		const receipt = await player.receipt({ status: 'cancelled' });
		player.says(player.frame([3]));
		player.hired.inbox.put({ type: 'stop' });
		player.says(receipt);
		await scene.clock.pass(10);
		expect(player.channel.told).toEqual(['JobCancel', 'ExecutionReceiptCountersignature']);
		expect(player.channel.cancels).toEqual(['replaced']);
		expect(settled()).toStrictEqual([{ tokens: 2 }]);
		expect([player.channel.closed, player.channel.aborted]).toEqual([true, false]);
		expect(runner.hearing.tokens).toEqual([1, 2]);
	});

	it('that counts words nobody was shown is left with what was acknowledged', async () => {
		const { scene, player, runner, settled } = await heard([1, 2]);
		player.says(await player.checkpoint());
		settle(runner, scene.ports);
		await scene.clock.pass(10);
		expect(player.channel.acknowledged).toEqual([player.checked]);
		player.says(player.frame([3]), await player.receipt({ status: 'cancelled' }));
		await scene.clock.pass(10);
		expect(settled()).toStrictEqual([{ tokens: 2, code: 'terms-differ' }]);
		expect([player.channel.closed, player.channel.aborted]).toEqual([false, true]);
	});

	it('has three seconds in all, whatever it says meanwhile', async () => {
		const { scene, player, runner, settled } = await heard([1]);
		settle(runner, scene.ports);
		for (let i = 0; i < 2; i++) {
			await scene.clock.pass(1_000);
			player.says(WORDLESS);
		}
		await scene.clock.pass(999);
		expect([settled(), player.channel.aborted]).toEqual([[], false]);
		await scene.clock.pass(1);
		expect(settled()).toStrictEqual([{ tokens: 0, code: 'no-acknowledgement' }]);
		expect(player.channel.aborted).toBe(true);
	});

	it.each([
		['peer-lost', 'peer-lost'],
		[undefined, 'channel-closed']
	] as const)('whose channel ends (%s) is waited for no longer', async (ended, code) => {
		const { scene, player, runner, settled } = await heard([1]);
		settle(runner, scene.ports);
		player.hired.inbox.put({ type: 'ended', code: ended });
		await scene.clock.pass(0);
		expect(settled()).toStrictEqual([{ tokens: 0, code }]);
		expect(player.channel.aborted).toBe(true);
	});

	it('that says what is no message is waited for no longer', async () => {
		const { scene, player, runner, settled } = await heard([1]);
		settle(runner, scene.ports);
		player.says(Uint8Array.of(255));
		await scene.clock.pass(0);
		expect(settled()).toStrictEqual([{ tokens: 0, code: 'malformed' }]);
	});

	it.each([
		[LAST_WORDS - 1, { tokens: 1 }],
		[LAST_WORDS, { tokens: 0, code: 'no-acknowledgement' }]
	])('that says %i other things before its receipt', async (others, want) => {
		const { scene, player, runner, settled } = await heard([1]);
		settle(runner, scene.ports);
		player.says(...Array<Uint8Array>(others).fill(WORDLESS), await player.receipt({ status: 'cancelled' }));
		await scene.clock.pass(10);
		expect(settled()).toStrictEqual([want]);
	});
});

describe('one that is let go when the answer is whole', () => {
	it('is paid for what it sends until then, as long as it is what was shown', async () => {
		const { scene, player, runner, settled } = await heard([1]);
		release(runner, shown(1, 2, 3), scene.ports);
		player.says(player.frame([2]), await player.checkpoint(), player.frame([3]));
		player.says(await player.receipt({ status: 'cancelled' }));
		await scene.clock.pass(10);
		expect(player.channel.cancels).toEqual(['replaced']);
		expect(player.channel.acknowledged).toEqual([player.checked]);
		expect(settled()).toStrictEqual([{ tokens: 3 }]);
		expect(player.channel.aborted).toBe(false);
	});

	it.each([
		['others than those shown', [9]],
		['more than was shown', [2, 3, 4]]
	])('and sends %s: it is left with what was acknowledged', async (_what, said) => {
		const { scene, player, runner, settled } = await heard([1]);
		release(runner, shown(1, 2, 3), scene.ports);
		player.says(player.frame(said), await player.receipt({ status: 'cancelled' }));
		await scene.clock.pass(10);
		expect(settled()).toStrictEqual([{ tokens: 0, code: 'terms-differ' }]);
		expect(player.channel.aborted).toBe(true);
		expect(await scene.ports.store.receipts.list()).toEqual([]);
	});

	it('and says nothing is waited for no longer than one that was cut off', async () => {
		const { scene, runner, settled } = await heard([1]);
		release(runner, shown(1), scene.ports);
		await scene.clock.pass(2_999);
		expect(settled()).toEqual([]);
		await scene.clock.pass(1);
		expect(settled()).toStrictEqual([{ tokens: 0, code: 'no-acknowledgement' }]);
	});
});

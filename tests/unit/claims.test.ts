/** What an executor can prove of its work when its asker, or its own tab, does not stay to the end. */
import { expect, it } from 'vitest';
import { openReceipt } from '#lib/node/open-receipt.ts';
import { CHECKPOINT_TOKENS } from '#lib/protocol/limits.ts';
import { answerOf, endOf, World, type TestNode } from '../doubles/node.ts';
import { isCountersignature } from '../sim/wire.ts';

const TOKENS = 200;
const LENGTH = { minTokens: TOKENS, maxTokens: TOKENS };
const never = new AbortController().signal;

async function proofs(world: World, executor: TestNode) {
	const rows = await executor.ports.store.receipts.list();
	return Promise.all(rows.map((row) => openReceipt(row, world.seals, world.clock.now())));
}

async function pair(name: string) {
	const world = new World(name);
	const [asker, executor] = [await world.node(), await world.node()];
	await world.clock.until(executor.contribution.start());
	return { world, asker, executor };
}

it('keeps one receipt, and no claim beside it, when both sides signed', async () => {
	const { world, asker, executor } = await pair('both sign');
	await world.clock.until(asker.ask(LENGTH));
	await world.clock.pass(10_000);
	const kept = await proofs(world, executor);
	expect(kept.map(({ kind, answerTokens }) => [kind, answerTokens])).toEqual([['sealed', TOKENS]]);
});

it('keeps what was acknowledged when the asker has read everything and does not sign the receipt', async () => {
	const { world, asker, executor } = await pair('withheld');
	world.network.meddle = (bytes) => (isCountersignature(bytes) ? [] : [bytes]);
	const events = await world.clock.until(asker.ask(LENGTH));
	expect(answerOf(events).tokens).toHaveLength(TOKENS);
	await world.clock.pass(10_000);
	const signed = (await proofs(world, executor)).filter(({ signatures }) => signatures.every(({ valid }) => valid));
	expect(signed.map(({ kind, answerTokens }) => [kind, answerTokens])).toEqual([
		['checkpoint', TOKENS - (TOKENS % CHECKPOINT_TOKENS)]
	]);
});

it('has on its disk what was acknowledged when its own tab is killed in the middle', async () => {
	const { world, asker, executor } = await pair('killed');
	let atDeath: Awaited<ReturnType<typeof proofs>> | undefined;
	const events = await world.clock.until(
		asker.ask(LENGTH, never, {}, (event) => {
			if (event.type !== 'words' || event.position !== 150) return;
			world.network.vanish(executor.identity.peer);
			void proofs(world, executor).then((kept) => (atDeath = kept));
		})
	);
	expect(endOf(events).type).toBe('lost');
	// At most the checkpoint that was just being acknowledged is missing, and only the newest is kept.
	expect(atDeath?.map(({ kind, answerTokens }) => [kind, answerTokens])).toEqual([
		['checkpoint', 3 * CHECKPOINT_TOKENS]
	]);
});

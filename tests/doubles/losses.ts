/** Jobs that lose executors in mid-answer: who plays, and what must hold of every answer. */
import { expect } from 'vitest';
import type { OriginateEvent } from '#lib/node/events.ts';
import type { Wish } from '#lib/node/app.ts';
import { read } from '#lib/protocol/envelope.ts';
import { executionReceipt, type ExecutionReceipt } from '#lib/protocol/receipt.ts';
import type { ExecutionPolicy } from '#lib/protocol/policy.ts';
import { ScriptedEngine, type ScriptedEngineInit } from './engine.ts';
import type { Meddle } from './network.ts';
import { answerOf, endOf, ORDINARY_WISH, World, type TestNode } from './node.ts';

type HandedOver = Extract<OriginateEvent, { type: 'handed-over' }>;
export const handedOver = (events: readonly OriginateEvent[]) =>
	events.filter((event): event is HandedOver => event.type === 'handed-over');

/** An asker and executors in falling order of speed, so that the first one named is the first one chosen. */
export async function stage(seed: string, engines: readonly Partial<ScriptedEngineInit>[], meddle?: Meddle) {
	const world = new World(seed, meddle === undefined ? {} : { meddle });
	const asker = await world.node({ account: 'asker' });
	const executors: TestNode[] = [];
	for (const [i, engine] of engines.entries())
		executors.push(await world.node({ engine: { tokensPerSecond: Math.max(10, 90 - 25 * i), ...engine } }));
	for (const executor of executors) await world.clock.until(executor.contribution.start());
	const named = executors as [TestNode, TestNode, TestNode, TestNode, TestNode];
	return { world, asker, executors: named };
}

export type Stage = Awaited<ReturnType<typeof stage>>;

/** Asks, and does something once the answer has reached a position. */
export async function askAnd(
	{ world, asker }: Stage,
	at: number,
	act: () => void,
	wish: Partial<Wish> = {},
	signal?: AbortSignal,
	policy: Partial<ExecutionPolicy> = {}
): Promise<OriginateEvent[]> {
	let done = false;
	const events = await world.clock.until(
		asker.ask(wish, signal, policy, (event) => {
			if (done || event.type !== 'words' || event.position < at) return;
			done = true;
			act();
		})
	);
	await world.clock.pass(10_000);
	return events;
}

/** No token lost or doubled, and the text is that of the tokens. */
export function whole(events: readonly OriginateEvent[], from = 0): void {
	const { text, tokens } = answerOf(events);
	expect(text).toBe(tokens.map((token) => `w${token} `).join(''));
	const positions = events.flatMap((event) => (event.type === 'words' ? [event.position] : []));
	expect(positions).toEqual(positions.map((_, i) => from + i));
}

export async function receiptOf(node: TestNode, cid: string): Promise<ExecutionReceipt> {
	const record = await node.ports.store.receipts.get(cid);
	return read(executionReceipt, record?.document as Uint8Array).body;
}

/** What one executor alone gives under the seed of the last receipt. */
export async function unbroken({ world, asker }: Stage, events: readonly OriginateEvent[], wish: Partial<Wish> = {}) {
	const end = endOf(events);
	if (end.type !== 'finished') throw new Error(end.type);
	const { seed, sampling } = await receiptOf(asker, end.receipt);
	const alone = new ScriptedEngine({ clock: world.clock });
	await alone.load(() => undefined, new AbortController().signal);
	const tokens: number[] = [];
	const steps = alone.generate({ ...ORDINARY_WISH, ...wish, seed, sampling }, new AbortController().signal);
	await world.clock.until(
		(async () => {
			for await (const step of steps) tokens.push(step.token);
		})()
	);
	return tokens;
}

/**
 * Twenty nodes under one seed: the same seed gives the same trace, another seed another, and whatever happens the ledger's raw material
 * is sound. Determinism is dear to add later, so it is held from the start.
 */
import { describe, expect, it } from 'vitest';
import { executionReceipt } from '#lib/protocol/receipt.ts';
import { read } from '#lib/protocol/envelope.ts';
import { SeededRandom } from '../doubles/chance.ts';
import { answerOf, endOf, World, type TestNode } from '../doubles/node.ts';

const NODES = 20;
const JOBS = 40;

interface Run {
	readonly traceHash: string;
	readonly delivered: number;
	readonly ends: readonly string[];
	readonly receipts: number;
	readonly violations: readonly string[];
}

async function run(seed: string): Promise<Run> {
	const world = new World(seed);
	const chance = new SeededRandom(`${seed}/workload`);
	const nodes: TestNode[] = [];
	for (let i = 0; i < NODES; i++) nodes.push(await world.node({ engine: { tokensPerSecond: 20 + chance.below(80) } }));
	const executors = nodes.slice(0, 12);
	await Promise.all(executors.map((node) => world.clock.until(node.contribution.start())));
	const violations: string[] = [];
	const work = Array.from({ length: JOBS }, async (_, i) => {
		await world.clock.sleep(chance.below(8_000));
		const asker = nodes[chance.below(NODES)] as TestNode;
		const maxTokens = 20 + chance.below(150);
		const stop = new AbortController();
		if (chance.below(5) === 0) void world.clock.sleep(chance.below(3_000)).then(() => stop.abort());
		const events = await asker.ask(
			{ maxTokens, minTokens: 0, turns: [{ role: 'user', content: `question ${i}` }] },
			stop.signal
		);
		const end = endOf(events);
		const { text, tokens } = answerOf(events);
		if (text !== tokens.map((token) => `w${token} `).join('')) violations.push(`job ${i}: text and tokens differ`);
		if (end.type === 'finished') {
			const record = await asker.ports.store.receipts.get(end.receipt);
			if (record === undefined) violations.push(`job ${i}: no receipt`);
			else {
				const { startPosition, answerTokens } = read(executionReceipt, record.document).body;
				// Earlier executors of the job hold the rest.
				if (startPosition + answerTokens !== tokens.length) violations.push(`job ${i}: tokens lost`);
			}
			const positions = events.flatMap((event) => (event.type === 'words' ? [event.position] : []));
			if (positions.some((position, at) => position !== at)) violations.push(`job ${i}: out of place`);
			if (record?.counterpart === undefined) violations.push(`job ${i}: not countersigned`);
		}
		return `${i}:${end.type}:${tokens.length}`;
	});
	// A third of the executors vanish in the middle.
	const deaths = executors
		.slice(0, 4)
		.map((node, i) => world.clock.sleep(2_000 + 1_000 * i).then(() => world.network.vanish(node.identity.peer)));
	const ends = await world.clock.until(Promise.all(work));
	await world.clock.until(Promise.all(deaths));
	await world.clock.pass(20_000);
	let receipts = 0;
	for (const node of executors) {
		// As an asker it keeps one for each part that was handed over, and a claim stands beside a receipt that could not be delivered.
		const kept = (await node.ports.store.receipts.list()).filter(
			({ role, kind }) => role === 'executor' && kind === 'sealed'
		);
		receipts += kept.length;
		const jobs = new Set(kept.map((record) => record.job));
		if (jobs.size !== kept.length) violations.push('a job with two receipts at one executor');
	}
	return { traceHash: world.network.traceHash, delivered: world.network.delivered, ends, receipts, violations };
}

describe('twenty nodes', () => {
	it('repeat to the byte under one seed, and differ under another', async () => {
		const [first, again, other] = [await run('ash'), await run('ash'), await run('petal')];
		expect(again).toEqual(first);
		expect(other.traceHash).not.toBe(first.traceHash);
		for (const result of [first, other]) {
			expect(result.violations).toEqual([]);
			const finished = result.ends.filter((end) => end.includes(':finished:')).length;
			expect(finished).toBeGreaterThanOrEqual(20);
			expect(result.ends).toHaveLength(JOBS);
		}
	}, 60_000);
});

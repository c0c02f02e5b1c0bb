/**
 * The README's walk, executable: each row of the table is one expectation below, in the same order, on an in-memory network.
 * The two tables are compared, so neither can move without the other.
 */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { acceptable, select } from '#lib/market/select.ts';
import { admit } from '#lib/market/admit.ts';
import { jobAnnouncement } from '#lib/protocol/announcement.ts';
import { jobBid } from '#lib/protocol/bid.ts';
import { acknowledgement, checkpoint } from '#lib/protocol/checkpoint.ts';
import { open, read } from '#lib/protocol/envelope.ts';
import { decodeFrame } from '#lib/protocol/frame.ts';
import { decodeCanonical } from '#lib/protocol/encode.ts';
import { assignJob } from '#lib/protocol/assignment.ts';
import { executionReceipt, receiptCountersignature } from '#lib/protocol/receipt.ts';
import { DEFAULT_POLICY } from '#lib/protocol/policy.ts';
import type { OriginateEvent } from '#lib/node/events.ts';
import { answerOf, endOf, ORDINARY_WISH, World, type TestNode } from './doubles/node.ts';

const PROMPT = 'where does the planted-secret-prompt go';

interface Walked {
	readonly world: World;
	readonly asker: TestNode;
	readonly executor: TestNode;
	readonly sealed: Uint8Array[];
	readonly events: readonly OriginateEvent[];
}

async function walk(): Promise<Walked> {
	const sealed: Uint8Array[] = [];
	const world = new World('walk', {
		meddle: (message) => {
			sealed.push(message);
			return [message];
		}
	});
	const asker = await world.node();
	const executor = await world.node({ terms: { region: 'Lisbon' } });
	await world.clock.until(executor.contribution.start());
	const turns = [{ role: 'user' as const, content: PROMPT }];
	const events = await world.clock.until(asker.ask({ turns }));
	await world.clock.pass(1_000);
	return { world, asker, executor, sealed, events };
}

describe('the walk', () => {
	let walked: Walked;
	beforeAll(async () => {
		walked = await walk();
	});
	const types = () => walked.events.map((event) => event.type);
	const sealedOf = (type: string) =>
		walked.sealed.filter((bytes) => (decodeCanonical(bytes, 1e6) as { type?: string }).type === type);
	const gossip = (topic: string) =>
		walked.world.network.gossip.filter((heard) => heard.topic === topic).map((heard) => heard.bytes);

	it('1 ui/chat/Composer: a prompt is typed', () => {
		expect(ORDINARY_WISH.turns.length).toBeGreaterThan(0);
	});
	it('2 node/originate: tells its steps in order and ends once', () => {
		const order = ['announced', 'bid', 'assigned', 'accepted', 'words', 'checkpoint', 'finished'];
		expect(order.map((type) => types().indexOf(type as OriginateEvent['type']))).toEqual(
			[...order.map((type) => types().indexOf(type as OriginateEvent['type']))].sort((a, b) => a - b)
		);
		expect(types().filter((type) => ['finished', 'lost', 'failed'].includes(type))).toEqual(['finished']);
	});
	it('3 protocol/announcement: what is wanted, never the prompt, never the account', () => {
		const announcement = read(jobAnnouncement, gossip('fireweed/1/announcements')[0] as Uint8Array);
		expect(announcement.body.maxTokens).toBe(100);
		const everything = Buffer.concat(walked.world.network.gossip.map((heard) => heard.bytes));
		expect(everything.includes('planted-secret-prompt')).toBe(false);
		expect(everything.includes(Buffer.from(walked.asker.identity.accountKey))).toBe(false);
		expect(everything.includes(Buffer.from(walked.asker.identity.node.publicKey))).toBe(false);
	});
	it('4 market/admit, market/price: the executor bids on terms of its own', () => {
		const announcement = read(jobAnnouncement, gossip('fireweed/1/announcements')[0] as Uint8Array).body;
		const bid = read(jobBid, gossip('fireweed/1/bids')[0] as Uint8Array).body;
		const view = {
			model: bid.model,
			engine: 'ready',
			readyInMs: 0,
			queue: { waitMs: 0 },
			pricePer1k: 100_000,
			tokensPerSecond: 50,
			region: 'Lisbon'
		} as const;
		expect(admit(announcement, view)).toMatchObject({ type: 'bid', pricePer1k: bid.pricePer1k });
		expect(admit({ ...announcement, policy: { ...announcement.policy, maxPricePer1k: 1 } }, view)).toEqual({
			type: 'decline',
			why: 'price'
		});
	});
	it('5 market/select: of the bids heard, these, and why', () => {
		const announcement = read(jobAnnouncement, gossip('fireweed/1/announcements')[0] as Uint8Array).body;
		const bid = read(jobBid, gossip('fireweed/1/bids')[0] as Uint8Array).body;
		const heard = { bid, executor: 'x', account: 'did', sameAccount: false, heardAt: 0 };
		expect(acceptable(heard, announcement, DEFAULT_POLICY, 1)).toBe(true);
		expect(select([heard], announcement, DEFAULT_POLICY, 1)).toEqual([{ heard, reason: 'the only offer' }]);
		expect(walked.events.find((event) => event.type === 'assigned')).toMatchObject({ reason: 'the only offer' });
	});
	it('6 protocol/assignment: only now does the prompt leave, to the chosen one', () => {
		const assignments = sealedOf(assignJob.type);
		expect(assignments).toHaveLength(1);
		expect(read(assignJob, assignments[0] as Uint8Array).body.turns[0]?.content).toBe(PROMPT);
	});
	it('7 node/execute: the engine works; tokens come out', () => {
		expect(walked.executor.engine.steps).toBe(100);
	});
	it('8 protocol/frame, protocol/checkpoint: numbered, chained, signed every 32 tokens, acknowledged', async () => {
		const frames = sealedOf('Frame').map(decodeFrame);
		expect(frames.map((frame) => frame.sequence)).toEqual(frames.map((_, i) => i));
		const checkpoints = sealedOf(checkpoint.type);
		expect(checkpoints.map((bytes) => read(checkpoint, bytes).body.tokens)).toEqual([32, 64, 96]);
		expect(sealedOf(acknowledgement.type)).toHaveLength(3);
		for (const bytes of checkpoints) await open(checkpoint, bytes, walked.world.seals);
	});
	it('9 ui/chat/Message: words appear, every token once and in order', () => {
		const { text, tokens } = answerOf(walked.events);
		expect(tokens).toHaveLength(100);
		expect(text).toBe(tokens.map((token) => `w${token} `).join(''));
	});
	it('9 ui/chat/Message: a lost executor is replaced from the last frame', async () => {
		const world = new World('walk on');
		const asker = await world.node();
		for (const executor of [await world.node(), await world.node()])
			await world.clock.until(executor.contribution.start());
		let who = '';
		const events = await world.clock.until(
			asker.ask({}, undefined, {}, (event) => {
				if (event.type === 'assigned') who = event.executor.id;
				if (event.type === 'words' && event.position === 40) world.network.vanish(who);
			})
		);
		const over = events.find((event) => event.type === 'handed-over');
		expect(over).toMatchObject({ from: who, exact: true });
		const positions = events.flatMap((event) => (event.type === 'words' ? [event.position] : []));
		expect(positions).toEqual(Array.from({ length: 100 }, (_, i) => i));
		expect(endOf(events)).toMatchObject({ type: 'finished', status: 'success', tokens: 100 });
	});
	it('10 protocol/receipt: one page, two signatures, the same bytes, one CID', async () => {
		const end = endOf(walked.events);
		if (end.type !== 'finished') throw new Error('did not finish');
		const ours = await walked.asker.ports.store.receipts.get(end.receipt);
		const theirs = await walked.executor.ports.store.receipts.get(end.receipt);
		expect(ours?.document).toEqual(theirs?.document);
		expect(ours?.counterpart).toEqual(theirs?.counterpart);
		const receipt = await open(executionReceipt, ours?.document as Uint8Array, walked.world.seals);
		const countersignature = await open(receiptCountersignature, ours?.counterpart as Uint8Array, walked.world.seals);
		expect(countersignature.bodyBytes).toEqual(receipt.bodyBytes);
		expect(receipt.cid.toString()).toBe(end.receipt);
		expect(receipt.body).toMatchObject({ status: 'success', answerTokens: 100, sameAccount: false });
		expect(receipt.body.price).toBe(Math.ceil((100_000 * (receipt.body.promptTokens + 100)) / 1000));
	});
	it('is the table in the README', () => {
		const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
		const section = readme.slice(readme.indexOf('## The walk'));
		const rows = [...section.matchAll(/^\|\s*(\d+)\s*\|[^|]*\|([^|]*)\|/gm)].map((row) => ({
			number: row[1],
			file: row[2] ?? ''
		}));
		const titles = readFileSync(new URL(import.meta.url), 'utf8').matchAll(/^\tit\('(\d+) ([^:]+):/gm);
		const steps = [...titles].map((title) => ({ number: title[1], nouns: (title[2] ?? '').split(', ') }));
		expect(rows.map((row) => row.number)).toEqual([...new Set(steps.map((step) => step.number))]);
		for (const step of steps)
			for (const noun of step.nouns) expect(rows.find((row) => row.number === step.number)?.file).toContain(noun);
	});
});

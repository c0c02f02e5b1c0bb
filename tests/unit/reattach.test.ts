/** A page that is reloaded or crashes in mid-answer, and the page that follows: on virtual time, over the in-memory network. */
import { describe, expect, it } from 'vitest';
import type { Wish } from '#lib/node/app.ts';
import type { OriginateEvent } from '#lib/node/events.ts';
import { assignJob } from '#lib/protocol/assignment.ts';
import { acknowledgement } from '#lib/protocol/checkpoint.ts';
import { read, seal } from '#lib/protocol/envelope.ts';
import { decodeFrame, encodeFrame } from '#lib/protocol/frame.ts';
import { executionReceipt } from '#lib/protocol/receipt.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import { CHECKPOINT_TOKENS } from '#lib/protocol/limits.ts';
import { reattachJob, type ReattachJob } from '#lib/protocol/reattach.ts';
import { jobStatus } from '#lib/protocol/status.ts';
import { KEPT_MS, MAX_KEPT_EACH } from '#lib/node/kept.ts';
import { overMesh } from '../sim/hostile/channels.ts';
import { typeOf } from '../doubles/far-end.ts';
import { ScriptedEngine, type ScriptedEngineInit } from '../doubles/engine.ts';
import { answerOf, endOf, ORDINARY_WISH, World, type TestNode } from '../doubles/node.ts';

const never = new AbortController().signal;

async function stage(seed: string, engines: readonly Partial<ScriptedEngineInit>[] = [{}]) {
	const world = new World(seed);
	const asker = await world.node({ account: 'asker' });
	const executors: TestNode[] = [];
	for (const [i, engine] of engines.entries())
		executors.push(await world.node({ engine: { tokensPerSecond: 90 - 25 * i, ...engine } }));
	for (const executor of executors) await world.clock.until(executor.contribution.start());
	return { world, asker, executors: executors as [TestNode, TestNode] };
}
type Stage = Awaited<ReturnType<typeof stage>>;

const ways: Readonly<Record<'reloaded' | 'crashed', (set: Stage, page: TestNode) => void>> = {
	reloaded: (_set, page) => void page.mesh.stop(),
	crashed: ({ world }, page) => world.network.vanish(page.identity.peer)
};

/** Asks for message `m`, and the page ends once the answer has reached a position. What was on the screen then. */
async function askUntil(set: Stage, at: number, way: keyof typeof ways, wish: Partial<Wish> = {}) {
	const events = await set.world.clock.until(
		set.asker.ask({ message: 'm', ...wish }, never, {}, (event) => {
			if (event.type === 'words' && event.position === at) ways[way](set, set.asker);
		})
	);
	return { events, shown: answerOf(events) };
}

/** The page that follows, some time later. */
async function comeBack(set: Stage, page: TestNode, shown: ReturnType<typeof answerOf>, afterMs: number) {
	await set.world.clock.pass(afterMs);
	const next = await set.world.node({ after: page });
	const events = await set.world.clock.until(next.reattach('m', shown));
	await set.world.clock.pass(20_000);
	return { next, events };
}

/** The answer as one engine gives it alone, under the seed of the receipt. */
async function unbroken({ world }: Stage, page: TestNode, end: OriginateEvent, length: number) {
	const record = await page.ports.store.receipts.get((end as { receipt: string }).receipt);
	const { seed, sampling } = read(executionReceipt, record?.document as Uint8Array).body;
	const engine = new ScriptedEngine({ clock: world.clock });
	await engine.load(() => undefined, never);
	const tokens: number[] = [];
	const run = async () => {
		const request = { ...ORDINARY_WISH, minTokens: length, maxTokens: length, seed, sampling };
		for await (const step of engine.generate(request, never)) tokens.push(step.token);
	};
	await world.clock.until(run());
	return tokens;
}

const textFor = (tokens: readonly number[]) => tokens.map((token) => `w${token} `).join('');

/** What both pages showed is the unbroken run, once each. */
async function whole(
	set: Stage,
	next: TestNode,
	shown: ReturnType<typeof answerOf>,
	events: OriginateEvent[],
	length: number
) {
	const rest = answerOf(events);
	const words = events.filter((event) => event.type === 'words');
	expect(words[0]?.position ?? shown.tokens.length).toBe(shown.tokens.length);
	const tokens = [...shown.tokens, ...rest.tokens];
	expect(tokens).toEqual(await unbroken(set, next, endOf(events), length));
	expect(shown.text + rest.text).toBe(textFor(tokens));
}

describe.each(['reloaded', 'crashed'] as const)('a page that is %s in mid-answer', (way) => {
	it.each([
		['at once', 500],
		['after three seconds', 3_000],
		['after twelve', 12_000]
	])('and followed %s: the answer goes on, computed once, with one receipt that both hold', async (_name, ms) => {
		const set = await stage(`${way}/${ms}`);
		const { shown } = await askUntil(set, 50, way, { minTokens: 300, maxTokens: 300 });
		const { next, events } = await comeBack(set, set.asker, shown, ms);
		expect(events.map(({ type }) => type).slice(0, 2)).toEqual(['reattaching', 'reattached']);
		expect(endOf(events)).toMatchObject({ type: 'finished', status: 'success', tokens: 300 });
		await whole(set, next, shown, events, 300);
		const [executor] = set.executors;
		expect(executor.engine.steps).toBe(300);
		for (const node of [next, executor]) {
			const receipts = await node.ports.store.receipts.list();
			expect(receipts.map(({ kind, counterpart }) => [kind, counterpart !== undefined])).toEqual([['sealed', true]]);
		}
		expect((await next.ports.store.jobs.list())[0]).toMatchObject({ state: 'finished', unfinished: undefined });
		expect(executor.engine.state).toBe('ready');
	});

	it('when the answer was complete before it is back: it gets the rest and the receipt', async () => {
		const set = await stage(`${way}/complete`);
		const { shown } = await askUntil(set, 50, way);
		const { next, events } = await comeBack(set, set.asker, shown, KEPT_MS - 20_000);
		expect(endOf(events)).toMatchObject({ type: 'finished', status: 'success', tokens: 100 });
		await whole(set, next, shown, events, 100);
		expect(set.executors[0].engine.steps).toBe(100);
	});

	it('longer than an answer is kept, and than the policy allows: it is told so, and every word stays', async () => {
		const set = await stage(`${way}/expired`, [{}, {}]);
		const { shown } = await askUntil(set, 50, way);
		const { next, events } = await comeBack(set, set.asker, shown, KEPT_MS + 20_000);
		expect(events.find((event) => event.type === 'lost' || event.type === 'handed-over')).toMatchObject({
			type: 'lost',
			code: 'expired',
			tokens: shown.tokens.length
		});
		expect(next.log.find(({ event }) => event === 'not-reattached')?.facts).toEqual({ code: 'expired' });
	});

	it('when its executor is gone meanwhile: another goes on after the last word that was kept', async () => {
		const set = await stage(`${way}/gone`, [{}, {}]);
		const { shown } = await askUntil(set, 50, way);
		set.world.network.vanish(set.executors[0].identity.peer);
		const { next, events } = await comeBack(set, set.asker, shown, 2_000);
		const over = events.find((event) => event.type === 'handed-over');
		expect(over).toMatchObject({
			position: shown.tokens.length,
			exact: true,
			to: { id: set.executors[1].identity.peer }
		});
		expect(endOf(events)).toMatchObject({ type: 'finished', status: 'success' });
		await whole(set, next, shown, events, 100);
		const last = endOf(events) as OriginateEvent & { type: 'finished' };
		const record = await next.ports.store.receipts.get(last.receipt);
		const { predecessors, startPosition } = read(executionReceipt, record?.document as Uint8Array).body;
		expect(startPosition).toBe(shown.tokens.length);
		expect(await next.ports.store.receipts.get(String(predecessors[0]))).toMatchObject({ kind: 'checkpoint' });
	});

	it('too late for the engine to wait: what was made is kept, sealed as a part, and the job goes on elsewhere', async () => {
		const set = await stage(`${way}/overdue`, [{}, {}]);
		const { shown } = await askUntil(set, 50, way, { minTokens: 300, maxTokens: 300 });
		await set.world.clock.pass(40_000);
		const [executor] = set.executors;
		// Three intervals beyond the last acknowledgement, and its engine is free for others.
		expect(executor.engine.steps).toBeLessThanOrEqual(32 + 96);
		expect(executor.engine.state).toBe('ready');
		const { next, events } = await comeBack(set, set.asker, shown, 0);
		expect(endOf(events)).toMatchObject({ type: 'finished', status: 'success', tokens: 300 });
		await whole(set, next, shown, events, 300);
		const parts = await next.ports.store.receipts.list();
		expect(parts.map(({ kind, counterpart }) => [kind, counterpart !== undefined])).toEqual([
			['sealed', true],
			['sealed', true]
		]);
	});

	it('twice: the third page has it whole', async () => {
		const set = await stage(`${way}/twice`);
		const first = await askUntil(set, 50, way, { minTokens: 300, maxTokens: 300 });
		await set.world.clock.pass(1_000);
		const second = await set.world.node({ after: set.asker });
		const between = await set.world.clock.until(
			second.reattach('m', first.shown, never, (event) => {
				if (event.type === 'words' && event.position === 120) ways[way](set, second);
			})
		);
		const shown = {
			tokens: [...first.shown.tokens, ...answerOf(between).tokens],
			text: first.shown.text + answerOf(between).text
		};
		const { next, events } = await comeBack(set, second, shown, 1_500);
		expect(endOf(events)).toMatchObject({ type: 'finished', tokens: 300 });
		await whole(set, next, shown, events, 300);
		expect(set.executors[0].engine.steps).toBe(300);
	});

	it('between a checkpoint and its acknowledgement: it is acknowledged by the page that follows', async () => {
		const set = await stage(`${way}/unacknowledged`);
		const before = await set.world.clock.until(
			set.asker.ask({ message: 'm', minTokens: 300, maxTokens: 300 }, never, {}, (event) => {
				if (event.type === 'checkpoint' && event.tokens === 64) ways[way](set, set.asker);
			})
		);
		const shown = answerOf(before);
		const { next, events } = await comeBack(set, set.asker, shown, 2_000);
		expect(events.find((event) => event.type === 'checkpoint')).toMatchObject({ tokens: 64 });
		expect(endOf(events)).toMatchObject({ type: 'finished', status: 'success', tokens: 300 });
		await whole(set, next, shown, events, 300);
		expect((await next.ports.store.receipts.list()).map(({ kind }) => kind)).toEqual(['sealed']);
	});

	it('can be stopped by the page that follows', async () => {
		const set = await stage(`${way}/stop`);
		const { shown } = await askUntil(set, 50, way, { minTokens: 300, maxTokens: 300 });
		await set.world.clock.pass(1_000);
		const next = await set.world.node({ after: set.asker });
		const stop = new AbortController();
		const events = await set.world.clock.until(
			next.reattach('m', shown, stop.signal, (event) => {
				if (event.type === 'words' && event.position === 100) stop.abort();
			})
		);
		expect(endOf(events)).toMatchObject({ type: 'finished', status: 'cancelled' });
		expect(set.executors[0].engine.steps).toBeLessThan(200);
	});
});

describe('what the screen kept and what the job kept', () => {
	it.each([-40, -1])('differ by %i tokens: none is missing and none comes twice', async (difference) => {
		const set = await stage(`difference/${difference}`);
		const { shown } = await askUntil(set, 60, 'crashed', { minTokens: 200, maxTokens: 200 });
		const tokens = shown.tokens.slice(0, difference);
		const less = { tokens, text: textFor(tokens) };
		const { next, events } = await comeBack(set, set.asker, less, 1_000);
		await whole(set, next, less, events, 200);
	});

	it('contradict each other: nothing is made up, the answer stays as it was shown', async () => {
		const set = await stage('contradiction');
		const { shown } = await askUntil(set, 60, 'crashed');
		const other = { ...shown, tokens: shown.tokens.map((token, i) => (i === 5 ? token + 1 : token)) };
		const { next, events } = await comeBack(set, set.asker, other, 1_000);
		expect(events).toEqual([]);
		expect((await next.ports.store.jobs.list())[0]).toMatchObject({ state: 'lost', unfinished: undefined });
	});

	it('a message nobody was answering has nothing to go on with', async () => {
		const set = await stage('nothing');
		expect(await set.world.clock.until(set.asker.reattach('m', { tokens: [], text: '' }))).toEqual([]);
	});

	it('is forgotten with the end of the job, its key too', async () => {
		const set = await stage('forgotten');
		await set.world.clock.until(set.asker.ask({ message: 'm' }));
		const [row] = await set.asker.ports.store.jobs.list();
		expect(row).toMatchObject({ state: 'finished', unfinished: undefined });
		expect(JSON.stringify(row)).not.toContain('fireweed');
	});
});

describe('what the asker did itself', () => {
	it('is not held against the executor: it was away too long, and what it had said was sealed without it', async () => {
		const set = await stage('blame/away');
		const { shown } = await askUntil(set, 50, 'crashed', { minTokens: 400, maxTokens: 400 });
		const { next, events } = await comeBack(set, set.asker, shown, 18_000);
		expect(events.map(({ type }) => type)).toContain('reattached');
		expect(endOf(events)).toMatchObject({ type: 'finished', status: 'partial' });
		expect((await next.ports.store.known.list()).map(({ broken }) => broken)).toEqual([]);
	});

	it('is not held against the executor: this page reached nobody', async () => {
		const set = await stage('blame/unreached');
		const { shown } = await askUntil(set, 50, 'crashed', { minTokens: 400, maxTokens: 400 });
		const next = await set.world.node({
			after: set.asker,
			dress: (ports) => overMesh(ports, () => ({ open: () => Promise.reject(new Refusal('unreachable')) }))
		});
		const events = await set.world.clock.until(next.reattach('m', shown));
		expect(endOf(events)).toMatchObject({ type: 'lost', code: 'unreachable' });
		expect(await next.ports.store.known.list()).toEqual([]);
	});
});

describe('cheats', () => {
	it('one that comes back, reads and does not acknowledge has the words up to the next checkpoint, however often it comes', async () => {
		const set = await stage('reads only', [{}]);
		const { shown } = await askUntil(set, 50, 'crashed', { minTokens: 300, maxTokens: 300 });
		await set.world.clock.pass(3_000);
		expect(set.executors[0].engine.steps).toBe(3 * CHECKPOINT_TOKENS + CHECKPOINT_TOKENS);
		const told: number[] = [];
		set.world.network.meddle = (bytes) => {
			if (typeOf(bytes) === 'Frame') told.push(decodeFrame(bytes).position);
			return typeOf(bytes) === acknowledgement.type ? [] : [bytes];
		};
		let page = set.asker;
		for (let times = 0; times < 3; times++) {
			const back = await set.world.node({ after: page });
			const reading = back.reattach('m', shown);
			await set.world.clock.pass(1_500);
			set.world.network.vanish(back.identity.peer);
			await set.world.clock.pass(1_500);
			void reading;
			page = back;
		}
		expect(told).toContain(51);
		expect(Math.max(...told)).toBeLessThan(2 * CHECKPOINT_TOKENS);
	});

	/** A running job whose page is gone, and the request by which the next page would come back. */
	async function interrupted(seed: string, engines?: readonly Partial<ScriptedEngineInit>[]) {
		const set = await stage(seed, engines);
		const { shown } = await askUntil(set, 50, 'crashed', { minTokens: 300, maxTokens: 300 });
		await set.world.clock.pass(2_000);
		const [row] = await set.asker.ports.store.jobs.list();
		const { assignment } = row?.unfinished ?? {};
		return { ...set, shown, assignment: assignment as Uint8Array };
	}

	/** Sends a request over a channel of `node` and gives the first word of the answer. */
	async function request(world: World, node: TestNode, to: TestNode, bytes: Uint8Array) {
		const channel = await world.clock.until(node.mesh.open(to.identity.peer, [], never));
		await channel.send(bytes);
		const iterator = channel.messages[Symbol.asyncIterator]();
		const next = await world.clock.until(iterator.next());
		const word = read(jobStatus, next.value as Uint8Array).body;
		return { word, channel, iterator };
	}

	/** The honest request, as the next page sends it; never delivered. */
	async function honest(set: Awaited<ReturnType<typeof interrupted>>) {
		const { world, asker, shown } = set;
		const sent: Uint8Array[] = [];
		world.network.meddle = (bytes) => {
			if (typeOf(bytes) !== reattachJob.type) return [bytes];
			sent.push(bytes);
			return [];
		};
		const { signer: jobKey } = read(assignJob, set.assignment);
		const key = await asker.ports.jobKeys.keptJobKey(jobKey);
		const next = await world.node({ after: asker });
		void next.reattach('m', shown);
		await world.clock.pass(1_000);
		world.network.meddle = undefined;
		const bytes = sent[0] as Uint8Array;
		const { body } = read(reattachJob, bytes);
		const again = async (change: Partial<ReattachJob>) =>
			(await seal(reattachJob, { ...body, ...change }, key as NonNullable<typeof key>)).bytes;
		return { bytes, body, next, again };
	}

	it('a stranger with a key of its own learns nothing, not even that the job is there', async () => {
		const set = await interrupted('stranger');
		const { body } = await honest(set);
		const stranger = await set.world.node();
		const key = set.world.seals.signer(new Uint8Array(32).fill(7));
		const forged = { ...body, node: stranger.identity.node.publicKey };
		for (const job of [body.job, new Uint8Array(16)]) {
			const bytes = (await seal(reattachJob, { ...forged, job }, key)).bytes;
			expect((await request(set.world, stranger, set.executors[0], bytes)).word).toMatchObject({
				state: 'refused',
				code: 'expired'
			});
		}
	});

	it('a stranger that got hold of the request is not the node it names', async () => {
		const set = await interrupted('copy');
		const { bytes } = await honest(set);
		const stranger = await set.world.node();
		expect((await request(set.world, stranger, set.executors[0], bytes)).word).toMatchObject({ code: 'wrong-signer' });
	});

	it('a request is good once; an older page that comes late takes nothing away', async () => {
		const set = await interrupted('replay');
		const { bytes, next, again } = await honest(set);
		const [executor] = set.executors;
		expect((await request(set.world, next, executor, await again({ attempt: 3 }))).word.state).toBe('accepted');
		expect((await request(set.world, next, executor, bytes)).word).toMatchObject({ code: 'replayed' });
		expect((await request(set.world, next, executor, await again({ attempt: 3 }))).word.code).toBe('replayed');
	});

	it('another assignment, another chain, a cursor that is not kept: refused by name', async () => {
		const set = await interrupted('terms');
		const { body, next, again } = await honest(set);
		const [executor] = set.executors;
		const code = async (change: Partial<ReattachJob>) =>
			(await request(set.world, next, executor, await again(change))).word.code;
		expect(await code({ chain: new Uint8Array(32) })).toBe('terms-differ');
		expect(await code({ tokens: body.tokens + 200 })).toBe('terms-differ');
		expect(await code({ tokens: 3 })).toBe('expired');
		expect(await code({ epoch: 2 })).toBe('expired');
	});

	it('coming back again and again does not hold the engine, nor the answer', async () => {
		const set = await interrupted('forever');
		const { next, again } = await honest(set);
		const [executor] = set.executors;
		for (let attempt = 3; attempt < 12; attempt++) {
			const { channel } = await request(set.world, next, executor, await again({ attempt })).catch(() => ({
				channel: undefined
			}));
			if (channel === undefined) break;
			await set.world.clock.pass(1_000);
			channel.abort();
			await set.world.clock.pass(1_000);
		}
		// It read and never acknowledged.
		expect(executor.engine.steps).toBeLessThanOrEqual(32 + 96);
		expect(executor.engine.state).toBe('ready');
		await set.world.clock.pass(KEPT_MS);
		expect((await request(set.world, next, executor, await again({ attempt: 30 }))).word.code).toBe('expired');
	});

	it('an executor that gives another answer than the one that was shown: refused, and another goes on', async () => {
		const set = await interrupted('another-answer', [{}, {}]);
		const { world, shown, asker } = set;
		// The job's own record had not got as far as the screen.
		const [row] = await asker.ports.store.jobs.list();
		const unfinished = row?.unfinished as NonNullable<NonNullable<typeof row>['unfinished']>;
		const kept = 40;
		await asker.ports.store.jobs.put({
			...(row as NonNullable<typeof row>),
			unfinished: {
				...unfinished,
				tokens: unfinished.tokens.slice(0, kept),
				frames: unfinished.frames.slice(0, 2 * kept),
				text: textFor(unfinished.tokens.slice(0, kept))
			}
		});
		world.network.meddle = (bytes, from) => {
			if (typeOf(bytes) !== 'Frame' || from !== set.executors[0].identity.peer) return [bytes];
			const frame = decodeFrame(bytes);
			return [frame.position === 45 ? encodeFrame({ ...frame, tokens: [63], text: 'w63 ' }) : bytes];
		};
		const { next, events } = await comeBack(set, asker, shown, 0);
		expect(events.find((event) => event.type === 'handed-over')).toMatchObject({
			why: 'terms-differ',
			position: shown.tokens.length
		});
		expect(answerOf(events).tokens).not.toContain(undefined);
		await whole(set, next, shown, events, 300);
	});

	it('answers that are left behind are kept for one peer up to four, the newest', async () => {
		const set = await stage('left-behind');
		const left: ReturnType<typeof answerOf>[] = [];
		let page = set.asker;
		for (let i = 0; i < MAX_KEPT_EACH + 2; i++) {
			const current = page;
			const events = await set.world.clock.until(
				page.ask({ message: `m${i}` }, never, {}, (event) => {
					if (event.type === 'words' && event.position === 80) set.world.network.vanish(current.identity.peer);
				})
			);
			left.push(answerOf(events));
			await set.world.clock.pass(5_000);
			page = await set.world.node({ after: page });
		}
		const ends: string[] = [];
		for (const [i, shown] of left.entries()) {
			const end = endOf(await set.world.clock.until(page.reattach(`m${i}`, shown)));
			ends.push(end.type === 'lost' ? end.code : end.type);
		}
		expect(ends).toEqual(['expired', 'expired', ...Array<string>(MAX_KEPT_EACH).fill('finished')]);
		expect(set.executors[0].engine.steps).toBe(100 * left.length);
	});
});

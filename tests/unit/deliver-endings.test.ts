/** How a job can end at its executor: stopped, failed, left by its asker, unsigned; what is kept and told each time. */
import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { chainStart } from '#lib/protocol/frame.ts';
import type { Code } from '#lib/protocol/errors.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import { toHex } from '#lib/protocol/encode.ts';
import { Inbox, pour, type JobMail } from '#lib/node/inbox.ts';
import { chainOver, delivery, politeDelivery as polite } from '../doubles/delivery.ts';
import { Wire } from '../doubles/executor.ts';

type Set = Awaited<ReturnType<typeof delivery>>;
/** The last word of the story, without what is the same in all. */
const ended = ({ told }: Set) => {
	const last = told.at(-1);
	return last?.type === 'ended' ? [last.status, last.code, last.tokens, last.price, last.receipt !== undefined] : last;
};
/** Everything that a refused job leaves: its channel is cut, nobody comes back to it, the engine is free. */
async function nothingLeft(set: Set) {
	expect([set.wire.state, set.engine.state]).toEqual(['aborted', 'ready']);
	expect(getEventListeners(set.stopping.signal, 'abort')).toHaveLength(0);
	expect(set.wire.types).not.toContain('ExecutionReceipt');
	const request = await set.comeBack(set.terms.assignment, {
		tokens: 0,
		chain: chainStart(set.terms.assignment.bodyBytes)
	});
	const again = set.kept.reattach(request, new Wire(set.asking.peer), new Inbox<JobMail>(set.clock));
	await expect(again).rejects.toMatchObject({ code: 'expired' });
}

describe('the person of this device', () => {
	it('stops lending in the middle: the asker gets what there is, sealed as a part', async () => {
		const set = await polite();
		set.clock.at(205, () => set.stopping.abort());
		expect(await set.end()).toBe(true);
		expect(set.receipt().body).toMatchObject({ status: 'partial', code: 'aborted', answerTokens: 10 });
		expect(ended(set)).toEqual(['partial', 'aborted', 10, 1_700, true]);
		expect(await set.row()).toMatchObject({ state: 'partial', code: 'aborted', tokens: 10, price: 1_700 });
		expect(set.wire.types.slice(-2)).toEqual(['ExecutionReceiptAvailable', 'ExecutionReceipt']);
	});

	it('has stopped before it began: nothing is computed', async () => {
		const set = await polite();
		set.stopping.abort();
		expect(await set.end()).toBe(true);
		expect(set.receipt().body).toMatchObject({ status: 'partial', code: 'aborted', answerTokens: 0 });
		expect(set.engine.steps).toBe(0);
	});
});

describe('the engine', () => {
	it.each(['engine-failed', 'engine-not-ready', 'engine-busy', 'prompt-too-long', 'out-of-memory'] as Code[])(
		'that says %s leaves a receipt that says so, for what was answered',
		async (code) => {
			const set = await polite({ engine: { failAt: { position: 34, code } } });
			expect(await set.end()).toBe(true);
			expect(set.receipt().body).toMatchObject({
				status: 'failed',
				code,
				answerTokens: 34,
				promptTokens: 0,
				price: 3_400
			});
			expect(ended(set)).toEqual(['failed', code, 34, 3_400, true]);
			expect(await set.row()).toMatchObject({ state: 'failed', code, tokens: 34, price: 3_400 });
			expect(set.wire.state).toBe('closed');
		}
	);

	it.each(['device-lost', 'internal', 'aborted'] as Code[])('that ends with %s has nothing to seal', async (code) => {
		const set = await polite({ engine: { failAt: { position: 10, code } } });
		expect(await set.end()).toBe(code);
		expect(ended(set)).toEqual(['partial', code, 10, 0, false]);
		expect(await set.row()).toMatchObject({ state: 'partial', code, tokens: 10, price: 0, receipt: undefined });
		await nothingLeft(set);
	});
});

describe('an asker', () => {
	it('cancels: it pays what it had, and the receipt says whose doing it was', async () => {
		const set = await polite();
		const stop = await set.cancel();
		set.clock.at(205, () => set.wire.hear(stop));
		expect(await set.end()).toBe(true);
		const { body } = set.receipt();
		expect([body.status, body.code, body.answerTokens]).toEqual(['cancelled', undefined, 10]);
		expect(ended(set)).toEqual(['cancelled', undefined, 10, 1_700, true]);
	});

	it.each([
		[undefined, 'channel-closed'],
		['channel-closed', 'channel-closed']
	] as const)(
		'that ends its channel (%s) is gone: nothing is sealed, the engine stops within a step',
		async (how, code) => {
			const set = await polite();
			set.clock.at(205, () => set.wire.end(how));
			expect(await set.end()).toBe(code);
			expect([set.engine.steps, set.clock.monotonic()]).toEqual([10, 205]);
			expect(ended(set)).toEqual(['partial', code, 10, 0, false]);
			await nothingLeft(set);
		}
	);

	it('that is gone leaves what it acknowledged last: that is claimed, and nothing earlier', async () => {
		const puts: string[] = [];
		const set = await polite(
			{
				dress: (ports) => {
					const { receipts } = ports.store;
					const put: typeof receipts.put = (row) => {
						puts.push(row.cid);
						return receipts.put(row);
					};
					return {
						...ports,
						store: { ...ports.store, receipts: { ...receipts, put, delete: (id) => receipts.delete(id) } }
					};
				}
			},
			(stage) => stage.agreed(200)
		);
		// After the acknowledgement of the third.
		set.clock.at(2_000, () => set.wire.end());
		expect(await set.end()).toBe('channel-closed');
		const cids = set.checkpoints().map(({ cid }) => cid.toString());
		expect(cids).toHaveLength(3);
		expect(puts).toEqual(cids);
		expect((await set.store.receipts.list()).map(({ cid }) => cid)).toEqual([cids[2]]);
		expect(ended(set)).toEqual(['partial', 'channel-closed', 99, 0, true]);
		expect(set.told.at(-1)).toMatchObject({ receipt: cids[2] });
		expect(await set.row()).toMatchObject({ receipt: cids[2], price: 0 });
		await nothingLeft(set);
	});

	it('that breaks a rule is named by it', async () => {
		const set = await polite();
		const forged = await set.cancel({}, set.stranger);
		set.clock.at(205, () => set.wire.hear(forged));
		expect(await set.end()).toBe('wrong-signer');
		expect(ended(set)).toEqual(['partial', 'wrong-signer', 10, 0, false]);
		await nothingLeft(set);
	});

	it('that reads and never acknowledges has one interval of it, and ten seconds of the engine', async () => {
		const set = await delivery({}, (stage) => stage.agreed(200));
		expect(await set.end()).toBe('no-acknowledgement');
		expect([set.engine.steps, set.frames().length, set.clock.monotonic()]).toEqual([32, 32, 10_640]);
		expect(ended(set)).toEqual(['partial', 'no-acknowledgement', 32, 0, false]);
		await nothingLeft(set);
	});

	it('whose channel takes nothing at all is refused before the engine is asked', async () => {
		const set = await delivery();
		set.wire.refuses = 'peer-lost';
		expect(await set.end()).toBe('peer-lost');
		expect(set.engine.steps).toBe(0);
		expect(ended(set)).toEqual(['partial', 'peer-lost', 0, 0, false]);
		await nothingLeft(set);
	});

	it('that is away has two intervals more made for it; then what there is is sealed, and waits', async () => {
		const set = await polite({}, (stage) => stage.agreed(200));
		set.clock.at(700, () => {
			set.wire.onSent = () => undefined;
			set.wire.end('peer-lost');
		});
		expect(await set.end()).toBe(false);
		// One interval is acknowledged, and three more are not.
		expect(set.engine.steps).toBe(32 + 96);
		expect(set.engine.state).toBe('ready');
		expect(ended(set)).toEqual(['partial', 'no-acknowledgement', 128, 13_500, true]);
		expect(await set.row()).toMatchObject({ state: 'partial', code: 'no-acknowledgement', tokens: 128 });
		expect(set.kept.waiting).toBe(1);
		expect(set.wire.state).toBe('open');
		expect(getEventListeners(set.stopping.signal, 'abort')).toHaveLength(0);
		expect(await set.rows()).toEqual(
			expect.arrayContaining([
				['checkpoint', true],
				['sealed', false]
			])
		);
		set.kept.clear();
	});
});

describe('a signature', () => {
	it('is waited for five seconds; without it the receipt stands alone, the last acknowledgement beside it', async () => {
		const set = await delivery();
		set.confirm(set.wire, ['Checkpoint']);
		expect(await set.end()).toBe(false);
		expect(set.clock.monotonic()).toBe(5_800);
		expect(set.wire.state).toBe('closed');
		expect((await set.rows()).sort()).toEqual([
			['checkpoint', true],
			['sealed', false]
		]);
		expect(ended(set)).toEqual(['success', undefined, 40, 4_700, true]);
		expect(set.kept.waiting).toBe(0);
	});

	it('under another receipt is none', async () => {
		const set = await delivery();
		set.confirm(set.wire, ['Checkpoint']);
		const other = await polite({}, (stage) => stage.agreed(33));
		await other.end();
		const signed = await set.countersign(other.wire.sent.at(-1) as Uint8Array);
		set.clock.at(900, () => set.wire.hear(signed));
		expect(await set.end()).toBe(false);
		expect(set.clock.monotonic()).toBe(900);
		expect((await set.rows()).sort()).toEqual([
			['checkpoint', true],
			['sealed', false]
		]);
		expect(set.wire.state).toBe('closed');
		expect(set.kept.waiting).toBe(0);
	});

	it('is not waited for from one that left after the end', async () => {
		const set = await delivery();
		set.confirm(set.wire, ['Checkpoint']);
		set.clock.at(900, () => set.wire.end());
		expect(await set.end()).toBe(false);
		expect(set.clock.monotonic()).toBe(900);
		expect(set.kept.waiting).toBe(0);
	});

	/** Delivered to an asker whose connection was lost at the very end. */
	async function leftAway() {
		const set = await delivery();
		set.confirm(set.wire, ['Checkpoint']);
		set.clock.at(900, () => set.wire.end('peer-lost'));
		expect(await set.end()).toBe(false);
		expect([set.clock.monotonic(), set.kept.waiting, set.wire.state]).toEqual([900, 1, 'open']);
		const wire = new Wire(set.asking.peer);
		const inbox = new Inbox<JobMail>(set.clock);
		void pour(wire, inbox);
		const chain = chainOver(set.terms, set.frames());
		const request = await set.comeBack(set.terms.assignment, { tokens: 40, chain, checked: 40 });
		const back = () => set.clock.until(set.kept.reattach(request, wire, inbox));
		return { ...set, again: wire, back };
	}

	it('may come late, over another channel, from one that was away: then it is told of, once', async () => {
		const set = await leftAway();
		set.confirm(set.again);
		await set.back();
		await set.clock.pass(100);
		expect(set.again.types).toEqual(['JobStatusUpdate', 'ExecutionReceiptAvailable', 'ExecutionReceipt']);
		expect(set.state.late).toBe(1);
		expect([set.again.state, set.kept.waiting]).toEqual(['closed', 0]);
		expect(await set.rows()).toEqual([['sealed', true]]);
	});

	it('that does not come from one that is back is not told of, and not waited for again', async () => {
		const set = await leftAway();
		await set.back();
		await set.clock.pass(4_999);
		expect(set.again.state).toBe('open');
		await set.clock.pass(1);
		expect([set.again.state, set.state.late]).toEqual(['aborted', 0]);
		expect(set.kept.waiting).toBe(0);
	});

	it('is waited for again from one that is lost again', async () => {
		const set = await leftAway();
		await set.back();
		set.again.end('peer-lost');
		await set.clock.pass(10);
		expect([set.kept.waiting, set.state.late, set.again.state]).toEqual([1, 0, 'open']);
		set.kept.clear();
	});
});

it('a record that cannot be kept holds nothing up, and is said once for each', async () => {
	const full = () => Promise.reject(new Refusal('storage-full'));
	const set = await polite({
		dress: (ports) => ({
			...ports,
			store: { ...ports.store, receipts: { ...ports.store.receipts, put: full, delete: full } }
		})
	});
	expect(await set.end()).toBe(true);
	expect(set.log.every(({ event }) => event === 'not-kept')).toBe(true);
	expect(await set.row()).toMatchObject({ id: `${toHex(set.job)}:1`, state: 'success' });
});

/** One channel at an executor: wishes, one assignment, the terms it must keep, and what each cheat is told. */
import { describe, expect, it } from 'vitest';
import { ASSIGN_MS } from '#lib/node/execute.ts';
import { assignJob, type AssignJob } from '#lib/protocol/assignment.ts';
import { seedOf } from '#lib/protocol/bid.ts';
import { cidOf, toHex } from '#lib/protocol/encode.ts';
import { read } from '#lib/protocol/envelope.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import { executionReceipt } from '#lib/protocol/receipt.ts';
import { jobStatus } from '#lib/protocol/status.ts';
import { served } from '../doubles/served.ts';

describe('a channel', () => {
	it('that brings nothing is closed after ten seconds', async () => {
		const set = await served();
		await set.say();
		expect([set.clock.monotonic(), ASSIGN_MS]).toEqual([10_000, 10_000]);
		expect(set.told).toEqual([{ type: 'refused', code: 'stalled' }]);
		expect([set.wire.state, set.wire.sent]).toEqual(['aborted', []]);
	});

	it('that ends before it brought anything is refused at once', async () => {
		const set = await served();
		set.wire.end();
		await set.say();
		expect([set.clock.monotonic(), set.outcome()]).toEqual([0, ['stalled']]);
	});

	it.each([
		['no message at all', Uint8Array.of(1), 'malformed'],
		['a message that has no business here', undefined, 'unknown-type']
	] as const)('with %s is refused', async (_what, bytes, code) => {
		const set = await served();
		await set.say(bytes ?? (await set.cancel()));
		expect(set.outcome()).toEqual([code]);
		expect([set.wire.state, set.wire.sent, set.log]).toEqual(['aborted', [], []]);
	});

	it('of a fault of our own is logged with its words, and told as internal', async () => {
		const set = await served();
		set.bids.get = () => {
			throw new TypeError('no map');
		};
		await set.say(await set.assign());
		expect(set.outcome()).toEqual(['internal']);
		expect(set.log).toEqual([{ event: 'execute-failed', facts: { error: 'TypeError: no map' } }]);
	});
});

describe('a wish on a channel', () => {
	it('is answered there, and so is a second; the third is too many', async () => {
		const set = await served();
		const wish = await set.announced();
		await set.say(wish.bytes, wish.bytes, wish.bytes);
		expect(set.wishes.map(([{ cid }, account]) => [cid.equals(wish.cid), account])).toEqual([
			[true, undefined],
			[true, undefined]
		]);
		expect(set.wire.sent).toEqual([Uint8Array.of(1), Uint8Array.of(1)]);
		expect(set.outcome()).toEqual(['rate-limited']);
		expect(set.wire.state).toBe('aborted');
	});

	it('that nobody answers ends it without a word', async () => {
		const set = await served();
		set.state.answer = undefined;
		await set.say((await set.announced()).bytes);
		expect([set.wire.state, set.wire.sent, set.told]).toEqual(['aborted', [], []]);
	});

	it.each([1, 2])('whose asker chose another after %i answers is nothing to tell of', async (wishes) => {
		const set = await served();
		const wish = (await set.announced()).bytes;
		await set.say(...Array.from({ length: wishes }, () => wish));
		expect([set.wire.state, set.told, set.clock.monotonic()]).toEqual(['aborted', [], 10_000]);
	});

	it('of a forged signature is refused, unasked', async () => {
		const set = await served();
		const { bytes } = await set.announced();
		await set.say(bytes.map((byte, i) => (i === bytes.length - 1 ? byte ^ 1 : byte)));
		expect(set.wishes).toEqual([]);
		expect(set.wire.state).toBe('aborted');
		expect(set.told).toHaveLength(1);
	});

	it('may come with the account of its node before it, once', async () => {
		const set = await served();
		const wish = (await set.announced()).bytes;
		const { certificate } = set.asking;
		await set.say(certificate, wish, wish, await set.assign());
		expect(set.wishes.map(([, account]) => account)).toEqual([set.asking.account, set.asking.account]);
		const twice = await served();
		await twice.say(certificate, certificate, wish);
		expect([twice.wishes, twice.outcome()]).toEqual([[], ['unknown-type']]);
		const late = await served();
		await late.say(wish, certificate, wish);
		expect([late.wishes.length, late.outcome()]).toEqual([1, ['unknown-type']]);
	});

	it('has ten seconds after the account too', async () => {
		const set = await served();
		await set.say(set.asking.certificate);
		expect([set.clock.monotonic(), set.outcome()]).toEqual([10_000, ['stalled']]);
	});

	it('with somebody else’s account is refused', async () => {
		const set = await served();
		await set.say(set.identity.certificate, (await set.announced()).bytes);
		expect([set.wishes, set.outcome(), set.wire.state]).toEqual([[], ['bad-certificate'], 'aborted']);
	});
});

describe('an assignment', () => {
	it('of exactly what was bid is run to its receipt, and its place given back', async () => {
		const set = await served();
		set.confirm(set.wire);
		await set.say(await set.assign());
		expect(set.takes).toEqual([[toHex(set.job), set.open.bid.cid.toString()]]);
		expect(set.outcome()).toEqual(['started', 'progress', 'ended']);
		const { body } = read(executionReceipt, set.wire.sent.at(-1) as Uint8Array);
		const { originatorNonce } = read(assignJob, await set.assign()).body;
		expect(body.seed).toEqual(seedOf(set.job, 1, originatorNonce, set.nonce));
		expect(body).toMatchObject({ status: 'success', sameAccount: false, pricePer1k: 100_000, model: set.model });
		expect(set.desk.load).toEqual({ running: 0, queued: 0 });
		expect(set.wire.state).toBe('closed');
	});

	it('frees the engine at its end, while the receipt still waits for its signature', async () => {
		const set = await served();
		set.confirm(set.wire, ['Checkpoint']);
		set.wire.hear(await set.assign());
		const done = set.serve(set.wire);
		await set.clock.pass(500);
		expect(set.desk.load).toEqual({ running: 1, queued: 0 });
		await set.clock.pass(500);
		expect(set.outcome().at(-1)).toBe('ended');
		expect(set.desk.load).toEqual({ running: 0, queued: 0 });
		await set.clock.until(done);
	});

	it('without an open bid is told so, with its job and epoch', async () => {
		const set = await served();
		set.bids.clear();
		await set.say(await set.assign({ epoch: 3 }));
		const status = read(jobStatus, set.wire.sent[0] as Uint8Array);
		expect(status.body).toEqual({
			...{ job: set.job, epoch: 3, state: 'refused', code: 'expired', issuedAt: set.clock.now(), extensions: {} }
		});
		expect(status.signer).toEqual(set.identity.node.publicKey);
		expect([set.outcome(), set.wire.state]).toEqual([['expired'], 'aborted']);
	});

	const seedFrom = { epoch: 1, originatorNonce: new Uint8Array(32), executorNonce: new Uint8Array(32) };
	it.each([
		['another bid', { bid: cidOf(Uint8Array.of(9)) }],
		['another price', { pricePer1k: 99_999 }],
		['another least length', { minTokens: 39 }],
		['another greatest length', { maxTokens: 41 }],
		['nothing left to answer', { continueFrom: Array.from({ length: 40 }, () => 1) }],
		['a longer prompt than announced', { turns: [{ role: 'user', content: 'word '.repeat(62).trim() }] }],
		['a seed of its own epoch', { epoch: 1, seedFrom }],
		['a seed of a later epoch', { epoch: 1, seedFrom: { ...seedFrom, epoch: 2 } }]
	] as const)('with %s is refused: those are not the terms', async (_what, change) => {
		const set = await served();
		await set.say(await set.assign(change as Partial<AssignJob>));
		expect(set.word()).toEqual(['refused', 'terms-differ', undefined]);
		expect([set.outcome(), set.engine.steps]).toEqual([['terms-differ'], 0]);
		expect(set.desk.load).toEqual({ running: 0, queued: 0 });
	});

	it('may just fill what was announced, and leave one word to answer', async () => {
		const set = await served();
		set.confirm(set.wire);
		const continueFrom = Array.from({ length: 39 }, () => 1);
		await set.say(await set.assign({ turns: [{ role: 'user', content: 'word '.repeat(61).trim() }], continueFrom }));
		expect(set.told.at(-1)).toMatchObject({ status: 'success', tokens: 1 });
	});

	it('goes on under the seed it began with, when that was of an earlier epoch', async () => {
		const set = await served();
		set.confirm(set.wire);
		await set.say(await set.assign({ epoch: 2, seedFrom }));
		const { originatorNonce, executorNonce } = seedFrom;
		expect(set.asked[0]?.seed).toEqual(seedOf(set.job, 1, originatorNonce, executorNonce));
	});

	it('by another key than the wish is refused, by name', async () => {
		const set = await served();
		await set.say(await set.assign({}, set.stranger));
		expect([set.word(), set.outcome()]).toEqual([['refused', 'wrong-signer', undefined], ['wrong-signer']]);
	});

	it('of a node without a place is told when to come back, an hour at the most, in whole milliseconds', async () => {
		for (const [retryMs, said] of [
			[1_234.2, 1_235],
			[4_000_000, 3_600_000]
		] as const) {
			const set = await served();
			set.desk.enter = () => {
				throw new Refusal('busy', 'full', retryMs);
			};
			await set.say(await set.assign());
			expect([set.word(), set.outcome()]).toEqual([['refused', 'busy', said], ['busy']]);
		}
	});

	it('whose job was begun is not declined when it ends badly, but its asker is charged', async () => {
		const set = await served({}, { minTokens: 400, maxTokens: 400 });
		const learnt: unknown[] = [];
		const enter = set.desk.enter.bind(set.desk);
		set.desk.enter = (wanted) => {
			const place = enter(wanted);
			return { ...place, learn: (outcome) => learnt.push([wanted, outcome]) };
		};
		await set.say(await set.assign());
		// Nothing is said to one that is gone, not even in vain.
		expect(set.wire.types.filter((type) => type === 'JobStatusUpdate')).toHaveLength(1);
		expect(set.wire.tries).toBe(set.wire.sent.length);
		expect(set.outcome().slice(-2)).toEqual(['ended', 'no-acknowledgement']);
		const { promptTokens, policy } = set.open.announcement.body;
		expect(learnt).toEqual([
			[
				{
					...{ id: `${toHex(set.job)}:1`, peer: set.asking.peer, sameAccount: false, pricePer1k: 100_000 },
					...{ promptTokens, maxTokens: 400, deadlineMs: policy.deadlineMs }
				},
				{ tokens: 32, code: 'no-acknowledgement', acknowledged: false }
			]
		]);
	});

	it('that never had the engine is no experience with its asker', async () => {
		const set = await served();
		const learnt: unknown[] = [];
		const done: unknown[] = [];
		const enter = set.desk.enter.bind(set.desk);
		set.desk.enter = (wanted) => {
			const place = enter(wanted);
			return { ...place, learn: (outcome) => learnt.push(outcome), done: () => void done.push(place.done()) };
		};
		set.stopping.abort();
		await set.say(await set.assign());
		expect([set.word(), learnt, done.length]).toEqual([['refused', 'aborted', undefined], [], 1]);
		expect([set.outcome(), set.log]).toEqual([['aborted'], []]);
		expect(set.desk.load).toEqual({ running: 0, queued: 0 });
	});
});

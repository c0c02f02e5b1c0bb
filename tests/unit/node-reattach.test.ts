/** A page that takes up a job which another page began: what it says to the executor, how long it looks for it, and what is left when it is not found. */
import { describe, expect, it } from 'vitest';
import { reattach } from '#lib/node/reattach.ts';
import { jobCancel } from '#lib/protocol/assignment.ts';
import { commitNonce, jobBid } from '#lib/protocol/bid.ts';
import { peek, read, seal } from '#lib/protocol/envelope.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import { chainNext, chainStart } from '#lib/protocol/frame.ts';
import { reattachJob } from '#lib/protocol/reattach.ts';
import { ADDRESSES, atExecutor, KEPT, pageAfter } from '../doubles/pages.ts';

const lost = (code: string, tokens: number) => ({ type: 'lost', code, tokens, receipt: undefined });

describe('a page that follows', () => {
	it('has nothing to go on with where no job is, or no record can be read', async () => {
		const { ports, store, opened } = await pageAfter();
		const steps = reattach('another', KEPT, ports, new AbortController().signal);
		expect(await steps.next()).toEqual({ done: true, value: undefined });
		store.jobs.list = () => Promise.reject(new Refusal('storage-unavailable'));
		expect(await reattach('m', KEPT, ports, new AbortController().signal).next()).toMatchObject({ done: true });
		expect(opened).toEqual([]);
	});

	it('says who it looks for, once the attempt is written down, and the words that are not shown yet', async () => {
		const { come, clock, row, who } = await pageAfter();
		const attempts: unknown[] = [];
		const coming = come({ tokens: [5], text: 'a' }, async () => attempts.push((await row()).unfinished?.attempt));
		const events = await clock.until(coming);
		expect(events.slice(0, 3)).toEqual([
			{ type: 'reattaching', executor: who },
			{ type: 'words', position: 1, tokens: [6], text: 'b' },
			{ type: 'words', position: 2, tokens: [7], text: 'c' }
		]);
		expect(attempts[0]).toBe(1);
	});

	it('says nothing where the attempt cannot be written down, and ends the job', async () => {
		const { come, store, clock, log, opened } = await pageAfter();
		store.full = true;
		expect(await clock.until(come())).toEqual([]);
		expect([opened, log.some(({ event }) => event === 'reattach-failed')]).toEqual([[], false]);
	});

	it('says nothing of a record that does not hold, and ends the job', async () => {
		const { come, clock, papers, row, log } = await pageAfter();
		papers.keys.clear();
		expect(await clock.until(come())).toEqual([]);
		expect(await row()).toMatchObject({ state: 'lost', code: 'aborted', receipt: 'cp', unfinished: undefined });
		expect(log.filter(({ event }) => event === 'reattach-failed')).toHaveLength(1);
	});

	it('names what is wrong with a record where that has a name', async () => {
		const { come, clock, papers, row, log } = await pageAfter();
		papers.seals.forget(papers.executor.node.publicKey);
		expect(await clock.until(come())).toEqual([]);
		expect(await row()).toMatchObject({ state: 'lost', code: 'bad-signature' });
		expect(log.some(({ event }) => event === 'reattach-failed')).toBe(false);
	});
});

describe('an executor that is there', () => {
	it('hears from where to go on, and its words follow those that were shown', async () => {
		const { come, clock, channel, status, frame, papers, log, opened, events, who, deaf, bids } = await atExecutor();
		const coming = come();
		await clock.pass(20);
		const { job, epoch } = papers.assignment.body;
		let chain = chainStart(papers.assignment.bodyBytes);
		for (const [i, token] of KEPT.tokens.entries())
			chain = chainNext(chain, { position: i, tokens: [token], text: KEPT.text[i] as string });
		const request = read(reattachJob, channel.sent[0] as Uint8Array);
		expect(request.body).toEqual({
			...{ job, epoch, assignment: papers.assignment.cid, tokens: 3, chain, checked: 0, attempt: 1 },
			...{ node: papers.asker.node.publicKey, issuedAt: clock.now() - 20, extensions: {} }
		});
		expect([request.signer, channel.sent.length]).toEqual([papers.key.publicKey, 1]);
		expect(opened).toEqual([{ peer: papers.executor.peer, addresses: ADDRESSES, at: 0 }]);
		await status();
		await frame(3, 3, [8], 'd');
		channel.messages.ends('peer-lost');
		await clock.until(coming);
		expect(events).toEqual([
			{ type: 'reattaching', executor: who },
			{ type: 'reattached', position: 3 },
			{ type: 'accepted' },
			{ type: 'words', position: 3, tokens: [8], text: 'd' },
			lost('peer-lost', 4)
		]);
		expect(log.find(({ event }) => event === 'reattached')?.facts).toEqual({ position: 3, attempt: 1 });
		expect([bids.length, deaf.count]).toEqual([1, 1]);
	});

	it('hears the last acknowledgement again', async () => {
		const { come, clock, channel, papers, store, stop } = await atExecutor();
		const chain = chainNext(chainStart(papers.assignment.bodyBytes), { position: 0, tokens: [5], text: 'a' });
		const made = await papers.checkpoint(1, { chain });
		const word = await papers.acknowledgement(made);
		await store.receipts.put({
			...{ cid: made.cid.toString(), kind: 'checkpoint', role: 'originator', job: papers.job.hex, createdAt: 0 },
			...{ document: made.bytes, counterpart: word.bytes, terms: undefined }
		});
		const coming = come();
		await clock.pass(0);
		expect(channel.sent.slice(1)).toEqual([word.bytes]);
		expect(read(reattachJob, channel.sent[0] as Uint8Array).body.checked).toBe(1);
		stop.abort();
		await clock.until(coming);
	});

	it('is told of a stop once it has accepted; its channel stays for its last word', async () => {
		const { come, clock, channel, status, stop } = await atExecutor();
		const coming = come();
		await clock.pass(0);
		await status();
		stop.abort();
		await clock.pass(0);
		expect(peek(channel.sent.at(-1) as Uint8Array, 2_000).type).toBe(jobCancel.type);
		expect(channel.state.aborted).toBe(0);
		await clock.until(coming);
	});

	it('that refuses is left, and what is over is over', async () => {
		const { come, clock, channel, status, failed, log, events, who } = await atExecutor();
		const coming = come();
		await clock.pass(0);
		await status({ state: 'refused', code: 'expired' });
		await clock.until(coming);
		expect(events).toEqual([{ type: 'reattaching', executor: who }, lost('expired', 3)]);
		expect(channel.state.aborted).toBeGreaterThan(0);
		expect(failed).toMatchObject([[{ id: who.id }, 'expired', 'answering']]);
		expect(log).toContainEqual({ event: 'not-reattached', facts: { code: 'expired' } });
	});

	it('that says itself that it was stopped is not taken for this page that was', async () => {
		const { come, clock, status, failed, events } = await atExecutor();
		const coming = come();
		await clock.pass(0);
		await status({ state: 'failed', code: 'aborted' });
		await clock.until(coming);
		expect([events.at(-1), failed.length]).toEqual([lost('aborted', 3), 1]);
	});

	it('that says no word counts as lost', async () => {
		const { come, clock, failed, events } = await atExecutor();
		await clock.until(come());
		expect(events.at(-1)).toEqual(lost('peer-lost', 3));
		expect(failed).toMatchObject([[{}, 'peer-lost', 'answering']]);
	});

	it('is not blamed for a stop before it could answer', async () => {
		const { come, clock, channel, failed, stop, events } = await atExecutor();
		const coming = come();
		await clock.pass(0);
		stop.abort();
		const before = clock.monotonic();
		await clock.until(coming);
		expect([events.at(-1), failed, clock.monotonic() - before]).toEqual([lost('aborted', 3), [], 0]);
		expect(channel.state.aborted).toBeGreaterThan(0);
	});

	it('hears nothing when the stop comes while the request is signed', async () => {
		const { come, clock, channel, papers, stop, events } = await atExecutor();
		const { key } = papers;
		papers.keys.set([...papers.keys.keys()][0] as string, {
			publicKey: key.publicKey,
			sign: async (preimage) => {
				stop.abort();
				return key.sign(preimage);
			}
		});
		await clock.until(come());
		expect([channel.sent, events.at(-1)]).toEqual([[], lost('aborted', 3)]);
	});
});

describe('an executor that is not reached', () => {
	it('is looked for every 400 ms for twelve seconds, and not blamed', async () => {
		const { come, clock, opened, failed, events, row } = await pageAfter();
		await clock.until(come());
		expect(opened.map(({ at }) => at)).toEqual(Array.from({ length: 31 }, (_, i) => 400 * i));
		expect([events.at(-1), failed]).toEqual([lost('unreachable', 3), []]);
		expect(await row()).toMatchObject({ state: 'lost', code: 'unreachable', unfinished: undefined });
	});

	it('has five seconds each time', async () => {
		const { come, clock, opened, events } = await pageAfter(() => new Promise(() => undefined));
		await clock.until(come());
		expect(opened.map(({ at }) => at)).toEqual([0, 5_400, 10_800]);
		expect(events.at(-1)).toEqual(lost('unreachable', 3));
	});

	it('is not looked for after a stop', async () => {
		for (const ms of [200, 403]) {
			const { come, clock, opened, stop, events, failed, log } = await pageAfter(async () => {
				await clock.sleep(2);
				throw new Refusal('unreachable');
			});
			const coming = come();
			await clock.pass(ms);
			stop.abort();
			const before = clock.monotonic();
			await clock.until(coming);
			expect([opened.length, events.at(-1), failed]).toEqual([ms > 400 ? 2 : 1, lost('aborted', 3), []]);
			expect(clock.monotonic() - before).toBeLessThan(3);
			expect(log).toContainEqual({ event: 'not-reattached', facts: { code: 'aborted' } });
		}
	});

	it('leaves to the next what the screen had beyond the record, and that is written down', async () => {
		const { come, clock, store, events } = await pageAfter();
		const put = store.jobs.put.bind(store.jobs);
		const kept: unknown[] = [];
		store.jobs.put = async (row) => {
			kept.push(row.unfinished?.tokens);
			await put(row);
		};
		await clock.until(come({ tokens: [5, 6, 7, 8], text: 'abcd' }));
		expect(kept).toContainEqual([5, 6, 7, 8]);
		expect(events.at(-1)).toEqual(lost('unreachable', 4));
		const second = await pageAfter();
		second.store.jobs.put = async (row) => void kept.push(row.state);
		kept.length = 0;
		await second.clock.until(second.come());
		expect(kept).toEqual(['announced', 'lost']);
	});

	it('is followed by another that offered on the first announcement', async () => {
		const { come, clock, papers, bids, opened } = await pageAfter();
		const coming = come();
		await clock.pass(12_100);
		expect(bids).toHaveLength(1);
		const another = await papers.seals.identity(new Uint8Array(32).fill(50), new Uint8Array(32).fill(51), clock.now());
		const offer = { ...papers.bid.body, nonceCommitment: commitNonce(papers.nonce), addresses: [] };
		bids[0]?.((await seal(jobBid, offer, another.node, another.certificate)).bytes);
		await clock.until(coming);
		expect(opened.at(-1)?.peer).toBe(another.peer);
	});

	it('leaves the answer as it is shown when nobody can even be asked', async () => {
		const { come, clock, ports, row, events, log } = await pageAfter();
		const refuse = () => {
			throw new Error('no topics');
		};
		Object.assign(ports.mesh, { subscribe: refuse });
		await clock.until(come({ tokens: [5, 6], text: 'ab' }));
		expect(events.at(-1)).toEqual({ type: 'lost', code: 'aborted', tokens: 2, receipt: 'cp' });
		expect(await row()).toMatchObject({ state: 'lost', code: 'aborted' });
		expect(log.filter(({ event }) => event === 'reattach-failed')).toEqual([
			{ event: 'reattach-failed', facts: { error: 'Error: no topics' } }
		]);
	});
});

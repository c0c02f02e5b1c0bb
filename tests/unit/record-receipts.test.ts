/** How events pass by the record on their way to the screen, and how receipts take the place of those before them. */
import { describe, expect, it } from 'vitest';
import type { Again, OriginateEvent } from '#lib/node/events.ts';
import { keepPartial, keepSealed, listen, quietly, type JobRecord } from '#lib/node/record.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import { Papers } from '../doubles/papers.ts';

const words: OriginateEvent = { type: 'words', position: 0, tokens: [1], text: 'a' };
const again: Again = { type: 'again', position: 0, tokens: [1], text: 'a' };

/** A record whose notes are kept when the test says so. */
function slowRecord() {
	const noted: string[] = [];
	const waiting: (() => void)[] = [];
	const record = {
		note: (event: OriginateEvent | Again) => {
			noted.push(event.type);
			return new Promise<void>((resolve) => waiting.push(resolve));
		}
	} as JobRecord;
	return { record, noted, kept: () => waiting.splice(0).forEach((keep) => keep()) };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('events on their way', () => {
	const told = async function* (...events: (OriginateEvent | Again)[]): AsyncGenerator<OriginateEvent | Again, string> {
		yield* events;
		return 'over';
	};

	it('do not wait for the disk, except a checkpoint and every end', async () => {
		const ends: readonly OriginateEvent[] = [
			{ type: 'checkpoint', tokens: 1, receipt: 'cp' },
			{ type: 'finished', status: 'success', receipt: 'r', tokens: 1, tokensPerSecond: 1, price: 1, droppedTurns: 0 },
			{ type: 'lost', code: 'stalled', tokens: 1, receipt: undefined },
			{ type: 'failed', code: 'busy' }
		];
		for (const end of ends) {
			const { record, kept } = slowRecord();
			const heard = listen(record, told(words, { type: 'accepted' }, end));
			expect(await heard.next()).toEqual({ done: false, value: words });
			expect(await heard.next()).toEqual({ done: false, value: { type: 'accepted' } });
			let came = false;
			const third = heard.next().finally(() => (came = true));
			await turn();
			expect(came).toBe(false);
			kept();
			expect(await third).toEqual({ done: false, value: end });
			expect(await heard.next()).toEqual({ done: true, value: 'over' });
		}
	});

	it('of words that came again are for the record alone', async () => {
		const { record, noted } = slowRecord();
		const heard = listen(record, told(again, words));
		expect(await heard.next()).toEqual({ done: false, value: words });
		expect(noted).toEqual(['again', 'words']);
	});

	it('end when their reader leaves, and whoever tells them lets go', async () => {
		let ended = 0;
		const endless = async function* (): AsyncGenerator<OriginateEvent, undefined> {
			try {
				for (;;) yield words;
			} finally {
				ended++;
			}
		};
		const heard = listen(slowRecord().record, endless());
		await heard.next();
		await heard.return(undefined);
		expect(ended).toBe(1);
	});
});

describe('a checkpoint', () => {
	it('is kept with its acknowledgement and the terms, in place of the one before', async () => {
		const papers = await Papers.of();
		const { ports, store, clock, bid, job } = papers;
		const [first, second] = [await papers.checkpoint(32), await papers.checkpoint(64)];
		const word = await papers.acknowledgement(second);
		const common = { bid, startPosition: 0, replaces: undefined };
		await keepPartial({ ...common, checkpoint: first, acknowledgement: undefined }, 'originator', ports);
		const record = {
			...{ kind: 'checkpoint', role: 'originator', job: job.hex, createdAt: clock.now(), terms: bid.bytes }
		};
		const kept = { ...record, cid: first.cid.toString(), document: first.bytes, counterpart: undefined };
		expect(await store.receipts.list()).toStrictEqual([kept]);
		const replaces = first.cid.toString();
		const next = { ...common, startPosition: 1, replaces, checkpoint: second, acknowledgement: word };
		await keepPartial(next, 'executor', ports);
		expect(await store.receipts.list()).toStrictEqual([
			{
				...{ ...record, role: 'executor', cid: second.cid.toString(), document: second.bytes },
				...{ counterpart: word.bytes, startPosition: 1 }
			}
		]);
	});

	it('that is kept again with its acknowledgement stays', async () => {
		const papers = await Papers.of();
		const checkpoint = await papers.checkpoint(32);
		const replaces = checkpoint.cid.toString();
		const partial = { checkpoint, bid: papers.bid, startPosition: 0, replaces };
		const acknowledgement = await papers.acknowledgement(checkpoint);
		await keepPartial({ ...partial, acknowledgement }, 'executor', papers.ports);
		expect((await papers.store.receipts.get(replaces))?.counterpart).toEqual(acknowledgement.bytes);
	});
});

describe('a sealed receipt', () => {
	it('takes the place of the checkpoint before it, with its countersignature when there is one', async () => {
		const papers = await Papers.of();
		const { ports, store, clock, job, bid } = papers;
		const checkpoint = await papers.checkpoint(32);
		const partial = { checkpoint, bid, startPosition: 0, replaces: undefined, acknowledgement: undefined };
		await keepPartial(partial, 'executor', ports);
		const receipt = await papers.receipt();
		await keepSealed({ receipt, countersignature: undefined, replaces: undefined }, 'executor', ports);
		const record = {
			...{ cid: receipt.cid.toString(), kind: 'sealed', role: 'executor', job: job.hex, createdAt: clock.now() },
			...{ document: receipt.bytes, counterpart: undefined, terms: undefined }
		};
		expect((await store.receipts.list())[0]).toStrictEqual(record);
		expect(await store.receipts.list()).toHaveLength(2);
		const countersignature = await papers.countersigned(receipt);
		await keepSealed({ receipt, countersignature, replaces: checkpoint.cid.toString() }, 'originator', ports);
		expect(await store.receipts.list()).toStrictEqual([
			{ ...record, role: 'originator', counterpart: countersignature.bytes }
		]);
	});
});

describe('a store that refuses', () => {
	it('is told of by its code, and whoever keeps goes on', async () => {
		const papers = await Papers.of();
		papers.store.full = true;
		const receipt = await papers.receipt();
		await keepSealed({ receipt, countersignature: undefined, replaces: undefined }, 'executor', papers.ports);
		await quietly(papers.ports, Promise.reject(new Refusal('storage-unavailable')));
		await quietly(papers.ports, Promise.resolve());
		expect(papers.log).toEqual([
			{ event: 'not-kept', facts: { code: 'storage-full' } },
			{ event: 'not-kept', facts: { code: 'storage-unavailable' } }
		]);
	});
});

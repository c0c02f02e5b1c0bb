/** What a running job leaves in its asker's tables, event by event, and what a slow or full disk changes about that: nothing for the answer. */
import { describe, expect, it } from 'vitest';
import type { OriginateEvent } from '#lib/node/events.ts';
import { recordJob, recordOf } from '#lib/node/record.ts';
import type { OriginatedJob } from '#lib/ports/store.ts';
import { encodeCanonical } from '#lib/protocol/encode.ts';
import { ORDINARY_WISH } from '../doubles/node.ts';
import { Papers } from '../doubles/papers.ts';

/** A job's record, and every row that was put for it. */
async function recorded(begun?: (papers: Papers) => Partial<OriginatedJob>) {
	const papers = await Papers.of();
	const { clock, store, ports, job } = papers;
	await clock.pass(5_000);
	const put = store.jobs.put.bind(store.jobs);
	const puts: OriginatedJob[] = [];
	store.jobs.put = async (row) => {
		puts.push(row);
		await put(row);
	};
	const wish = { ...ORDINARY_WISH, model: 'wished', message: 'm' };
	const record = begun ? recordOf({ ...row(papers), ...begun(papers) }, ports) : recordJob(job, wish, ports);
	await clock.pass(0);
	const last = () => puts.at(-1);
	return { papers, ...{ clock, store, ports, puts, record, last } };
}

function row({ job, clock }: Papers): OriginatedJob {
	return {
		...{ id: job.hex, createdAt: clock.now(), model: 'wished', state: 'announced', message: 'm' },
		...{ executor: undefined, receipt: undefined, code: undefined }
	};
}

const words = (position: number, ...tokens: number[]): OriginateEvent => ({
	...{ type: 'words', position, tokens, text: tokens.map((token) => `w${token} `).join('') }
});
const facts = {
	...{ id: 'who', account: 'did:who', sameAccount: false, region: undefined, model: 'pocket', modelName: 'Pocket' },
	pricePer1k: 70
};
const finished = (status: 'success' | 'cancelled' | 'partial'): OriginateEvent => ({
	...{ type: 'finished', status, receipt: 'r', tokens: 1, tokensPerSecond: 1, price: 1, droppedTurns: 0 }
});

describe('the row of a job', () => {
	it('is there as soon as the job is announced', async () => {
		const { puts, papers } = await recorded();
		expect(puts).toStrictEqual([row(papers)]);
		const { job, ports, store } = papers;
		recordJob(job, { ...ORDINARY_WISH, model: undefined, message: undefined }, ports);
		expect(await store.jobs.get(job.hex)).toStrictEqual({ ...row(papers), model: '', message: undefined });
	});

	it('follows who has it and how it goes', async () => {
		const { record, last, papers, clock } = await recorded();
		const begun = { ...row(papers), createdAt: clock.now() };
		await record.note({ type: 'assigned', executor: facts, reason: 'cheap' });
		const assigned = { ...begun, state: 'assigned', executor: 'who', model: 'pocket' };
		expect(last()).toStrictEqual(assigned);
		await record.note({ type: 'accepted' });
		expect(last()).toStrictEqual({ ...assigned, state: 'running' });
		const to = { ...facts, id: 'next', model: 'other' };
		const over = { from: 'who', to, position: 12, exact: true, why: 'peer-lost', reason: 'near' } as const;
		await record.note({ type: 'handed-over', ...over });
		expect(last()).toStrictEqual({ ...assigned, executor: 'next' });
		await record.note({ type: 'checkpoint', tokens: 32, receipt: 'cp' });
		expect(last()).toStrictEqual({ ...assigned, executor: 'next', receipt: 'cp' });
	});

	it('is not touched by what is for the screen alone', async () => {
		const { record, puts, store } = await recorded();
		await record.note({ type: 'announced', job: 'j' });
		await record.note({ type: 'queued', executor: 'who', waitMs: 5 });
		await record.note({ type: 'reattached', position: 3 });
		expect([puts.length, await store.bids.list()]).toEqual([1, []]);
	});

	it.each([
		[finished('success'), { state: 'finished', receipt: 'r' }],
		[finished('partial'), { state: 'finished', receipt: 'r' }],
		[finished('cancelled'), { state: 'cancelled', receipt: 'r' }],
		[
			{ type: 'lost', code: 'stalled', tokens: 1, receipt: 'cp' },
			{ state: 'lost', code: 'stalled', receipt: 'cp' }
		],
		[
			{ type: 'failed', code: 'aborted' },
			{ state: 'cancelled', code: 'aborted' }
		],
		[
			{ type: 'failed', code: 'busy' },
			{ state: 'failed', code: 'busy' }
		]
	] as const)('ends with its job: %o', async (event, change) => {
		const { record, last, papers } = await recorded();
		await record.note(event);
		expect(last()).toStrictEqual({ ...row(papers), ...change, unfinished: undefined });
	});
});

describe('bids', () => {
	it('are kept as they are heard, and with the reason once they are chosen', async () => {
		const { record, store, papers, clock } = await recorded();
		const { hex: job } = papers.job;
		await record.note({ type: 'bid', executor: 'who', pricePer1k: 70 });
		const heard = { id: `${job}:who`, job, executor: 'who', heardAt: clock.now(), pricePer1k: 70 };
		expect(await store.bids.list()).toStrictEqual([{ ...heard, chosen: false, reason: '' }]);
		await clock.pass(10);
		await record.note({ type: 'assigned', executor: facts, reason: 'cheap' });
		expect(await store.bids.list()).toStrictEqual([
			{ ...heard, heardAt: heard.heardAt + 10, chosen: true, reason: 'cheap' }
		]);
		const to = { ...facts, id: 'next', pricePer1k: 71 };
		const over = { from: 'who', to, position: 12, exact: true, why: 'stalled', reason: 'near' } as const;
		await record.note({ type: 'handed-over', ...over });
		expect((await store.bids.list())[0]).toStrictEqual({
			...{ id: `${job}:next`, job, executor: 'next', heardAt: clock.now(), pricePer1k: 71, chosen: true },
			reason: 'after 12 tokens (stalled): near'
		});
	});
});

describe('a job that runs', () => {
	it('leaves all that another page needs, its key first', async () => {
		const { record, papers, last, clock, ports } = await recorded();
		const order: string[] = [];
		const { keepJobKey } = ports.jobKeys;
		const parts = [{ pricePer1k: 1, startPosition: 0, answerTokens: 2, price: undefined }];
		const hired = papers.hired({ startedFrom: 4, parts, deadlineAt: clock.monotonic() + 999.6 });
		Object.assign(ports.jobKeys, {
			keepJobKey: async (key: typeof papers.key) => {
				order.push(String(last()?.unfinished !== undefined));
				await keepJobKey(key);
			}
		});
		await recordOf(last() as OriginatedJob, ports).hired(hired);
		expect([order, [...papers.keys.values()]]).toEqual([['false'], [papers.key]]);
		expect(last()).toStrictEqual({
			...row(papers),
			unfinished: {
				assignment: papers.assignment.bytes,
				announcement: papers.announcement.bytes,
				bid: papers.bid.bytes,
				policy: encodeCanonical(papers.policy),
				executorNonce: papers.nonce,
				deadlineAt: clock.now() + 1_000,
				...{ startedFrom: 4, parts, attempt: 0, tokens: [], text: '', frames: [] }
			}
		});
		await record.hired(papers.hired({ deadlineAt: clock.monotonic() - 1, resumed: { attempt: 3 } as never }));
		expect(last()?.unfinished).toMatchObject({ deadlineAt: clock.now(), attempt: 3 });
	});

	it('has its words written down once a second, frame by frame', async () => {
		const { record, papers, puts, last, clock } = await recorded();
		await record.hired(papers.hired());
		const { length } = puts;
		await record.note(words(0, 5, 6));
		await clock.pass(999);
		await record.note(words(2, 7));
		expect(puts).toHaveLength(length);
		await clock.pass(1);
		await record.note(words(3, 8));
		expect(puts).toHaveLength(length + 1);
		expect(last()?.unfinished).toMatchObject({
			tokens: [5, 6, 7, 8],
			text: 'w5 w6 w7 w8 ',
			frames: [2, 6, 1, 3, 1, 3]
		});
		await clock.pass(999);
		await record.note(words(4, 9));
		expect(puts).toHaveLength(length + 1);
		await record.note({ type: 'checkpoint', tokens: 5, receipt: 'cp' });
		expect(last()?.unfinished?.tokens).toEqual([5, 6, 7, 8, 9]);
		await clock.pass(999);
		await record.note(words(5, 10));
		expect(last()?.unfinished?.tokens).toHaveLength(5);
	});

	it('has words kept once, whether they came again or for the first time', async () => {
		const { record, papers, last } = await recorded();
		await record.note(words(0, 5, 6));
		await record.note({ type: 'again', position: 1, tokens: [6], text: 'w6 ' });
		await record.note({ type: 'again', position: 2, tokens: [7], text: 'w7 ' });
		await record.hired(papers.hired());
		expect(last()?.unfinished).toMatchObject({ tokens: [5, 6, 7], text: 'w5 w6 w7 ', frames: [2, 6, 1, 3] });
	});

	it('has no words written down before somebody has it', async () => {
		const { record, puts, clock } = await recorded();
		await clock.pass(2_000);
		await record.note(words(0, 5));
		expect(puts).toHaveLength(1);
	});

	it('goes on from what another page kept, counted from where the job began', async () => {
		const { record, last, clock } = await recorded((papers) => ({
			unfinished: {
				...{ assignment: papers.assignment.bytes, announcement: papers.announcement.bytes, bid: papers.bid.bytes },
				...{ policy: new Uint8Array(), executorNonce: papers.nonce, deadlineAt: 0, startedFrom: 10, parts: [] },
				...{ attempt: 1, tokens: [5, 6], text: 'w5 w6 ', frames: [2, 6] }
			}
		}));
		await clock.pass(1_000);
		await record.note(words(11, 9));
		expect(last()).toBeUndefined();
		await record.note(words(12, 7));
		expect(last()?.unfinished).toMatchObject({
			tokens: [5, 6, 7],
			text: 'w5 w6 w7 ',
			frames: [2, 6, 1, 3],
			attempt: 1
		});
	});

	it('forgets its words and its key when it ends', async () => {
		const { record, papers, last } = await recorded();
		await record.hired(papers.hired());
		expect(papers.keys.size).toBe(1);
		await record.note(words(0, 5));
		await record.note(finished('success'));
		expect([last()?.state, last()?.unfinished, papers.keys.size]).toEqual(['finished', undefined, 0]);
	});

	it('is kept as it stood when it was put, whatever comes while the disk is at it', async () => {
		const { record, papers, last } = await recorded();
		await record.hired(papers.hired());
		await record.note(words(0, 5));
		await record.note({ type: 'checkpoint', tokens: 1, receipt: 'cp' });
		const kept = last();
		await record.note(words(1, 6));
		expect(kept?.unfinished).toMatchObject({ tokens: [5], text: 'w5 ', frames: [1, 3] });
	});
});

describe('a disk', () => {
	it('that is full is told of, and nothing else changes', async () => {
		const { record, papers, store } = await recorded();
		store.full = true;
		await record.hired(papers.hired());
		for (const event of [words(0, 5), { type: 'accepted' } as const, finished('success')]) await record.note(event);
		await record.note({ type: 'bid', executor: 'who', pricePer1k: 70 });
		expect(papers.log).toEqual(Array(4).fill({ event: 'not-kept', facts: { code: 'storage-full' } }));
	});

	it('that is slow holds a checkpoint up for a second, and an end until it is done', async () => {
		const { record, store, clock } = await recorded();
		store.jobs.put = async () => clock.sleep(5_000);
		const over: string[] = [];
		const tell = (name: string, noted: Promise<void>) => void noted.then(() => over.push(name));
		tell('checkpoint', record.note({ type: 'checkpoint', tokens: 1, receipt: 'cp' }));
		tell('end', record.note(finished('success')));
		await clock.pass(999);
		expect(over).toEqual([]);
		await clock.pass(1);
		expect(over).toEqual(['checkpoint']);
		await clock.pass(3_999);
		expect(over).toEqual(['checkpoint']);
		await clock.pass(1);
		expect(over).toEqual(['checkpoint', 'end']);
	});
});

/** A job that another page left unfinished, read back: on which terms, what is refused, and how far the answer had come. */
import { describe, expect, it } from 'vitest';
import { recordJob } from '#lib/node/record.ts';
import { restore, type Shown } from '#lib/node/unfinished.ts';
import type { OriginatedJob, ReceiptRecord, Unfinished } from '#lib/ports/store.ts';
import { seedOf } from '#lib/protocol/bid.ts';
import { CERTIFICATE_LIFE_MS } from '#lib/protocol/certificate.ts';
import { codeOf } from '#lib/protocol/errors.ts';
import { chainNext, chainStart } from '#lib/protocol/frame.ts';
import { ORDINARY_WISH } from '../doubles/node.ts';
import { Papers, type PapersChange } from '../doubles/papers.ts';

/** Frames of two, one and three tokens, given what stood before them. */
const FRAMES = [
	{ tokens: [5, 6], text: 'five six ' },
	{ tokens: [7], text: '' },
	{ tokens: [8, 9, 10], text: 'eight and so on' }
] as const;
const TOKENS = [5, 6, 7, 8, 9, 10];
const TEXT = 'five six eight and so on';
const NOTHING: Shown = { tokens: [], text: '' };

/** The record of a job that one page left, after these frames. */
async function left(change: PapersChange & { readonly frames?: readonly (typeof FRAMES)[number][] } = {}) {
	const papers = await Papers.of(change);
	const { ports, clock, store } = papers;
	await clock.pass(300);
	const { frames = FRAMES } = change;
	const startedFrom = 0;
	const record = recordJob(papers.job, { ...ORDINARY_WISH, message: 'm' }, ports);
	await record.hired(papers.hired({ startedFrom }));
	let position = startedFrom;
	for (const frame of frames) {
		await record.note({ type: 'words', position, ...frame });
		position += frame.tokens.length;
	}
	await record.note({ type: 'checkpoint', tokens: position, receipt: 'cp' });
	const row = (await store.jobs.get(papers.job.hex)) as OriginatedJob & { readonly unfinished: Unfinished };
	const found = (shown: Shown = NOTHING, more: Partial<Unfinished> = {}) =>
		restore({ ...row.unfinished, ...more }, shown, 'm', ports);
	const refusal = (shown?: Shown, more?: Partial<Unfinished>) => found(shown, more).then(() => 'found', codeOf);
	return { papers, ...{ ports, clock, store, row, found, refusal } };
}

/** The chain after the first `count` frames of an executor that began at `start`. */
function chainAfter(papers: Papers, count: number, start = 0, frames: readonly (typeof FRAMES)[number][] = FRAMES) {
	let chain = chainStart(papers.assignment.bodyBytes);
	let position = start;
	for (const frame of frames.slice(0, count)) {
		chain = chainNext(chain, { ...frame, position, tokens: [...frame.tokens] });
		position += frame.tokens.length;
	}
	return chain;
}

describe('a job that is read back', () => {
	it('is whole: who has it, on which terms, until when, and every frame', async () => {
		const { papers, found, clock } = await left();
		await clock.pass(1_000);
		const { hired, wish, pieces, acknowledgement } = await found();
		const { bid, assignment, announcement, executor, nonce, policy, key } = papers;
		const { job, epoch, originatorNonce } = assignment.body;
		const { resumed, ...rest } = hired;
		expect(rest.assignment.bytes).toEqual(assignment.bytes);
		expect(rest.job).toMatchObject({ id: job, hex: papers.job.hex, key, policy });
		expect(rest.job.announcement.bytes).toEqual(announcement.bytes);
		expect(rest.executor).toMatchObject({
			...{ executor: executor.peer, account: executor.account, accountKey: executor.accountKey },
			...{ sameAccount: false, heardAt: clock.monotonic() }
		});
		expect([rest.executor.signed.bytes, rest.executor.bid]).toEqual([bid.bytes, bid.body]);
		expect(rest.seed).toEqual(seedOf(job, epoch, originatorNonce, nonce));
		expect(rest.seedFrom).toEqual({ epoch, originatorNonce, executorNonce: nonce });
		expect([rest.deadlineAt, rest.startedFrom, rest.parts]).toEqual([600_300, 0, []]);
		expect(wish).toEqual({
			...{ turns: assignment.body.turns, continueFrom: [], model: announcement.body.model, message: 'm' },
			...{ sampling: assignment.body.sampling, minTokens: 0, maxTokens: 400 }
		});
		expect(pieces).toEqual([
			{ position: 0, ...FRAMES[0] },
			{ position: 2, ...FRAMES[1] },
			{ position: 3, ...FRAMES[2] }
		]);
		expect(acknowledgement).toBeUndefined();
		expect(resumed).toEqual({
			transcript: {
				...{ job, epoch, assignment: assignment.cid, start: 0, maxTokens: 400, sequence: 3, position: 6 },
				...{ chain: chainAfter(papers, 3), checked: 0, lastCheckpoint: undefined }
			},
			...{ tokens: TOKENS, text: TEXT, shown: { tokens: TOKENS, text: TEXT }, attempt: 1 }
		});
	});

	it('knows a node of its own account, and the seed of the epoch the job began with', async () => {
		const seedFrom = { epoch: 1, originatorNonce: new Uint8Array(32), executorNonce: new Uint8Array(32).fill(1) };
		const { found, papers } = await left({ sameAccount: true, assignment: { seedFrom, epoch: 3 } });
		const { hired } = await found();
		expect([hired.executor.sameAccount, hired.seedFrom]).toEqual([true, seedFrom]);
		expect(hired.seed).toEqual(seedOf(papers.job.id, 1, seedFrom.originatorNonce, seedFrom.executorNonce));
	});

	it('of a page before this one counts on', async () => {
		const { found } = await left();
		expect((await found(NOTHING, { attempt: 4 })).hired.resumed.attempt).toBe(5);
	});

	it('without a word yet begins at nothing', async () => {
		const { found, papers } = await left({ frames: [] });
		const { hired, pieces } = await found();
		const { transcript, tokens, text, shown } = hired.resumed;
		expect([pieces, tokens, text, shown]).toEqual([[], [], '', { tokens: [], text: '' }]);
		expect([transcript.sequence, transcript.position, transcript.chain]).toEqual([0, 0, chainAfter(papers, 0)]);
	});

	it('is refused without its key, with a forged bid, and with a certificate that has run out', async () => {
		const { refusal, papers, row, clock } = await left();
		const bid = row.unfinished.bid.slice();
		papers.seals.forget(papers.executor.node.publicKey);
		expect(await refusal()).toBe('bad-signature');
		const second = await left();
		second.papers.keys.clear();
		expect(await second.refusal()).toBe('internal');
		expect(await second.refusal(NOTHING, { bid: bid.slice(1) })).toBe('malformed');
		const third = await left();
		await third.clock.pass(CERTIFICATE_LIFE_MS);
		expect(await third.refusal()).toBe('bad-certificate');
		expect(clock.monotonic()).toBe(300);
	});

	it('is refused where its frames do not add up', async () => {
		const { refusal } = await left();
		expect(await refusal(NOTHING, { frames: [2, 9, 1, 0, 3, 15] })).toBe('found');
		for (const broken of [
			{ frames: [2, 9, 1, 0, 2, 15] },
			{ frames: [2, 9, 1, 0, 3, 14] },
			{ frames: [2, 9, 0, 0, 4, 15] },
			{ frames: [2, 9, 1, 0] },
			{ tokens: [...TOKENS, 11] },
			{ text: `${TEXT}.` },
			{ text: TEXT.slice(1) },
			{ tokens: [], frames: [] }
		])
			expect([broken, await refusal(NOTHING, broken)]).toEqual([broken, 'internal']);
	});
});

describe('a job that another executor had before', () => {
	/** Its second executor went on after four tokens of an earlier one. */
	const later = { assignment: { continueFrom: [5, 6, 7], epoch: 2 } };

	it('stands where the frames of the newest executor end', async () => {
		const { found, papers } = await left(later);
		const { hired, pieces } = await found();
		const { transcript, tokens, text, shown } = hired.resumed;
		expect(pieces).toHaveLength(3);
		expect(transcript).toMatchObject({ start: 3, sequence: 1, position: 6, checked: 3, epoch: 2 });
		expect(transcript.chain).toEqual(chainAfter(papers, 1, 3, FRAMES.slice(2)));
		expect([tokens, text]).toEqual([[8, 9, 10], 'eight and so on']);
		expect(shown).toEqual({ tokens: TOKENS, text: 'eight and so on' });
	});

	it('is refused when the tokens it was given are others than those kept, more, or end within a frame', async () => {
		expect(await (await left({ assignment: { continueFrom: [5, 6, 8] } })).refusal()).toBe('internal');
		expect(await (await left({ assignment: { continueFrom: [5, 6, 7, 8, 9, 10, 11] } })).refusal()).toBe('internal');
		for (const length of [1, 4, 5])
			expect(await (await left({ assignment: { continueFrom: TOKENS.slice(0, length) } })).refusal()).toBe('internal');
		expect(await (await left({ assignment: { continueFrom: TOKENS } })).refusal()).toBe('found');
	});

	it('that itself began after words of another job counts from there', async () => {
		const { found, refusal, papers } = await left({ assignment: { continueFrom: [1, 2] } });
		const { hired, pieces } = await found({ tokens: [1, 2, 5], text: 'one two five' }, { startedFrom: 2 });
		expect(pieces.map(({ position }) => position)).toEqual([2, 4, 5]);
		expect(hired.startedFrom).toBe(2);
		expect(hired.resumed).toMatchObject({ tokens: TOKENS, text: TEXT });
		expect(hired.resumed.transcript).toMatchObject({ start: 2, position: 8, sequence: 3 });
		expect(hired.resumed.transcript.chain).toEqual(chainAfter(papers, 3, 2));
		expect(hired.resumed.shown).toEqual({ tokens: [1, 2, ...TOKENS], text: TEXT });
		expect(await refusal({ tokens: [1, 2, 6], text: '' }, { startedFrom: 2 })).toBe('internal');
	});
});

describe('what the screen kept', () => {
	it('may be less than the record, or as much, and must be the same words', async () => {
		const { found, refusal } = await left();
		for (const length of [0, 1, 5, 6]) {
			const { hired } = await found({ tokens: TOKENS.slice(0, length), text: 'whatever' });
			expect(hired.resumed.shown).toEqual({ tokens: TOKENS, text: TEXT });
		}
		const { hired } = await found({ tokens: TOKENS, text: `${TEXT} and more` });
		expect(hired.resumed.shown).toEqual({ tokens: TOKENS, text: TEXT });
		expect(await refusal({ tokens: [5, 7], text: '' })).toBe('internal');
		expect(await refusal({ tokens: [...TOKENS.slice(0, 5), 11], text: '' })).toBe('internal');
		expect(await refusal({ tokens: [...TOKENS.slice(0, 5), 11, 12], text: '' })).toBe('internal');
	});

	it('may be more: what is beyond the record is shown too', async () => {
		const { found } = await left();
		const { hired } = await found({ tokens: [...TOKENS, 11], text: `${TEXT} eleven` });
		expect(hired.resumed.shown).toEqual({ tokens: [...TOKENS, 11], text: `${TEXT} eleven` });
		expect([hired.resumed.tokens, hired.resumed.text]).toEqual([TOKENS, TEXT]);
		const twice = await found({ tokens: [...TOKENS, ...TOKENS], text: TEXT + TEXT });
		expect(twice.hired.resumed.shown.text).toBe(TEXT + TEXT);
		const second = await left({ assignment: { continueFrom: [5, 6, 7], epoch: 2 } });
		const more = await second.found({ tokens: [...TOKENS, 11], text: `${TEXT} eleven` });
		expect(more.hired.resumed.shown).toEqual({ tokens: [...TOKENS, 11], text: 'eight and so on eleven' });
	});

	it('and stood behind earlier words: what comes after the last of the record is new', async () => {
		const { found } = await left({ assignment: { continueFrom: [1] } });
		const shown = { tokens: [1, ...TOKENS, 11], text: `${TEXT}, ${TEXT} eleven` };
		expect((await found(shown, { startedFrom: 1 })).hired.resumed.shown).toEqual({
			...{ tokens: shown.tokens, text: `${TEXT} eleven` }
		});
		const other = { tokens: shown.tokens, text: `${'x'.repeat(TEXT.length)} eleven` };
		expect((await found(other, { startedFrom: 1 })).hired.resumed.shown.text).toBe(`${TEXT} eleven`);
	});
});

describe('checkpoints', () => {
	it('that agree with the frames say how far it was checked, the newest with its acknowledgement', async () => {
		const { found, papers, store } = await left();
		const [first, second] = [
			await papers.checkpoint(2, { chain: chainAfter(papers, 1) }),
			await papers.checkpoint(3, { chain: chainAfter(papers, 2) })
		];
		const word = (await papers.acknowledgement(second)).bytes;
		const keep = async (of: typeof first, counterpart?: Uint8Array, change: Partial<ReceiptRecord> = {}) =>
			store.receipts.put({
				...{ cid: of.cid.toString(), kind: 'checkpoint', role: 'originator', job: papers.job.hex, createdAt: 0 },
				...{ document: of.bytes, counterpart, terms: undefined },
				...change
			});
		await keep(second, word);
		await keep(first);
		const { hired, acknowledgement } = await found();
		expect(hired.resumed.transcript).toMatchObject({ checked: 3, lastCheckpoint: second.cid, position: 6 });
		expect(acknowledgement).toEqual(word);
		const strangers = [
			await papers.checkpoint(6, { chain: chainAfter(papers, 2) }),
			await papers.checkpoint(5, { chain: chainAfter(papers, 3) }),
			await papers.checkpoint(6, { chain: chainAfter(papers, 3), epoch: 2 })
		];
		for (const each of strangers) await keep(each);
		const last = await papers.checkpoint(6, { chain: chainAfter(papers, 3) });
		for (const other of [{ role: 'executor' }, { job: 'other' }] as const) {
			await keep(last, undefined, other);
			expect((await found()).hired.resumed.transcript.checked).toBe(3);
		}
		const newer = await papers.checkpoint(3, { chain: chainAfter(papers, 2), issuedAt: 1_800_000_000_001 });
		await keep(newer);
		expect((await found()).hired.resumed.transcript).toMatchObject({ checked: 3, lastCheckpoint: newer.cid });
		await keep(last);
		expect((await found()).hired.resumed.transcript).toMatchObject({ checked: 6, lastCheckpoint: last.cid });
	});

	it('are not to be mixed up with sealed receipts', async () => {
		const { found, papers, store } = await left();
		const receipt = await papers.receipt();
		await store.receipts.put({
			...{ cid: receipt.cid.toString(), kind: 'sealed', role: 'originator', job: papers.job.hex, createdAt: 0 },
			...{ document: receipt.bytes, counterpart: undefined, terms: undefined }
		});
		expect((await found()).hired.resumed.transcript.checked).toBe(0);
	});

	it('of the place where an executor began say nothing new', async () => {
		const { found, papers, store } = await left({ assignment: { continueFrom: [5, 6, 7] } });
		const made = await papers.checkpoint(3, { chain: chainAfter(papers, 0) });
		await store.receipts.put({
			...{ cid: made.cid.toString(), kind: 'checkpoint', role: 'originator', job: papers.job.hex, createdAt: 0 },
			...{ document: made.bytes, counterpart: undefined, terms: undefined }
		});
		expect((await found()).hired.resumed.transcript).toMatchObject({ checked: 3, lastCheckpoint: undefined });
	});
});

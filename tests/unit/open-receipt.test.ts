/** A kept receipt opened for reading: what it says, whose signatures stand under it, and which of them hold. */
import { describe, expect, it } from 'vitest';
import { openReceipt } from '#lib/node/open-receipt.ts';
import type { ReceiptRecord } from '#lib/ports/store.ts';
import { CERTIFICATE_LIFE_MS } from '#lib/protocol/certificate.ts';
import { formatDid } from '#lib/protocol/did.ts';
import { cidOf, toHex } from '#lib/protocol/encode.ts';
import { seal, type Signed } from '#lib/protocol/envelope.ts';
import { codeOf } from '#lib/protocol/errors.ts';
import { executionReceipt, receiptCountersignature, type ExecutionReceipt } from '#lib/protocol/receipt.ts';
import { Papers } from '../doubles/papers.ts';

/** As it stands in the table. */
const record = (
	{ job }: Papers,
	document: Signed<unknown>,
	counterpart?: Signed<unknown>,
	more: Partial<ReceiptRecord> = {}
): ReceiptRecord => ({
	...{ cid: document.cid.toString(), kind: 'sealed', role: 'originator', job: job.hex, createdAt: 0, terms: undefined },
	...{ document: document.bytes, counterpart: counterpart?.bytes },
	...more
});

const opened = (papers: Papers, kept: ReceiptRecord, now = papers.clock.now() + 10_000) =>
	openReceipt(kept, papers.seals, now);
const valid = async (papers: Papers, kept: ReceiptRecord, now?: number) =>
	(await opened(papers, kept, now)).signatures.map((each) => each.valid);

describe('a sealed receipt', () => {
	it('says all it holds, both signatures checked', async () => {
		const papers = await Papers.of();
		const before = cidOf(Uint8Array.of(7));
		const receipt = await papers.receipt({
			predecessors: [before],
			startPosition: 3,
			status: 'partial',
			code: 'aborted'
		});
		const { executor, key, job } = papers;
		const { body, cid, bytes: document } = receipt;
		const found = await opened(papers, record(papers, receipt, await papers.countersigned(receipt)));
		const { fields, ...rest } = found;
		expect(rest).toStrictEqual({
			...{ cid: cid.toString(), cidMatches: true, kind: 'sealed', role: 'originator', job: job.hex, document },
			...{ epoch: 1, status: 'partial', executor: executor.peer, executorAccount: executor.account },
			...{ model: 'pocket-5m-q4', modelName: 'Pocket', engineClass: 'ort-wasm-1t' },
			...{ weightsHash: toHex(body.model.weightsHash), promptTokens: 12, answerTokens: 100, startPosition: 3 },
			...{ startedAt: body.startedAt, endedAt: body.endedAt, price: 11_200, pricePer1k: 100_000 },
			predecessors: [before.toString()],
			signatures: [
				{ who: 'executor', key: formatDid(executor.node.publicKey), valid: true, present: true },
				{ who: 'originator', key: formatDid(key.publicKey), valid: true, present: true }
			]
		});
		expect(fields).toMatchObject({
			...{ job: job.hex, status: 'partial', sameAccount: false, price: 11_200, assignment: body.assignment.toString() },
			...{ 'model.id': 'pocket-5m-q4', 'model.weightsHash': rest.weightsHash, 'sampling.topK': 20, code: 'aborted' },
			'predecessors.0': before.toString()
		});
		expect(Object.values(fields).every((value) => typeof value !== 'object')).toBe(true);
		expect(Object.keys(fields)).not.toContain('extensions');
	});

	it('shows what a later version added as bytes', async () => {
		const papers = await Papers.of();
		const { fields } = await opened(
			papers,
			record(papers, await papers.receipt({ extensions: { x: Uint8Array.of(255) } }))
		);
		expect(fields['extensions.x']).toBe('ff');
	});

	it('without its countersignature shows an empty place', async () => {
		const papers = await Papers.of();
		const { signatures } = await opened(papers, record(papers, await papers.receipt()));
		expect(signatures[1]).toStrictEqual({ who: 'originator', key: '', valid: false, present: false });
		expect(signatures[0]).toMatchObject({ valid: true });
	});

	it('of which other bytes were countersigned is not countersigned', async () => {
		const papers = await Papers.of();
		const other = await papers.countersigned(await papers.receipt({ answerTokens: 99 }));
		expect(await valid(papers, record(papers, await papers.receipt(), other))).toEqual([true, false]);
	});

	it('countersigned by somebody else is not countersigned, whoever that is said to be', async () => {
		const papers = await Papers.of();
		const receipt = await papers.receipt();
		const stranger = papers.seals.signer(new Uint8Array(32).fill(99));
		const found = await opened(papers, record(papers, receipt, await papers.countersigned(receipt, stranger)));
		expect(found.signatures[1]).toEqual({
			...{ who: 'originator', key: formatDid(papers.key.publicKey), valid: false, present: true }
		});
		const forger = { publicKey: papers.key.publicKey, sign: stranger.sign };
		// The right signature, said to be another's.
		const lender = { publicKey: stranger.publicKey, sign: papers.key.sign };
		for (const by of [forger, lender])
			expect(await valid(papers, record(papers, receipt, await papers.countersigned(receipt, by)))).toEqual([
				true,
				false
			]);
	});

	it('that the executor did not sign, or another did in its name, does not hold', async () => {
		const papers = await Papers.of();
		const { executor, asker } = papers;
		const { body } = await papers.receipt();
		const sealedBy = async (by: typeof executor.node, change: Partial<ExecutionReceipt> = {}, certified = executor) =>
			record(papers, await seal(executionReceipt, { ...body, ...change }, by, certified.certificate));
		expect(await valid(papers, await sealedBy(executor.node))).toEqual([true, false]);
		expect(await valid(papers, await sealedBy(asker.node, {}, asker))).toEqual([false, false]);
		const forger = { publicKey: executor.node.publicKey, sign: asker.node.sign };
		expect(await valid(papers, await sealedBy(forger))).toEqual([false, false]);
		expect(await valid(papers, await sealedBy(executor.node, {}, asker))).toEqual([false, false]);
	});

	it('without a certificate does not hold', async () => {
		const papers = await Papers.of();
		const { body } = await papers.receipt();
		const receipt = await seal(executionReceipt, body, papers.executor.node);
		expect(await valid(papers, record(papers, receipt))).toEqual([false, false]);
	});

	it('holds after its certificate ran out, unless it was signed later, and not before the certificate was made', async () => {
		const papers = await Papers.of();
		const made = papers.clock.now();
		const out = made + CERTIFICATE_LIFE_MS;
		const at = async (endedAt: number, now: number) =>
			(await valid(papers, record(papers, await papers.receipt({ startedAt: made, endedAt })), now))[0];
		expect(await at(out - 1, out + 1_000)).toBe(true);
		expect(await at(out, out + 1_000)).toBe(false);
		expect(await at(out, out - 1)).toBe(true);
		expect(await at(made, made - 1_000_000)).toBe(false);
	});

	it('kept under another name shows that it does not match', async () => {
		const papers = await Papers.of();
		const kept = record(papers, await papers.receipt(), undefined, { cid: 'another' });
		expect(await opened(papers, kept)).toMatchObject({ cid: 'another', cidMatches: false });
	});

	it('of which only another kind of document is left is refused', async () => {
		const papers = await Papers.of();
		const checkpoint = await papers.checkpoint(32);
		expect(await opened(papers, record(papers, checkpoint)).catch(codeOf)).toBe('unknown-type');
		const receipt = await papers.receipt();
		const kept = record(papers, receipt, checkpoint);
		expect(await opened(papers, kept).catch(codeOf)).toBe('unknown-type');
		const partial = { kind: 'checkpoint' } as const;
		expect(await opened(papers, record(papers, receipt, undefined, partial)).catch(codeOf)).toBe('unknown-type');
		const twice = await seal(receiptCountersignature, receipt.body, papers.executor.node);
		expect(await opened(papers, record(papers, twice)).catch(codeOf)).toBe('unknown-type');
	});
});

describe('a checkpoint', () => {
	const partial = ({ bid }: Papers, more: Partial<ReceiptRecord> = {}) =>
		({ kind: 'checkpoint', role: 'executor', terms: bid.bytes, ...more }) as const;

	it('with its acknowledgement and the terms says what is claimable', async () => {
		const papers = await Papers.of();
		const { executor, key, job, bid } = papers;
		const made = await papers.checkpoint(64, { issuedAt: 1_800_000_000_500 });
		const word = await papers.acknowledgement(made);
		const { fields, ...rest } = await opened(
			papers,
			record(papers, made, word, partial(papers, { startPosition: 10 }))
		);
		expect(rest).toStrictEqual({
			...{ cid: made.cid.toString(), cidMatches: true, kind: 'checkpoint', role: 'executor', job: job.hex },
			...{ document: made.bytes, epoch: 1, status: 'partial', executor: executor.peer, executorAccount: undefined },
			...{ model: 'pocket-5m-q4', modelName: 'Pocket', engineClass: 'ort-wasm-1t' },
			...{ weightsHash: toHex(bid.body.model.weightsHash), promptTokens: undefined, answerTokens: 54 },
			...{ startPosition: 10, startedAt: undefined, endedAt: 1_800_000_000_500, price: undefined },
			...{ pricePer1k: 100_000, predecessors: [] },
			signatures: [
				{ who: 'executor', key: formatDid(executor.node.publicKey), valid: true, present: true },
				{ who: 'originator', key: formatDid(key.publicKey), valid: true, present: true }
			]
		});
		expect(fields).toMatchObject({ tokens: 64, job: job.hex, assignment: made.body.assignment.toString() });
	});

	it('alone says what it can', async () => {
		const papers = await Papers.of();
		const found = await opened(papers, record(papers, await papers.checkpoint(64), undefined, { kind: 'checkpoint' }));
		expect(found).toMatchObject({ executor: papers.executor.peer, answerTokens: 64, startPosition: 0 });
		expect([found.model, found.modelName, found.engineClass, found.weightsHash, found.pricePer1k]).toEqual(
			Array(5).fill(undefined)
		);
		expect(found.signatures).toEqual([
			{ who: 'executor', key: formatDid(papers.executor.node.publicKey), valid: true, present: true },
			{ who: 'originator', key: '', valid: false, present: false }
		]);
	});

	it('that somebody else signed than who bid does not hold', async () => {
		const papers = await Papers.of();
		const made = await papers.checkpoint(64, {}, papers.asker.node);
		const found = await opened(papers, record(papers, made, undefined, partial(papers)));
		expect([found.executor, found.signatures[0]?.valid]).toEqual([papers.executor.peer, false]);
	});

	it('is acknowledged by a word for this very checkpoint and as many tokens', async () => {
		const papers = await Papers.of();
		const made = await papers.checkpoint(64);
		const other = await papers.checkpoint(64, { issuedAt: 1_800_000_000_001 });
		const with_ = async (word: Signed<unknown>) =>
			(await valid(papers, record(papers, made, word, partial(papers))))[1];
		expect(await with_(await papers.acknowledgement(made))).toBe(true);
		expect(await with_(await papers.acknowledgement(made, { tokens: 63 }))).toBe(false);
		expect(await with_(await papers.acknowledgement(other))).toBe(false);
		const forger = { publicKey: papers.key.publicKey, sign: papers.asker.node.sign };
		expect(await with_(await papers.acknowledgement(made, {}, forger))).toBe(false);
	});
});

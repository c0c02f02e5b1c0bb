/** What an executor sends, keeps and tells of a job that goes well: frames, checkpoints, a receipt. */
import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import type { GenerateRequest } from '#lib/ports/engine.ts';
import { toHex } from '#lib/protocol/encode.ts';
import { read } from '#lib/protocol/envelope.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import { logitsLeaf, merkleRoot } from '#lib/protocol/logits.ts';
import { receiptAvailable } from '#lib/protocol/receipt.ts';
import { jobStatus } from '#lib/protocol/status.ts';
import { chainOver, politeDelivery as polite } from '../doubles/delivery.ts';
import { ScriptedEngine } from '../doubles/engine.ts';

/** Of prompt and answer. */
const PRICE = (tokens: number) => 100 * tokens;
const PROMPT = 7;

describe('a job that goes well', () => {
	it('is accepted with the nonce of the bid, told in frames, checked, and sealed, in this order', async () => {
		const set = await polite();
		const { job, nonce, wire, clock, terms } = set;
		expect(await set.end()).toBe(true);
		const words = (count: number) => Array.from({ length: count }, () => 'Frame');
		expect(wire.types).toEqual([
			...['JobStatusUpdate', ...words(32), 'Checkpoint', ...words(8)],
			...['ExecutionReceiptAvailable', 'ExecutionReceipt']
		]);
		const accepted = read(jobStatus, wire.sent[0] as Uint8Array);
		expect(accepted.signer).toEqual(set.identity.node.publicKey);
		const at = { issuedAt: clock.epoch, extensions: {} };
		expect(accepted.body).toEqual({ job, epoch: 1, state: 'accepted', executorNonce: nonce, ...at });
		expect(set.frames().map(({ sequence, position }) => [sequence, position])).toEqual(
			Array.from({ length: 40 }, (_, i) => [i, i])
		);
		expect(set.frames().every(({ tokens, text }) => text === `w${tokens[0]} ` && tokens.length === 1)).toBe(true);
		const sealed = set.receipt();
		expect(sealed.body.chain).toEqual(chainOver(terms, set.frames()));
		expect(sealed.body).toMatchObject({
			status: 'success',
			answerTokens: 40,
			startPosition: 0,
			price: PRICE(40 + PROMPT)
		});
		expect([sealed.body.startedAt, sealed.body.endedAt]).toEqual([clock.epoch, clock.epoch + 800]);
		const available = read(receiptAvailable, wire.sent.at(-2) as Uint8Array);
		expect(available.signer).toEqual(set.identity.node.publicKey);
		expect(available.body).toEqual({
			...{ job, epoch: 1, receipt: sealed.cid, issuedAt: clock.epoch + 800, extensions: {} }
		});
		expect(wire.state).toBe('closed');
		expect(set.engine.state).toBe('ready');
		expect(getEventListeners(set.stopping.signal, 'abort')).toHaveLength(0);
	});

	it('is told to the person and kept in the tables, with what it brought', async () => {
		const set = await polite();
		const { job, clock, store } = set;
		await set.end();
		const cid = set.receipt().cid.toString();
		const hex = toHex(job);
		const ending = { status: 'success', tokens: 40, price: PRICE(47), receipt: cid, code: undefined };
		expect(set.told).toEqual([
			{ type: 'started', job: hex, sameAccount: false },
			{ type: 'progress', job: hex, tokens: 32 },
			{ type: 'ended', job: hex, ...ending }
		]);
		expect(await set.row()).toEqual({
			...{ id: `${hex}:1`, createdAt: clock.epoch, endedAt: clock.epoch + 800, model: 'scripted', state: 'success' },
			...{ tokens: 40, price: PRICE(47), sameAccount: false, receipt: cid, code: undefined }
		});
		// The checkpoint that stood until then is superfluous.
		expect(await set.rows()).toEqual([['sealed', true]]);
		expect(await store.receipts.get(cid)).toMatchObject({ role: 'executor', document: set.receipt().bytes });
		expect(set.log).toEqual([]);
	});

	it('stands in the tables as running meanwhile, without an end', async () => {
		const set = await polite();
		const done = set.run();
		await set.clock.pass(300);
		expect(await set.row()).toEqual({
			...{ id: `${toHex(set.job)}:1`, createdAt: set.clock.epoch, endedAt: undefined, model: 'scripted' },
			...{ state: 'running', tokens: 0, price: 0, sameAccount: false, receipt: undefined, code: undefined }
		});
		await set.clock.until(done);
	});

	it('has a checkpoint every 32 tokens, each over its own interval and naming the one before', async () => {
		const set = await polite({}, (stage) => stage.agreed(70));
		const leaves: Uint8Array[] = [];
		const again = new ScriptedEngine({ clock: set.clock });
		const all = async () => {
			await again.load(() => undefined, new AbortController().signal);
			const { assignment, seed } = set.terms;
			const steps = again.generate({ ...assignment.body, seed }, new AbortController().signal);
			for await (const step of steps) leaves.push(logitsLeaf(step));
		};
		await set.end();
		const [first, second] = set.checkpoints();
		await set.clock.until(all());
		const { job, terms, clock } = set;
		const common = { job, epoch: 1, assignment: terms.assignment.cid, extensions: {} };
		expect(first?.body).toEqual({
			...{ ...common, tokens: 32, chain: chainOver(terms, set.frames().slice(0, 32)), issuedAt: clock.epoch + 640 },
			logitsRoot: merkleRoot(leaves.slice(0, 32))
		});
		expect(second?.body).toEqual({
			...{ ...common, tokens: 64, chain: chainOver(terms, set.frames().slice(0, 64)), issuedAt: clock.epoch + 1280 },
			...{ logitsRoot: merkleRoot(leaves.slice(32, 64)), previous: first?.cid }
		});
		expect(set.checkpoints()).toHaveLength(2);
		expect(set.receipt().body.lastCheckpoint).toEqual(second?.cid);
	});

	it('goes on after words that exist already: positions count them, what is paid does not', async () => {
		const continueFrom = [5, 6, 7, 8, 9];
		const set = await polite({}, (stage) => stage.agreed(80, { continueFrom }));
		const partial: unknown[] = [];
		const done = set.run();
		await set.clock.pass(1_300);
		partial.push(...(await set.store.receipts.list()));
		await set.clock.until(done);
		expect(partial).toMatchObject([
			{ kind: 'checkpoint', startPosition: 5, counterpart: expect.any(Uint8Array) as unknown }
		]);
		expect([set.frames()[0]?.sequence, set.frames()[0]?.position, set.frames().length]).toEqual([0, 5, 75]);
		expect(set.checkpoints().map(({ body }) => body.tokens)).toEqual([37, 69]);
		expect(set.receipt().body).toMatchObject({ startPosition: 5, answerTokens: 75 });
		expect(set.told.at(-1)).toMatchObject({ type: 'ended', tokens: 75 });
	});

	it.each([
		[false, {}],
		[true, { cacheScope: 'account' }]
	])(
		'asks the engine for exactly what was assigned; its own account’s (%s) shares a cache',
		async (sameAccount, scope) => {
			const asked: GenerateRequest[] = [];
			const set = await polite({ engine: { ran: (request) => asked.push(request) } }, (stage) =>
				stage.agreed(40, {}, { sameAccount, pricePer1k: 0 })
			);
			await set.end();
			const { turns, continueFrom, sampling, minTokens, maxTokens } = set.terms.assignment.body;
			expect(asked).toStrictEqual([
				{ turns, continueFrom, sampling, minTokens, maxTokens, seed: set.terms.seed, ...scope }
			]);
			expect(set.told[0]).toMatchObject({ sameAccount });
			expect(await set.row()).toMatchObject({ sameAccount });
		}
	);

	it('does not wait for a disk that keeps nothing', async () => {
		const set = await polite({
			dress: (ports) => ({
				...ports,
				store: {
					...ports.store,
					assigned: { ...ports.store.assigned, put: () => Promise.reject(new Refusal('storage-full')) }
				}
			})
		});
		expect(await set.end()).toBe(true);
		expect(set.log).toEqual([
			{ event: 'not-kept', facts: { code: 'storage-full' } },
			{ event: 'not-kept', facts: { code: 'storage-full' } }
		]);
	});
});

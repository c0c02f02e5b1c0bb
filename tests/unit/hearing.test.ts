/** One executor as its asker hears it: what is taken, what is refused, what is signed, kept and said in return. */
import { describe, expect, it } from 'vitest';
import { mostPromptTokens } from '#lib/node/announce.ts';
import { Hearing } from '#lib/node/hearing.ts';
import { jobCancel } from '#lib/protocol/assignment.ts';
import { acknowledgement } from '#lib/protocol/checkpoint.ts';
import { encodeCanonical } from '#lib/protocol/encode.ts';
import { read, seal } from '#lib/protocol/envelope.ts';
import { codeOf, Refusal } from '#lib/protocol/errors.ts';
import { chainStart } from '#lib/protocol/frame.ts';
import { CLOCK_SKEW_MS, MAX_CHANNEL_MESSAGE } from '#lib/protocol/limits.ts';
import { priceOf } from '#lib/protocol/policy.ts';
import { receiptCountersignature, type ExecutionReceipt } from '#lib/protocol/receipt.ts';
import { jobStatus } from '#lib/protocol/status.ts';
import { linkTo, Scene, textOf, tokens, type Begun, type PlayerOptions } from '../doubles/played.ts';

async function hears(begun: Begun = {}, options: PlayerOptions = {}) {
	const scene = await Scene.set('hearing');
	const player = await scene.player(options);
	const hired = await player.hire(begun);
	return { scene, player, hired, hearing: new Hearing(hired, scene.ports) };
}
/** What it was refused with. */
const code = (work: Promise<unknown>) => work.then(() => 'heard', codeOf);
const kept = async ({ ports }: Scene) =>
	(await ports.store.receipts.list()).map(({ kind, cid }) => `${kind} ${cid}`).sort();

describe('words', () => {
	it('are taken in order, and what was taken is counted, joined and told', async () => {
		const { hearing, player, hired } = await hears({ continueFrom: [8, 9] });
		expect([hearing.position, hearing.acknowledgedTokens, hearing.tokens, hearing.text]).toEqual([2, 0, [], '']);
		expect([hearing.acknowledged, hearing.cancelled, hearing.hired]).toEqual([undefined, false, hired]);
		expect(await hearing.hear(player.frame([1, 2]))).toEqual({
			type: 'frame',
			frame: {
				...{ type: 'Frame', version: 1, job: hired.job.id, epoch: 1, sequence: 0, position: 2 },
				...{ tokens: [1, 2], text: 'w1 w2 ' }
			}
		});
		await hearing.hear(player.frame([3]));
		expect([hearing.position, hearing.tokens, hearing.text]).toEqual([5, [1, 2, 3], 'w1 w2 w3 ']);
		expect(hearing.acknowledgedTokens).toBe(0);
	});

	it.each([
		['wrong-job', { job: new Uint8Array(16) }],
		['terms-differ', { epoch: 3 }],
		['old-epoch', { epoch: 1 }],
		['out-of-order', { sequence: 1 }],
		['out-of-order', { position: 1 }],
		['unknown-token', { tokens: tokens(0, 101), text: '' }]
	])('that do not follow are refused with %s, and the state before them stands', async (refusal, change) => {
		const { hearing, player } = await hears({ epoch: 2 });
		expect(await code(hearing.hear(player.frame([1], 'w1 ', change)))).toBe(refusal);
		expect([hearing.position, hearing.tokens, hearing.text]).toEqual([0, [], '']);
	});

	it('that came after another goes on are refused, and it is asked to seal what it delivered', async () => {
		const { hearing, player } = await hears();
		await hearing.hear(player.frame([1]));
		await hearing.cutOff();
		expect([player.channel.cancels, hearing.cancelled]).toEqual([['replaced'], true]);
		expect(await code(hearing.hear(player.frame([2])))).toBe('old-epoch');
		expect([hearing.tokens, hearing.text]).toEqual([[1], 'w1 ']);
	});
});

describe('what is no word of an answer', () => {
	it.each([
		['a status', undefined],
		['a map without a type', undefined],
		['a number', undefined],
		['nothing', undefined],
		['no DAG-CBOR', 'malformed'],
		['a flood', 'oversized']
	])('%s: %s', async (what, want) => {
		const { hearing, scene, player } = await hears();
		const status = { job: scene.job.id, epoch: 1, state: 'queued' as const, issuedAt: 1, extensions: {} };
		const said: Record<string, Uint8Array> = {
			'a status': (await seal(jobStatus, status, player.identity.node)).bytes,
			'a map without a type': encodeCanonical({ word: 1 }),
			'a number': encodeCanonical(5),
			nothing: encodeCanonical(null),
			'no DAG-CBOR': Uint8Array.of(255),
			'a flood': new Uint8Array(MAX_CHANNEL_MESSAGE + 1)
		};
		const heard = hearing.hear(said[what] as Uint8Array).catch(codeOf);
		expect(await heard).toBe(want);
	});
});

describe('a checkpoint', () => {
	it('is verified, and once it is to be acknowledged kept with the acknowledgement and told', async () => {
		const { hearing, player, scene, hired } = await hears({ continueFrom: [8] });
		await hearing.hear(player.frame(tokens(0, 32)));
		const bytes = await player.checkpoint();
		const heard = await hearing.hear(bytes);
		expect(heard).toMatchObject({ type: 'checkpoint' });
		expect(String((heard as { cid: unknown }).cid)).toBe(player.checked);
		// Agreed on, but not kept yet.
		expect([hearing.acknowledgedTokens, hearing.acknowledged, player.channel.told]).toEqual([32, undefined, []]);
		expect(await kept(scene)).toEqual([]);
		await hearing.acknowledge();
		expect(hearing.acknowledged?.toString()).toBe(player.checked);
		const [said] = player.channel.sent;
		const signed = read(acknowledgement, said as Uint8Array);
		expect(signed.signer).toEqual(hired.job.key.publicKey);
		expect(signed.body).toMatchObject({ job: hired.job.id, epoch: 1, tokens: 33, issuedAt: scene.clock.now() });
		const [row] = await scene.ports.store.receipts.list();
		expect(row).toMatchObject({ kind: 'checkpoint', role: 'originator', cid: player.checked, startPosition: 1 });
		expect([row?.document, row?.counterpart, row?.terms]).toEqual([bytes, said, player.bid.signed.bytes]);
		await hearing.acknowledge();
		expect(player.channel.sent).toHaveLength(1);
	});

	it('takes the place of the one before it, until another goes on', async () => {
		const { hearing, player, scene } = await hears();
		const next = async (from: number) => {
			await hearing.hear(player.frame([from]));
			await hearing.hear(await player.checkpoint());
			await hearing.acknowledge();
			return `checkpoint ${player.checked}`;
		};
		await next(1);
		const second = await next(2);
		expect(await kept(scene)).toEqual([second]);
		await hearing.hear(player.frame([3]));
		await hearing.hear(await player.checkpoint());
		await hearing.cutOff();
		await hearing.acknowledge();
		expect(await kept(scene)).toEqual([second, `checkpoint ${player.checked}`].sort());
	});

	it('of somebody else, of another run or of other words is refused, and nothing is acknowledged', async () => {
		const { hearing, player, scene } = await hears();
		const other = await scene.player();
		await hearing.hear(player.frame([1]));
		expect(await code(hearing.hear(await player.checkpoint({}, other.identity.node)))).toBe('wrong-signer');
		expect(await code(hearing.hear(await player.checkpoint({ epoch: 2 })))).toBe('terms-differ');
		const bytes = await player.checkpoint();
		bytes[bytes.length - 1] = (bytes[bytes.length - 1] as number) ^ 1;
		expect(await code(hearing.hear(bytes))).toMatch('bad-signature');
		await hearing.acknowledge();
		expect([hearing.acknowledgedTokens, player.channel.told]).toEqual([0, []]);
	});

	it('is acknowledged though the channel takes nothing and the disk is full', async () => {
		const { hearing, player, scene } = await hears();
		await hearing.hear(player.frame([1]));
		await hearing.hear(await player.checkpoint());
		player.channel.abort();
		const { receipts } = scene.ports.store;
		receipts.put = () => Promise.reject(new Refusal('storage-full'));
		await hearing.acknowledge();
		expect(hearing.acknowledged?.toString()).toBe(player.checked);
		expect(scene.logged('not-kept')).toEqual([{ code: 'storage-full' }]);
	});
});

describe('a stop', () => {
	it('is signed by the job with its reason and not waited for', async () => {
		const { hearing, player, scene, hired } = await hears({ epoch: 4 });
		player.channel.onSend = () => new Promise(() => undefined);
		await hearing.cancel('stopped');
		expect(hearing.cancelled).toBe(true);
		const signed = read(jobCancel, player.channel.sent[0] as Uint8Array);
		expect(signed.signer).toEqual(hired.job.key.publicKey);
		expect(signed.body).toStrictEqual({
			...{ job: hired.job.id, epoch: 4, reason: 'stopped' },
			...{ issuedAt: scene.clock.now(), extensions: {} }
		});
	});
	it('that cannot be said any more throws nothing', async () => {
		const { hearing, player } = await hears();
		player.channel.abort();
		await hearing.cancel('deadline');
		// What was said before it still counts.
		expect([hearing.cancelled, await code(hearing.hear(player.frame([1])))]).toEqual([true, 'heard']);
	});
});

describe('a receipt', () => {
	it('that says what was heard is kept with the other signature, then signed back, then the channel ends', async () => {
		const { hearing, player, scene, hired } = await hears({ continueFrom: [8], predecessors: [linkTo(3)] });
		await hearing.hear(player.frame([1]));
		await hearing.hear(await player.checkpoint());
		await hearing.acknowledge();
		await hearing.hear(player.frame([2]));
		let told: readonly string[] = ['nothing yet'];
		const { receipts } = scene.ports.store;
		const { put } = receipts;
		receipts.put = async (row) => {
			told = player.channel.told;
			return put.call(receipts, row);
		};
		const sealed = await player.sealed();
		const heard = await hearing.hear(sealed.bytes);
		expect(heard).toMatchObject({ type: 'receipt', receipt: { body: { status: 'success', answerTokens: 2 } } });
		expect(told).toEqual([acknowledgement.type]);
		const said = player.channel.sent.at(-1) as Uint8Array;
		expect(read(receiptCountersignature, said)).toMatchObject({ bodyBytes: sealed.bodyBytes });
		expect(read(receiptCountersignature, said).signer).toEqual(hired.job.key.publicKey);
		// In place of the checkpoint before it.
		expect(await kept(scene)).toEqual([`sealed ${sealed.cid.toString()}`]);
		const [row] = await scene.ports.store.receipts.list();
		expect(row).toMatchObject({ role: 'originator', document: sealed.bytes, counterpart: said });
		expect([player.channel.closed, player.channel.aborted]).toEqual([true, false]);
		// Its other side does not end it.
		await scene.clock.pass(30_000);
		expect(player.channel.aborted).toBe(true);
	});

	it('leaves the checkpoint of one that was replaced where the next assignment names it', async () => {
		const { hearing, player, scene } = await hears();
		await hearing.hear(player.frame([1]));
		await hearing.hear(await player.checkpoint());
		await hearing.acknowledge();
		await hearing.cutOff();
		const sealed = await player.sealed({ status: 'cancelled' });
		await hearing.hear(sealed.bytes);
		expect(await kept(scene)).toEqual([`checkpoint ${player.checked}`, `sealed ${sealed.cid.toString()}`]);
	});

	it('of an own device costs nothing, and is heard though the channel takes nothing any more', async () => {
		const { hearing, player } = await hears({}, { sameAccount: true });
		await hearing.hear(player.frame([1]));
		player.channel.aborted = true;
		const heard = await hearing.hear(await player.receipt());
		expect(heard).toMatchObject({ receipt: { body: { price: 0, pricePer1k: 0, sameAccount: true } } });
	});

	const most = mostPromptTokens({
		turns: [{ role: 'user', content: 'how does fireweed grow back' }],
		continueFrom: [8]
	});
	const priced = (promptTokens: number) => ({ promptTokens, price: priceOf(100_000, promptTokens + 1) });
	const NOW = 1_800_000_000_000;
	it.each<[string, string, Partial<ExecutionReceipt>]>([
		['as long as the prompt can be at most', 'heard', priced(most)],
		['longer than the prompt can be', 'terms-differ', priced(most + 1)],
		['of a stop that nobody asked for', 'terms-differ', { status: 'cancelled' }],
		['of more than was heard', 'terms-differ', { answerTokens: 2 }],
		['of another seed', 'terms-differ', { seed: new Uint8Array(32) }],
		['of another chain', 'terms-differ', { chain: new Uint8Array(32) }],
		['of other parts before it', 'terms-differ', { predecessors: [] }],
		['of a checkpoint that was never sent', 'terms-differ', { lastCheckpoint: linkTo(9) }],
		['begun before its assignment, by clocks that agree enough', 'heard', { startedAt: NOW - CLOCK_SKEW_MS }],
		['begun long before its assignment', 'terms-differ', { startedAt: NOW - CLOCK_SKEW_MS - 1 }],
		['that ends in the future', 'terms-differ', { endedAt: NOW + CLOCK_SKEW_MS + 1 }]
	])('%s: %s', async (_name, want, change) => {
		const { hearing, player, scene } = await hears({ continueFrom: [8], predecessors: [linkTo(3)] });
		await hearing.hear(player.frame([1]));
		expect(await code(hearing.hear(await player.receipt(change)))).toBe(want);
		expect(await kept(scene)).toHaveLength(want === 'heard' ? 1 : 0);
		expect(player.channel.told).toEqual(want === 'heard' ? [receiptCountersignature.type] : []);
		expect(player.channel.closed).toBe(want === 'heard');
	});

	it('of less than was asked for is no success; a stop that was asked for is heard', async () => {
		for (const [length, want] of [
			[4, 'terms-differ'],
			[5, 'heard']
		] as const) {
			const { hearing, player } = await hears({ minTokens: 5 });
			await hearing.hear(player.frame(tokens(0, length)));
			expect(await code(hearing.hear(await player.receipt()))).toBe(want);
		}
		const { hearing, player } = await hears({ minTokens: 5 });
		await hearing.cancel('stopped');
		expect(await code(hearing.hear(await player.receipt({ status: 'cancelled' })))).toBe('heard');
	});

	it('of somebody else, or that was changed on its way, is refused', async () => {
		const { hearing, player, scene } = await hears();
		const other = await scene.player();
		expect(await code(hearing.hear(await player.receipt({}, other.identity.node)))).toBe('wrong-signer');
		const bytes = await player.receipt();
		bytes.set([(bytes.at(-1) as number) ^ 1], bytes.length - 1);
		expect(await code(hearing.hear(bytes))).toBe('bad-signature');
	});
});

describe('one that another page had begun to hear', () => {
	it('goes on where that page was', async () => {
		const { scene, player, hired } = await hears();
		const [, second] = [player.frame([1, 2]), player.frame([3])];
		const transcript = {
			...{ job: hired.job.id, epoch: 1, assignment: hired.assignment.cid, start: 0, maxTokens: 100 },
			...{ sequence: 1, position: 2, checked: 1, lastCheckpoint: linkTo(4) },
			chain: chainStart(hired.assignment.bodyBytes)
		};
		const said = { tokens: [1, 2], text: textOf([1, 2]) };
		const after = new Hearing({ ...hired, resumed: { transcript, ...said, shown: said, attempt: 1 } }, scene.ports);
		expect([after.position, after.tokens, after.text, after.acknowledgedTokens]).toEqual([2, [1, 2], 'w1 w2 ', 1]);
		expect(after.acknowledged?.toString()).toBe(linkTo(4).toString());
		await after.hear(second);
		expect([after.position, after.tokens, after.text]).toEqual([3, [1, 2, 3], 'w1 w2 w3 ']);
	});
});

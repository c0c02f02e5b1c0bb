/** The asker as its executor hears it: what it may say, and when it is away, gone or has stopped the job. */
import { describe, expect, it } from 'vitest';
import type { JobMail } from '#lib/node/inbox.ts';
import { jobCancel } from '#lib/protocol/assignment.ts';
import { seal } from '#lib/protocol/envelope.ts';
import { jobStatus } from '#lib/protocol/status.ts';
import { attended } from '../doubles/attended.ts';

describe('what an asker says', () => {
	it('a cancel stops the work and is heard as one', async () => {
		const { asker, cancel, told, state } = await attended();
		await cancel();
		expect([asker.cancelled, asker.gone, told]).toEqual([true, undefined, { stops: 1, aways: 0 }]);
		expect(state.over()).toBe(false);
	});

	it('an acknowledgement confirms its checkpoint and those before it, and is kept as the claim', async () => {
		const { asker, sent, papers, say, confirmed } = await attended();
		const [, second] = [await sent(32), await sent(64), await sent(96)];
		const word = await papers.acknowledgement(second);
		await say(word.bytes);
		expect([...asker.waiting.values()].map(({ body }) => body.tokens)).toEqual([96]);
		expect([asker.claim?.checkpoint, asker.claim?.acknowledgement.bytes]).toEqual([second, word.bytes]);
		expect(confirmed).toEqual([64]);
	});

	it('an acknowledgement that is said again changes nothing and breaks nothing', async () => {
		const { asker, sent, acknowledge, confirmed } = await attended();
		const made = await sent(32);
		await acknowledge(made);
		const { claim } = asker;
		await acknowledge(made, { issuedAt: 1_900_000_000_000 });
		expect([asker.claim, asker.gone, confirmed]).toEqual([claim, undefined, [32]]);
	});

	it('one for other tokens, another chain or an unknown checkpoint ends it as gone', async () => {
		for (const change of [{ tokens: 31 }, { tokens: 33 }, { chain: new Uint8Array(32) }]) {
			const { asker, sent, acknowledge, told, state } = await attended();
			await acknowledge(await sent(32), change);
			expect([asker.gone, asker.claim, asker.waiting.size]).toEqual([{ code: 'terms-differ' }, undefined, 1]);
			expect([told.stops, state.over()]).toEqual([1, true]);
		}
		const { asker, papers, acknowledge } = await attended();
		await acknowledge(await papers.checkpoint(32));
		expect(asker.gone).toEqual({ code: 'terms-differ' });
	});

	it('the countersignature is kept', async () => {
		const { asker, papers, say } = await attended();
		const signed = await papers.countersigned(await papers.receipt());
		await say(signed.bytes);
		expect(asker.countersignature?.bytes).toEqual(signed.bytes);
		expect(asker.gone).toBeUndefined();
	});

	it('something of a kind that does not belong here is passed over', async () => {
		const { asker, papers, say, told, state } = await attended();
		const body = { job: papers.assignment.body.job, epoch: 1, state: 'failed' as const };
		await say((await seal(jobStatus, { ...body, issuedAt: 1_800_000_000_000, extensions: {} }, papers.key)).bytes);
		expect([asker.gone, asker.cancelled, asker.countersignature, told.stops]).toEqual([undefined, false, undefined, 0]);
		expect(state.over()).toBe(false);
	});

	it('bytes that are no message at all end it as gone', async () => {
		const { asker, say, state } = await attended();
		await say(Uint8Array.of(1, 2, 3));
		expect([asker.gone, state.over()]).toEqual([{ code: 'malformed' }, true]);
	});

	it.each([
		['another key', {}, 'wrong-signer'],
		['another job', { job: new Uint8Array(16) }, 'wrong-job'],
		['an epoch before', { epoch: 2 }, 'old-epoch']
	] as const)(
		'a cancel, an acknowledgement or a countersignature of %s ends it as gone',
		async (name, change, code) => {
			const key = (of: Awaited<ReturnType<typeof attended>>) =>
				name === 'another key' ? of.papers.seals.signer(new Uint8Array(32).fill(9)) : of.papers.key;
			const first = await attended();
			await first.cancel(change, key(first));
			expect([first.asker.gone, first.asker.cancelled]).toEqual([{ code }, false]);
			const second = await attended();
			await second.acknowledge(await second.sent(32), change, key(second));
			expect([second.asker.gone, second.asker.claim]).toEqual([{ code }, undefined]);
			const third = await attended();
			await third.say((await third.papers.countersigned(await third.papers.receipt(change), key(third))).bytes);
			expect([third.asker.gone, third.asker.countersignature]).toEqual([{ code }, undefined]);
		}
	);

	it('a forged signature ends it as gone', async () => {
		const { asker, papers, sent, say } = await attended();
		const forger = { publicKey: papers.key.publicKey, sign: async () => new Uint8Array(64) };
		await say((await papers.acknowledgement(await sent(32), {}, forger)).bytes);
		expect([asker.gone, asker.claim]).toEqual([{ code: 'bad-signature' }, undefined]);
	});
});

describe('an asker that ends its channel', () => {
	it('in good order is gone without a code', async () => {
		const { asker, end, told, state } = await attended();
		await end(undefined);
		expect([asker.gone, asker.away, told, state.over()]).toEqual([
			{ code: undefined },
			undefined,
			{ stops: 1, aways: 0 },
			true
		]);
	});

	it('over a standing connection is gone with its code', async () => {
		const { asker, end, told } = await attended();
		await end('channel-closed');
		expect([asker.gone, told.aways]).toEqual([{ code: 'channel-closed' }, 0]);
	});

	it('by losing its connection is away, not gone, and that is told once', async () => {
		const { asker, clock, end, told, state } = await attended();
		await clock.pass(70);
		await end('peer-lost');
		expect([asker.away, asker.gone, told, state.over()]).toEqual([70, undefined, { stops: 0, aways: 1 }, true]);
		await clock.pass(30);
		state.lost();
		expect([asker.away, told.aways]).toEqual([70, 1]);
	});

	it('is away as soon as a word does not go out', async () => {
		const { asker, clock, state, told } = await attended();
		await clock.pass(5);
		state.lost();
		expect([asker.away, told]).toEqual([5, { stops: 0, aways: 1 }]);
	});
});

describe('an asker that comes back', () => {
	it('is there again, heard on its new channel, and told when it is away once more', async () => {
		const { asker, end, comeBack, cancel, told, say, papers, clock } = await attended();
		await end('peer-lost');
		await clock.pass(9);
		const another = await comeBack();
		expect(asker.away).toBeUndefined();
		await cancel();
		expect(asker.cancelled).toBe(false);
		const body = { job: papers.assignment.body.job, epoch: 1, reason: 'stopped' as const, issuedAt: 1, extensions: {} };
		await say((await seal(jobCancel, body, papers.key)).bytes, another);
		expect(asker.cancelled).toBe(true);
		await end('peer-lost', another);
		expect([asker.away, told.aways]).toEqual([9, 2]);
	});

	it('is not heard on the channel before: neither its words, nor its end, nor what breaks a rule', async () => {
		const words: readonly JobMail[] = [
			{ type: 'ended', code: undefined },
			{ type: 'ended', code: 'peer-lost' },
			{ type: 'message', bytes: Uint8Array.of(1) }
		];
		for (const word of words) {
			const { asker, comeBack, inbox, clock, told, state } = await attended();
			await comeBack();
			inbox.put(word);
			await clock.pass(0);
			expect([asker.gone, asker.away, told]).toEqual([undefined, undefined, { stops: 0, aways: 0 }]);
			expect(state.over()).toBe(true);
		}
	});

	it('while its last word on the channel before is still looked at: what is wrong with that one does not count', async () => {
		const { asker, papers, comeBack, inbox, clock, sent, told } = await attended();
		const word = await papers.acknowledgement(await sent(32), { tokens: 31 });
		let look: () => void = () => undefined;
		const looked = new Promise<void>((resolve) => (look = resolve));
		papers.seals.verify = async () => {
			await looked;
			return true;
		};
		inbox.put({ type: 'message', bytes: word.bytes });
		await clock.pass(0);
		await comeBack();
		look();
		await clock.pass(0);
		expect([asker.gone, told.stops]).toEqual([undefined, 0]);
	});

	it('is attended for hours without a word, and a stop of this side is none of its words', async () => {
		const { asker, inbox, clock, cancel, state } = await attended();
		inbox.put({ type: 'stop' });
		await clock.pass(3 * 3_600_000);
		expect([asker.gone, state.over()]).toEqual([undefined, false]);
		await cancel();
		expect(asker.cancelled).toBe(true);
	});
});

/** What an executor keeps for askers that are away: how long, how much for one and for all, and who may come back to it. */
import { describe, expect, it } from 'vitest';
import { Inbox, type JobMail } from '#lib/node/inbox.ts';
import { KEPT_MS, KeptJobs, MAX_KEPT, MAX_KEPT_BYTES, MAX_KEPT_EACH } from '#lib/node/kept.ts';
import { cidOf } from '#lib/protocol/encode.ts';
import { read } from '#lib/protocol/envelope.ts';
import { codeOf } from '#lib/protocol/errors.ts';
import { jobStatus } from '#lib/protocol/status.ts';
import { Papers, channelTo } from '../doubles/papers.ts';
import { seat } from '../doubles/seats.ts';

const never = async () => new Promise<boolean>(() => undefined);

/** An executor that keeps jobs, its clock past its first second. */
async function stage() {
	const papers = await Papers.of();
	const kept = new KeptJobs({ ...papers.ports, identity: papers.executor });
	await papers.clock.pass(1_000);
	const { clock } = papers;
	/** A job that is over, its asker away. */
	const left = async (n: number, peer = 'peer', bytes = 0, settle = never) => {
		const made = await seat(papers, n, peer);
		kept.open(made);
		await made.leave();
		if (bytes > 0) await made.say(1, bytes);
		kept.keep(made, settle);
		return made;
	};
	const there = (...seats: Awaited<ReturnType<typeof seat>>[]) => seats.map(({ asker }) => asker.gone === undefined);
	return { papers, clock, kept, left, there };
}

/** The same with one running job, and requests to come back to it. */
async function running() {
	const { papers, kept, ...rest } = await stage();
	const mine = await seat(papers, 1, papers.asker.peer);
	kept.open(mine);
	const { job } = mine.terms.assignment.body;
	const { cid } = mine.terms.assignment;
	const request = (change: Parameters<Papers['request']>[0] = {}, by = papers.key) =>
		papers.request({ job, assignment: cid, chain: mine.chain, ...change }, by);
	const back = async (change: Parameters<Papers['request']>[0] = {}, by = papers.key, peer = papers.asker.peer) => {
		const channel = channelTo(peer);
		const inbox = new Inbox<JobMail>(papers.clock);
		const code = await kept.reattach(await request(change, by), channel, inbox).catch(codeOf);
		return { channel, inbox, code };
	};
	return { ...rest, ...{ papers, kept, mine, request, back, job } };
}

describe('who comes back', () => {
	it('is given the nonce again, what was said since its cursor, and is heard on its new channel', async () => {
		const { mine, back, job, papers, clock } = await running();
		await mine.say(1, 10);
		await mine.leave();
		const { channel, inbox, code } = await back({ attempt: 1 });
		expect(code).toBeUndefined();
		const status = read(jobStatus, channel.sent[0] as Uint8Array);
		expect(status.body).toEqual({
			...{ job, epoch: 1, state: 'accepted', executorNonce: papers.nonce, issuedAt: clock.now(), extensions: {} }
		});
		expect(status.signer).toEqual(papers.executor.node.publicKey);
		expect(channel.sent.slice(1)).toEqual([new Uint8Array(10)]);
		expect([mine.asker.away, mine.channel.state.aborted]).toEqual([undefined, 1]);
		inbox.put({ type: 'ended', code: undefined });
		await clock.pass(0);
		expect(mine.asker.gone).toEqual({ code: undefined });
	});

	it('is refused by one word when it has no business here: no such job, another epoch, another key', async () => {
		const { back, papers, mine } = await running();
		const stranger = papers.seals.signer(new Uint8Array(32).fill(99));
		for (const { code, channel } of [
			await back({ job: new Uint8Array(16) }),
			await back({ epoch: 2 }),
			await back({}, stranger)
		])
			expect([code, channel.sent]).toEqual(['expired', []]);
		expect(mine.channel.state.aborted).toBe(0);
	});

	it('is refused for another assignment, and over a channel of another node than it names', async () => {
		const { back, papers } = await running();
		expect((await back({ assignment: cidOf(Uint8Array.of(9)) })).code).toBe('terms-differ');
		expect((await back({ node: papers.executor.node.publicKey })).code).toBe('wrong-signer');
		expect((await back({}, papers.key, papers.executor.peer)).code).toBe('wrong-signer');
		expect((await back()).code).toBeUndefined();
	});

	it('needs a higher number each time, and one that was refused for its words has not used its own', async () => {
		const { back } = await running();
		expect((await back({ attempt: 2, chain: new Uint8Array(32) })).code).toBe('terms-differ');
		expect((await back({ attempt: 2 })).code).toBeUndefined();
		expect((await back({ attempt: 2 })).code).toBe('replayed');
		expect((await back({ attempt: 1 })).code).toBe('replayed');
		expect((await back({ attempt: 3 })).code).toBeUndefined();
	});

	it('twice at once: the higher number has it', async () => {
		const { kept, request, papers, mine } = await running();
		const [first, second] = [channelTo(papers.asker.peer), channelTo(papers.asker.peer)];
		const come = async (attempt: number, channel: typeof first) =>
			kept.reattach(await request({ attempt }), channel, new Inbox(papers.clock)).catch(codeOf);
		expect(await Promise.all([come(1, first), come(2, second)])).toEqual(['replayed', undefined]);
		expect([first.sent.length, second.sent.length]).toEqual([0, 1]);
		expect(mine.channel.state.aborted).toBe(1);
	});

	it('while the job ends: it is told that there is none', async () => {
		const { kept, request, papers, mine } = await running();
		const channel = channelTo(papers.asker.peer);
		const coming = kept.reattach(await request(), channel, new Inbox(papers.clock)).catch(codeOf);
		kept.close(mine);
		expect(await coming).toBe('expired');
		expect([channel.sent, mine.channel.state.aborted]).toEqual([[], 0]);
	});

	it('while the engine goes on: it has what is said meanwhile, once', async () => {
		const { kept, request, papers, mine } = await running();
		const channel = channelTo(papers.asker.peer);
		const coming = kept.reattach(await request(), channel, new Inbox(papers.clock));
		await mine.say(1, 7);
		await coming;
		expect(channel.sent.slice(1)).toEqual([new Uint8Array(7)]);
	});
});

describe('a job', () => {
	it('can be come back to while it runs and while it is kept, and not once it is closed', async () => {
		const { kept, mine, back } = await running();
		expect(kept.waiting).toBe(0);
		await mine.leave();
		kept.keep(mine, never);
		expect(kept.waiting).toBe(1);
		kept.close(mine);
		expect((await back({ attempt: 1 })).code).toBeUndefined();
		const other = await running();
		other.kept.close(other.mine);
		expect((await other.back({ attempt: 1 })).code).toBe('expired');
		other.kept.keep(other.mine, never);
		expect(other.kept.waiting).toBe(0);
	});

	it('closes with its own epoch alone', async () => {
		const { kept, papers, back, mine } = await running();
		kept.close(await seat(papers, 1, mine.peer, 2));
		expect((await back()).code).toBeUndefined();
	});

	it('that is kept ends ten minutes after its work', async () => {
		const { kept, clock, left } = await stage();
		const one = await left(1);
		await clock.pass(KEPT_MS - 1);
		expect([kept.waiting, one.asker.gone, one.channel.state.aborted]).toEqual([1, undefined, 0]);
		await clock.pass(1);
		expect([kept.waiting, one.asker.gone, one.told.stops]).toEqual([0, { code: 'expired' }, 1]);
		expect(one.channel.state.aborted).toBeGreaterThan(0);
	});

	it('has its ten minutes from the end of the work, whoever comes back meanwhile', async () => {
		const { kept, clock, left, papers } = await stage();
		let asked = 0;
		const one = await left(1, 'peer', 0, async () => {
			asked++;
			await clock.sleep(1_000);
			await one.leave();
			return false;
		});
		await clock.pass(KEPT_MS - 2_000);
		const inbox = new Inbox<JobMail>(papers.clock);
		void one.asker.attend(inbox);
		await clock.pass(500);
		inbox.put({ type: 'ended', code: 'peer-lost' });
		await clock.pass(500);
		expect([asked, kept.waiting]).toEqual([1, 1]);
		await clock.pass(999);
		expect(kept.waiting).toBe(1);
		await clock.pass(1);
		expect([kept.waiting, one.asker.gone]).toEqual([0, { code: 'expired' }]);
	});

	it('is over once its asker is back and has signed, and the channel that it signed on is left alone', async () => {
		const { kept, clock, left, papers } = await stage();
		const one = await left(1, 'peer', 0, async () => {
			one.asker.countersignature = await papers.countersigned(await papers.receipt());
			return true;
		});
		await clock.pass(10);
		expect(kept.waiting).toBe(1);
		void one.asker.attend(new Inbox(clock));
		await clock.pass(0);
		expect([kept.waiting, one.asker.gone, one.channel.state.aborted]).toEqual([0, undefined, 0]);
	});

	it('is over once all is done without a signature: its channel is broken', async () => {
		const { kept, clock, left } = await stage();
		const one = await left(1, 'peer', 0, async () => true);
		void one.asker.attend(new Inbox(clock));
		await clock.pass(0);
		expect([kept.waiting, one.asker.gone, one.channel.state.aborted]).toEqual([0, { code: 'expired' }, 1]);
	});

	it('whose asker is gone is not kept, and stays gone for its own reason', async () => {
		const { kept, clock, left } = await stage();
		const one = await left(1);
		one.asker.dismiss('wrong-job');
		await clock.pass(0);
		expect([kept.waiting, one.asker.gone, one.told.stops]).toEqual([0, { code: 'wrong-job' }, 1]);
		expect(one.channel.state.aborted).toBe(1);
	});

	it('that runs goes on when this node ends what it keeps', async () => {
		const { kept, there, papers, left, clock } = await stage();
		const runs = await seat(papers, 9, 'peer');
		kept.open(runs);
		const [one, two] = [await left(1), await left(2)];
		kept.clear();
		expect([kept.waiting, there(one, two, runs)]).toEqual([0, [false, false, true]]);
		await clock.pass(0);
		expect([runs.channel.state.aborted, one.told.stops]).toEqual([0, 1]);
	});
});

describe('room', () => {
	it('is for four of one peer, the newest, in whatever order they were begun', async () => {
		const { kept, there, papers, clock, left } = await stage();
		const [first, second] = [await seat(papers, 1, 'peer'), await seat(papers, 2, 'peer')];
		for (const each of [first, second]) {
			kept.open(each);
			await each.leave();
		}
		kept.keep(second, never);
		await clock.pass(1);
		kept.keep(first, never);
		await clock.pass(1);
		const other = await left(3, 'another');
		const rest = [await left(4)];
		while (rest.length + 2 < MAX_KEPT_EACH) rest.push(await left(4 + rest.length));
		expect(there(first, second, other, ...rest)).not.toContain(false);
		await clock.pass(1);
		rest.push(await left(20));
		expect(there(second, first, other, ...rest)).toEqual([false, true, true, ...rest.map(() => true)]);
		expect(kept.waiting).toBe(MAX_KEPT_EACH + 1);
	});

	it('goes first from those that were kept first, of several at once from the one begun first', async () => {
		const { there, left } = await stage();
		const all = [];
		for (let n = 1; n <= MAX_KEPT_EACH + 1; n++) all.push(await left(n));
		expect(there(...all)).toEqual([false, true, true, true, true]);
	});

	it('is for thirty-two in all: the oldest of whoever has most goes', async () => {
		const { kept, there, left, clock } = await stage();
		// Two or three of each, and four of the ninth, which are not the oldest.
		const all = [];
		for (let n = 0; n < MAX_KEPT; n++) {
			all.push(await left(n + 1, n >= 30 ? 'p8' : `p${n % 15}`));
			await clock.pass(1);
		}
		expect([kept.waiting, there(...all).includes(false)]).toEqual([MAX_KEPT, false]);
		await left(100, 'new');
		expect(kept.waiting).toBe(MAX_KEPT);
		expect(there(...all).flatMap((stands, n) => (stands ? [] : [n]))).toEqual([8]);
	});

	it('is for eight MiB in all, prompts included', async () => {
		const { kept, there, left } = await stage();
		const one = await left(1, 'a', 1);
		const { length } = one.terms.assignment.bytes;
		const two = await left(2, 'b', MAX_KEPT_BYTES - 2 * length - 1);
		expect(there(one, two)).toEqual([true, true]);
		const other = await stage();
		const three = await other.left(1, 'a', 1);
		const four = await other.left(2, 'b', MAX_KEPT_BYTES - 2 * length);
		expect(other.there(three, four)).toEqual([false, true]);
		expect([kept.waiting, other.kept.waiting]).toEqual([2, 1]);
	});

	it('is there for one alone, however long, and until the next comes', async () => {
		const { kept, there, left } = await stage();
		const long = await left(1, 'a', MAX_KEPT_BYTES + 1);
		expect(there(long)).toEqual([true]);
		const short = await left(2, 'b');
		expect([there(long, short), kept.waiting]).toEqual([[false, true], 1]);
	});

	it('is made until it is enough, each time by whoever has most then', async () => {
		const { there, left } = await stage();
		const third = MAX_KEPT_BYTES / 3;
		const all = [
			await left(1, 'a', third - 2_000),
			await left(2, 'a', third - 2_000),
			await left(3, 'b', third - 2_000)
		];
		expect(there(...all)).toEqual([true, true, true]);
		all.push(await left(4, 'b', MAX_KEPT_BYTES - third));
		expect(there(...all)).toEqual([false, true, false, true]);
	});
});

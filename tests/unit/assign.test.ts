/** A job is given to one bidder: what leaves, over which way, what makes the seed, how long is waited, and that a stop at any time ends it. */
import { getEventListeners } from 'node:events';
import { beforeEach, describe, expect, it } from 'vitest';
import type { AnnouncedJob } from '#lib/node/announce.ts';
import type { SignedBid } from '#lib/node/bidding.ts';
import { assign, QUICK, type Patience } from '#lib/node/assign.ts';
import { facts } from '#lib/node/hire.ts';
import type { Beginning, HiredJob } from '#lib/node/hired-job.ts';
import { Inbox, pour, type JobMail } from '#lib/node/inbox.ts';
import { assignJob } from '#lib/protocol/assignment.ts';
import { seedOf } from '#lib/protocol/bid.ts';
import { open, read } from '#lib/protocol/envelope.ts';
import { codeOf, retryMsOf } from '#lib/protocol/errors.ts';
import type { JobStatusUpdate } from '#lib/protocol/status.ts';
import { ORDINARY_WISH } from '../doubles/node.ts';
import { MODEL, OWN, square, Wire, type Lender, type Square } from '../doubles/square.ts';

let at: Square;
let job: AnnouncedJob;
let lender: Lender;
beforeEach(async () => {
	at = await square();
	job = await at.job();
	lender = await at.lender(1);
});
const FIRST: Beginning = {
	...{ epoch: 1, continueFrom: [], predecessors: [], parts: [], startedFrom: 0 },
	...{ seedFrom: undefined, deadlineAt: undefined }
};
const never = new AbortController().signal;
interface How {
	readonly beginning?: Partial<Beginning>;
	readonly heard?: SignedBid;
	readonly patience?: Patience;
	readonly signal?: AbortSignal;
	readonly queued?: (waitMs: number) => void;
}
/** What comes of it, and after how many ms. */
async function assigning({ beginning, heard, patience = QUICK, signal = never, queued }: How = {}) {
	const begun = at.clock.monotonic();
	const choice = { heard: heard ?? (await lender.heard(job)), reason: 'why not' };
	const begin = { ...FIRST, ...beginning };
	const work = assign(job, choice, begin, ORDINARY_WISH, at.ports, signal, patience, queued);
	const end = await at.clock.until(
		work.then(
			(hired) => ({ hired, code: undefined, retryMs: undefined }),
			(error: unknown) => ({ hired: undefined, code: codeOf(error), retryMs: retryMsOf(error) })
		)
	);
	return { ...end, ms: at.clock.monotonic() - begun };
}
type Word = readonly [ms: number, word: Partial<JobStatusUpdate>];
/** It says this once it is assigned, one word after the other, each so many ms after it. */
const saying =
	(...words: readonly Word[]) =>
	(wire: Wire) => {
		wire.far = (message) => {
			const begun = at.clock.monotonic();
			for (const [ms, word] of words)
				void lender.status(message, word).then(({ bytes }) => at.clock.at(begun + ms, () => wire.say(bytes)));
		};
	};
const comes = (...words: readonly Word[]) => void at.ways.to.set(lender.peer, saying(...words));
const bodyOf = (wire: Wire) => read(assignJob, wire.sent[0] as Uint8Array).body;

describe('an assignment', () => {
	it('holds the prompt and the terms that were bid, and opens a seed that both have made', async () => {
		const accepts = saying([30, {}]);
		at.ways.to.set(lender.peer, async (wire) => {
			accepts(wire);
			await at.clock.sleep(40);
		});
		const heard = await lender.heard(job);
		const { hired, ms } = await assigning({ heard });
		expect(ms).toBe(70);
		const wire = at.ways.wire(lender.peer);
		expect(at.ways.opened).toMatchObject([{ addresses: ['/memory/1'] }]);
		const signed = await open(assignJob, wire.sent[0] as Uint8Array, at.seals);
		const { originatorNonce, salt } = signed.body;
		const { turns, sampling } = ORDINARY_WISH;
		expect(signed.body).toStrictEqual({
			...{ job: job.id, epoch: 1, bid: heard.signed.cid, turns, continueFrom: [], sampling, minTokens: 100 },
			...{ maxTokens: 100, pricePer1k: 100_000, originatorNonce, salt, predecessors: [] },
			...{ issuedAt: at.clock.epoch + 40, extensions: {} }
		});
		expect([signed.signer, originatorNonce.length, salt.length]).toEqual([job.key.publicKey, 32, 32]);
		expect(salt).not.toEqual(originatorNonce);
		const seedFrom = { epoch: 1, originatorNonce, executorNonce: lender.nonce };
		expect(hired).toStrictEqual({
			...{ job, executor: heard, assignment: hired?.assignment, channel: wire, inbox: hired?.inbox, seedFrom },
			seed: seedOf(job.id, 1, originatorNonce, lender.nonce),
			...{ deadlineAt: 40 + job.policy.deadlineMs, startedFrom: 0, parts: [] }
		} as unknown as HiredJob);
		expect(hired?.assignment.bytes).toEqual(wire.sent[0]);
		wire.say(Uint8Array.of(5));
		await at.clock.pass(0);
		expect(hired?.inbox.poll()).toEqual({ type: 'message', bytes: Uint8Array.of(5) });
	});

	it('of a job that others began goes on from there, under their seed and in their time', async () => {
		comes([0, {}]);
		const parts: HiredJob['parts'] = [{ tokens: 7, pricePer1k: 5, promptTokens: 9 } as never];
		const predecessors = [job.announcement.cid];
		const seedFrom = { epoch: 2, originatorNonce: new Uint8Array(32), executorNonce: new Uint8Array(32).fill(1) };
		const beginning = { epoch: 3, continueFrom: [4, 5], predecessors, parts, startedFrom: 1, seedFrom };
		const { hired } = await assigning({ beginning: { ...beginning, deadlineAt: 90_000 } });
		expect(bodyOf(at.ways.wire(lender.peer))).toMatchObject({ epoch: 3, continueFrom: [4, 5], predecessors, seedFrom });
		expect(hired).toMatchObject({ deadlineAt: 90_000, startedFrom: 1, parts, seedFrom });
		expect(hired?.seed).toEqual(seedOf(job.id, 2, seedFrom.originatorNonce, seedFrom.executorNonce));
	});

	it('shows who asks to a node of the same account, and to no other', async () => {
		lender = await at.lender(2, OWN);
		comes([0, {}]);
		await assigning();
		expect(bodyOf(at.ways.wire(lender.peer)).kin).toEqual(at.ports.identity.certificate);
		lender = await at.lender(3);
		comes([0, {}]);
		await assigning();
		expect('kin' in bodyOf(at.ways.wire(lender.peer))).toBe(false);
	});
});

describe('the way of its bid', () => {
	/** A bid that came over a channel of its own. */
	async function held(): Promise<{ readonly wire: Wire; readonly inbox: Inbox<JobMail>; readonly heard: SignedBid }> {
		const wire = new Wire(lender.peer);
		const inbox = new Inbox<JobMail>(at.clock);
		void pour(wire, inbox);
		return { wire, inbox, heard: { ...(await lender.heard(job)), line: { channel: wire, inbox } } };
	}

	it('is gone on with', async () => {
		const { wire, inbox, heard } = await held();
		saying([10, {}])(wire);
		const { hired } = await assigning({ heard });
		expect([hired?.channel, hired?.inbox]).toEqual([wire, inbox]);
		expect([at.ways.opened.length, wire.sent.length, wire.aborted]).toEqual([0, 1, 0]);
		// One reader: each message comes once, in order.
		for (const byte of [1, 2, 3]) wire.say(Uint8Array.of(byte));
		wire.end();
		await at.clock.pass(0);
		const mail = [1, 2, 3, 4, 5].map(() => inbox.poll());
		const messages = [1, 2, 3].map((byte) => ({ type: 'message', bytes: Uint8Array.of(byte) }));
		expect(mail).toEqual([...messages, { type: 'ended', code: undefined }, undefined]);
	});

	it('is left when something came over it meanwhile, as its end, and another is opened', async () => {
		const { wire, heard } = await held();
		wire.end();
		await at.clock.pass(0);
		comes([10, {}]);
		const { hired } = await assigning({ heard });
		expect(hired?.channel).toBe(at.ways.wire(lender.peer));
		expect([wire.aborted, wire.sent.length]).toEqual([1, 0]);
	});
});

describe('it is waited for', () => {
	it('as long as a connection may take', async () => {
		at.ways.to.set(lender.peer, () => at.clock.sleep(800));
		expect(await assigning({ patience: { reachMs: 700, wordMs: 99 } })).toMatchObject({ code: 'unreachable', ms: 700 });
	});

	it('as long as an assignment may take to leave: twelve seconds', async () => {
		at.ways.to.set(lender.peer, (wire) => {
			wire.taking = () => new Promise(() => undefined);
		});
		expect(await assigning()).toMatchObject({ code: 'unreachable', ms: 12_000 });
		expect(at.ways.wire(lender.peer).aborted).toBeGreaterThan(0);
	});

	it('for a word, and the way is closed when none comes', async () => {
		expect(await assigning({ patience: { reachMs: 9, wordMs: 450 } })).toMatchObject({ code: 'stalled', ms: 450 });
		expect(at.ways.wire(lender.peer).aborted).toBe(1);
	});

	it('in its queue forty seconds, and eight when another was lost; it is told how long', async () => {
		for (const [deadlineAt, most] of [
			[undefined, 40_000],
			[600_000, 8_000]
		] as const) {
			lender = await at.lender(most / 1_000);
			const waits: number[] = [];
			const how = { beginning: { deadlineAt }, queued: (waitMs: number) => waits.push(waitMs) };
			comes([0, { state: 'queued', waitMs: most }], [100, {}]);
			expect((await assigning(how)).hired).toBeDefined();
			expect(waits).toEqual([most]);
			comes([0, { state: 'queued', waitMs: most + 1 }]);
			expect(await assigning(how)).toMatchObject({ code: 'busy', retryMs: most + 1 });
			expect(waits).toEqual([most]);
		}
	});
});

describe('a stop', () => {
	it('while it is reached keeps the prompt here', async () => {
		const stop = new AbortController();
		at.ways.to.set(lender.peer, () => at.clock.sleep(100));
		at.clock.at(50, () => stop.abort());
		expect(await assigning({ signal: stop.signal })).toMatchObject({ code: 'aborted', ms: 100 });
		const wire = at.ways.wire(lender.peer);
		expect([wire.sent, wire.aborted]).toEqual([[], 1]);
	});

	it('while a word is waited for ends the way', async () => {
		const stop = new AbortController();
		at.clock.at(50, () => stop.abort());
		expect(await assigning({ signal: stop.signal })).toMatchObject({ hired: undefined, ms: 50 });
		expect(at.ways.wire(lender.peer).aborted).toBeGreaterThan(0);
		expect(getEventListeners(stop.signal, 'abort')).toEqual([]);
	});

	it('after it has accepted is no longer its concern', async () => {
		const stop = new AbortController();
		comes([10, {}]);
		expect((await assigning({ signal: stop.signal })).hired).toBeDefined();
		stop.abort();
		expect(at.ways.wire(lender.peer).aborted).toBe(0);
	});
});

it('of a bidder a person is told who it is, and that one’s own costs nothing', async () => {
	const kin = await at.lender(2, OWN);
	const of = async (who: Lender) => facts(await who.heard(job, { region: 'Porto', pricePer1k: 70 }));
	const common = { region: 'Porto', model: MODEL.id, modelName: MODEL.name };
	const who = ({ peer, identity }: Lender) => ({ id: peer, account: identity.account });
	expect(await of(lender)).toStrictEqual({ ...who(lender), sameAccount: false, ...common, pricePer1k: 70 });
	expect(await of(kin)).toStrictEqual({ ...who(kin), sameAccount: true, ...common, pricePer1k: 0 });
});

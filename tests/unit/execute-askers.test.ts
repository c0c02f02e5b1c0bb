/** Whose channel it is, at an executor: devices of its own account, askers that come back, and those for whom there is no room. */
import { describe, expect, it } from 'vitest';
import { turnAway } from '#lib/node/execute.ts';
import { nodeCertificate, type NodeCertificate } from '#lib/protocol/certificate.ts';
import { read, seal } from '#lib/protocol/envelope.ts';
import { chainStart } from '#lib/protocol/frame.ts';
import { executionReceipt } from '#lib/protocol/receipt.ts';
import { jobStatus } from '#lib/protocol/status.ts';
import type { Signer } from '#lib/ports/keys.ts';
import { executorStage, Wire } from '../doubles/executor.ts';
import { served } from '../doubles/served.ts';

/** The secret that `executorStage` makes the executor's account of. */
const ACCOUNT = Uint8Array.from({ length: 32 }, (_, i) => 1 + i);

describe('a device of the same account', () => {
	/** A job whose asker shows this certificate. */
	async function shown(change: Partial<NodeCertificate> = {}, by?: Signer) {
		const set = await served();
		const account = set.seals.signer(ACCOUNT);
		const [now, node] = [set.clock.now(), set.asking.node.publicKey];
		const body = { account: account.publicKey, node, issuedAt: now, expiresAt: now + 1, extensions: {}, ...change };
		const { bytes } = await seal(nodeCertificate, body, by ?? account);
		set.confirm(set.wire);
		await set.say(await set.assign({ kin: bytes }));
		return set;
	}

	it('pays nothing, and shares what the engine remembers', async () => {
		const set = await shown();
		expect(set.told[0]).toMatchObject({ type: 'started', sameAccount: true });
		const { body } = read(executionReceipt, set.wire.sent.at(-1) as Uint8Array);
		expect([body.sameAccount, body.pricePer1k, body.price]).toEqual([true, 0, 0]);
		expect(set.asked[0]?.cacheScope).toBe('account');
	});

	it('is one that its account itself has certified, for the node of this very channel, until a date', async () => {
		const stage = await executorStage();
		const stranger = stage.stranger;
		const cases: readonly (readonly [Partial<NodeCertificate>, Signer?])[] = [
			// Signed by somebody else in the account's name.
			[{}, stranger],
			// A sound certificate of another account.
			[{ account: stranger.publicKey }, stranger],
			[{ account: stranger.publicKey }],
			[{ node: stage.identity.node.publicKey }],
			[{ expiresAt: stage.clock.now() }]
		];
		for (const [change, by] of cases) {
			const set = await shown(change, by);
			expect(set.told[0]).toMatchObject({ type: 'started', sameAccount: false });
			const { body } = read(executionReceipt, set.wire.sent.at(-1) as Uint8Array);
			expect([body.sameAccount, body.pricePer1k]).toEqual([false, 100_000]);
			expect(set.asked[0]).not.toHaveProperty('cacheScope');
		}
	});

	it('with something else than a certificate is refused', async () => {
		const set = await served();
		await set.say(await set.assign({ kin: Uint8Array.of(1) }));
		expect(set.word()).toEqual(['refused', 'malformed', undefined]);
	});
});

describe('one that comes back', () => {
	it('to nothing is told so, with its own job and epoch', async () => {
		const set = await served();
		const assignment = await set.assigned(set.open);
		const chain = chainStart(assignment.bodyBytes);
		await set.say((await set.comeBack(assignment, { tokens: 0, chain, epoch: 2 })).bytes);
		expect(read(jobStatus, set.wire.sent[0] as Uint8Array).body).toEqual({
			...{ job: set.job, epoch: 2, state: 'refused', code: 'expired', issuedAt: set.clock.now(), extensions: {} }
		});
		expect([set.outcome(), set.wire.state, set.takes]).toEqual([['expired'], 'aborted', []]);
	});

	it('with a forged signature is not answered', async () => {
		const set = await served();
		const { bytes } = await set.comeBack(await set.assigned(set.open), { tokens: 0, chain: new Uint8Array(32) });
		const forged = set.seals;
		forged.forget(set.key.publicKey);
		await set.say(bytes);
		expect([set.wire.sent, set.outcome()]).toEqual([[], ['bad-signature']]);
	});

	it('to its running job has it again over the new channel, which is left to the job', async () => {
		const set = await served();
		set.confirm(set.wire);
		const assignment = await set.assigned(set.open);
		set.wire.hear(assignment.bytes);
		const first = set.serve(set.wire);
		await set.clock.pass(300);
		const again = new Wire(set.asking.peer);
		set.confirm(again);
		again.hear((await set.comeBack(assignment, { tokens: 0, chain: chainStart(assignment.bodyBytes) })).bytes);
		await set.clock.until(set.serve(again));
		expect(again.state).toBe('open');
		expect(read(jobStatus, again.sent[0] as Uint8Array).body.state).toBe('accepted');
		await set.clock.until(first);
		expect(again.types.at(-1)).toBe('ExecutionReceipt');
		expect([set.wire.state, again.state, set.outcome().at(-1)]).toEqual(['aborted', 'closed', 'ended']);
	});

	it('after the end and signs then is remembered for it', async () => {
		const set = await served();
		let late = 0;
		const enter = set.desk.enter.bind(set.desk);
		set.desk.enter = (wanted) => ({ ...enter(wanted), signedLate: () => (late += 1) });
		set.confirm(set.wire, ['Checkpoint']);
		set.clock.at(900, () => set.wire.end('peer-lost'));
		const assignment = await set.assigned(set.open);
		await set.say(assignment.bytes);
		expect([set.kept.waiting, late]).toEqual([1, 0]);
		const { chain } = read(executionReceipt, set.wire.sent.at(-1) as Uint8Array).body;
		const again = new Wire(set.asking.peer);
		set.confirm(again);
		again.hear((await set.comeBack(assignment, { tokens: 40, chain, checked: 40 })).bytes);
		await set.clock.until(set.serve(again));
		await set.clock.pass(100);
		expect(again.types.at(-1)).toBe('ExecutionReceipt');
		expect([set.kept.waiting, again.state, late]).toEqual([0, 'closed', 1]);
	});
});

describe('one for whom there is no room', () => {
	async function turnedAway(...messages: readonly ('assignment' | 'wish' | Uint8Array)[]) {
		const set = await served();
		const wire = new Wire(set.asking.peer);
		for (const each of messages) {
			const bytes =
				each === 'assignment' ? await set.assign({ epoch: 4 }) : each === 'wish' ? (await set.announced()).bytes : each;
			wire.hear(bytes);
		}
		const stopping = new AbortController();
		const done = turnAway(wire, () => 1_500.5, set.ports, stopping.signal);
		return { ...set, turned: wire, stopping, done };
	}

	it('is told when to come back, for the job and the epoch it brought', async () => {
		const { turned, done, clock, job } = await turnedAway('assignment', 'assignment');
		await clock.until(done);
		expect(turned.sent.map((said) => read(jobStatus, said).body)).toEqual([
			{
				...{ job, epoch: 4, state: 'refused', code: 'busy', waitMs: 1_501 },
				...{ issuedAt: clock.now(), extensions: {} }
			}
		]);
		// Nothing more is read of it.
		expect([turned.state, turned.messages.taken]).toEqual(['aborted', 1]);
	});

	it.each([['wish'], [Uint8Array.of(1)]] as const)(
		'and who brings something else is closed without a word',
		async (what) => {
			const { turned, done, clock } = await turnedAway(what);
			await clock.until(done);
			expect([turned.state, turned.sent, clock.monotonic()]).toEqual(['aborted', [], 0]);
		}
	);

	it('and who ends the channel at once leaves nothing', async () => {
		const { turned, done, clock } = await turnedAway();
		turned.end();
		await clock.until(done);
		expect([turned.state, turned.sent, clock.monotonic(), clock.waiting]).toEqual(['aborted', [], 0, 0]);
	});

	it('and takes nothing is closed all the same', async () => {
		const set = await turnedAway('assignment');
		set.turned.send = () => new Promise(() => undefined);
		await set.clock.until(set.done);
		expect([set.turned.state, set.clock.monotonic()]).toEqual(['aborted', 10_000]);
	});

	it('and who brings nothing for ten seconds is closed, or when lending ends', async () => {
		const silent = await turnedAway();
		await silent.clock.pass(9_999);
		expect(silent.turned.state).toBe('open');
		await silent.clock.until(silent.done);
		expect([silent.turned.state, silent.clock.monotonic()]).toEqual(['aborted', 10_000]);
		const stopped = await turnedAway();
		stopped.stopping.abort();
		await stopped.clock.until(stopped.done);
		expect([stopped.turned.state, stopped.clock.monotonic()]).toEqual(['aborted', 0]);
	});
});

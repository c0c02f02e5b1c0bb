/** Between an assignment and the engine: what the asker is told and when, what ends the wait, and that nothing is left of it. */
import { getEventListeners } from 'node:events';
import { expect, it } from 'vitest';
import type { Place } from '#lib/node/desk.ts';
import { Inbox, pour, type JobMail } from '#lib/node/inbox.ts';
import { QUEUED_EVERY_MS, waitTurn } from '#lib/node/wait-turn.ts';
import type { Engine } from '#lib/ports/engine.ts';
import { read } from '#lib/protocol/envelope.ts';
import { codeOf, Refusal, retryMsOf } from '#lib/protocol/errors.ts';
import { jobStatus } from '#lib/protocol/status.ts';
import { executorStage, Wire } from '../doubles/executor.ts';

/** A job that waits, for an engine in a state that the test sets. */
async function waiting(engine: Engine['state'] = 'ready') {
	const state = { engine, waitMs: 12_345 };
	const looks: number[] = [];
	const stage = await executorStage({
		dress: (ports) => ({
			...ports,
			engine: {
				get state() {
					looks.push(ports.clock.monotonic());
					return state.engine;
				}
			} as Engine
		})
	});
	const { clock, asking, ports } = stage;
	const assignment = await stage.assigned(await stage.offered(await stage.announced()));
	const wire = new Wire(asking.peer);
	const inbox = new Inbox<JobMail>(clock);
	void pour(wire, inbox);
	const turn = Promise.withResolvers<void>();
	const place = { turn: turn.promise, waitMs: () => state.waitMs } as unknown as Place;
	const stopping = new AbortController();
	const run = () =>
		waitTurn(place, assignment, wire, inbox, ports, stopping.signal).then(
			() => ({
				at: clock.monotonic(),
				code: undefined as string | undefined,
				retryMs: undefined as number | undefined
			}),
			(error: unknown) => ({ at: clock.monotonic(), code: codeOf(error), retryMs: retryMsOf(error) })
		);
	const end = async () => {
		const result = await clock.until(run());
		expect(getEventListeners(stopping.signal, 'abort')).toHaveLength(0);
		return result;
	};
	const said = () => wire.sent.map((bytes) => read(jobStatus, bytes).body);
	return { ...stage, state, looks, assignment, wire, inbox, turn, stopping, run, end, said };
}
const code = (of: string, at: number, retryMs?: number) => ({ code: of, at, retryMs });
const got = (at: number) => ({ at, code: undefined, retryMs: undefined });

it('a free engine is given at once, without a word', async () => {
	const set = await waiting();
	set.turn.resolve();
	expect(await set.end()).toEqual(got(0));
	expect(set.wire.sent).toEqual([]);
});

it('who waits is told so at once and every three seconds, with how long it may be, signed', async () => {
	const set = await waiting();
	expect(QUEUED_EVERY_MS).toBe(3_000);
	set.clock.at(2_999, () => (set.state.waitMs = 4_000_000));
	set.clock.at(5_999, () => (set.state.waitMs = 0));
	set.clock.at(6_500, () => set.turn.resolve());
	expect(await set.end()).toEqual(got(6_500));
	const common = { job: set.job, epoch: 1, state: 'queued', extensions: {} };
	expect(set.said()).toEqual([
		{ ...common, waitMs: 12_345, issuedAt: set.clock.epoch },
		// An hour is the longest that the message can say.
		{ ...common, waitMs: 3_600_000, issuedAt: set.clock.epoch + 3_000 },
		{ ...common, waitMs: 0, issuedAt: set.clock.epoch + 6_000 }
	]);
	expect(read(jobStatus, set.wire.sent[0] as Uint8Array).signer).toEqual(set.identity.node.publicKey);
});

it('its turn waits for the person of this device, whose answer is looked for four times a second', async () => {
	const set = await waiting('busy');
	set.turn.resolve();
	set.clock.at(900, () => (set.state.engine = 'ready'));
	expect(await set.end()).toEqual(got(1_000));
	expect([...new Set(set.looks)]).toEqual([0, 250, 500, 750, 1_000]);
	expect(set.said()).toHaveLength(1);
});

it('before its turn the engine is not asked', async () => {
	const set = await waiting('idle');
	set.clock.at(500, () => set.turn.reject(new Refusal('busy', 'displaced', 7_000)));
	expect(await set.end()).toEqual(code('busy', 500, 7_000));
	expect(set.looks).toEqual([]);
});

it.each(['idle', 'loading', 'failed'] as const)(
	'an engine that is %s when the turn comes is not ready',
	async (state) => {
		const set = await waiting(state);
		set.turn.resolve();
		expect(await set.end()).toEqual(code('engine-not-ready', 0));
	}
);

it('a place that was refused before anything was said is refused at once', async () => {
	const set = await waiting();
	set.turn.reject(new Refusal('busy', 'displaced', 1_000));
	expect(await set.end()).toEqual(code('busy', 0, 1_000));
	expect(set.wire.sent).toEqual([]);
});

it('the end of lending ends it within the moment, also when it has ended before', async () => {
	const set = await waiting();
	set.clock.at(1_234, () => set.stopping.abort());
	expect(await set.end()).toEqual(code('aborted', 1_234));
	const before = await waiting();
	before.turn.resolve();
	before.stopping.abort();
	expect(await before.end()).toEqual(code('aborted', 0));
});

it.each([
	[undefined, 'channel-closed'],
	['peer-lost', 'peer-lost']
] as const)('an asker that goes away (%s) gives its place back at once', async (how, why) => {
	const set = await waiting();
	set.clock.at(1_500, () => set.wire.end(how));
	expect(await set.end()).toEqual(code(why, 1_500));
});

it('an asker whose channel takes nothing is gone', async () => {
	const set = await waiting();
	set.wire.refuses = 'peer-lost';
	expect(await set.end()).toEqual(code('peer-lost', 0));
});

it('a cancel of this very job ends it; one of another epoch does not', async () => {
	const set = await waiting();
	const [other, mine] = [await set.cancel({ epoch: 2 }), await set.cancel()];
	set.clock.at(100, () => set.wire.hear(other));
	set.clock.at(200, () => set.wire.hear(mine));
	expect(await set.end()).toEqual(code('aborted', 200));
});

it('a cancel by somebody else, of another job, or no message at all, ends it by name', async () => {
	const by = await waiting();
	by.wire.hear(await by.cancel({}, by.stranger));
	expect(await by.end()).toEqual(code('wrong-signer', 0));
	const of = await waiting();
	of.wire.hear(await of.cancel({ job: new Uint8Array(16) }));
	expect(await of.end()).toEqual(code('wrong-job', 0));
	const none = await waiting();
	none.wire.hear(Uint8Array.of(1));
	expect(await none.end()).toEqual(code('malformed', 0));
	const forged = await waiting();
	const cancel = await forged.cancel();
	forged.seals.forget(forged.key.publicKey);
	forged.wire.hear(cancel);
	expect(await forged.end()).toEqual(code('bad-signature', 0));
});

it('sixteen things of a later version are passed over; the seventeenth is too much', async () => {
	const set = await waiting();
	const later = (await set.announced()).bytes;
	for (let i = 0; i < 16; i++) set.wire.hear(later);
	set.clock.at(1_000, () => set.turn.resolve());
	expect(await set.end()).toEqual(got(1_000));
	const many = await waiting();
	for (let i = 0; i < 17; i++) many.wire.hear(later);
	expect(await many.end()).toEqual(code('rate-limited', 0));
	expect(many.said()).toHaveLength(1);
});

it('what it says in between does not make it be told sooner', async () => {
	const set = await waiting();
	const later = (await set.announced()).bytes;
	set.clock.at(2_000, () => set.wire.hear(later));
	set.clock.at(2_900, () => set.wire.hear(later));
	set.clock.at(3_100, () => set.turn.resolve());
	await set.end();
	expect(set.said().map(({ issuedAt }) => issuedAt - set.clock.epoch)).toEqual([0, 3_000]);
});

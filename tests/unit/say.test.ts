/** What is said to an executor is said in bounded time, and a channel of which nothing more is wanted is ended, or broken when its far side does not end it. */
import { describe, expect, it } from 'vitest';
import { Inbox, type JobMail } from '#lib/node/inbox.ts';
import { part, say } from '#lib/node/say.ts';
import { codeOf, Refusal } from '#lib/protocol/errors.ts';
import { VirtualClock } from '../doubles/clock.ts';
import { Wire } from '../doubles/square.ts';

const word = Uint8Array.of(1, 2, 3);
const NEVER = new Promise<void>(() => undefined);

/** What became of it so far; undefined while it goes on. */
function watch(work: Promise<void>) {
	const state: { end: string | undefined } = { end: undefined };
	work.then(
		() => (state.end = 'done'),
		(error: unknown) => (state.end = codeOf(error))
	);
	return state;
}

describe('a message', () => {
	it('that is taken leaves no timer behind, and the channel as it is', async () => {
		const [clock, wire] = [new VirtualClock(), new Wire()];
		wire.taking = () => clock.sleep(4_999);
		await clock.until(say(wire, word, clock));
		expect(wire.sent).toEqual([word]);
		await clock.pass(0);
		expect(clock.waiting).toBe(0);
		await clock.pass(60_000);
		expect(wire.aborted).toBe(0);
	});

	it('that is not taken within five seconds, or what was said, breaks the channel', async () => {
		for (const [ms, given] of [[5_000], [1_200, 1_200]] as const) {
			const [clock, wire] = [new VirtualClock(), new Wire()];
			wire.taking = () => NEVER;
			const said = say(wire, word, clock, given);
			const state = watch(said);
			await clock.pass(ms - 1);
			expect([state.end, wire.aborted]).toEqual([undefined, 0]);
			await clock.pass(1);
			expect([state.end, wire.aborted]).toEqual(['unreachable', 1]);
			await expect(said).rejects.toMatchObject({ detail: 'it takes nothing' });
		}
	});

	it('that a channel refuses is refused for that reason at once', async () => {
		const [clock, wire] = [new VirtualClock(), new Wire()];
		wire.taking = () => Promise.reject(new Refusal('peer-lost'));
		const state = watch(say(wire, word, clock));
		await clock.pass(0);
		expect([state.end, wire.aborted, clock.waiting]).toEqual(['peer-lost', 0, 0]);
	});
});

describe('a channel of which nothing more is wanted', () => {
	const parting = (wire = new Wire()) => {
		const clock = new VirtualClock();
		const inbox = new Inbox<JobMail>(clock);
		return { clock, inbox, wire, state: watch(part(wire, inbox, clock)) };
	};

	it('is closed, and left when its other side has ended it too', async () => {
		const { clock, inbox, wire, state } = parting();
		await clock.pass(29_999);
		expect([wire.closed, state.end]).toEqual([1, undefined]);
		inbox.put({ type: 'message', bytes: word });
		await clock.pass(0);
		expect(state.end).toBeUndefined();
		inbox.put({ type: 'ended', code: undefined });
		await clock.pass(0);
		expect([state.end, wire.aborted]).toEqual(['done', 0]);
	});

	it('is broken after half a minute, however much its other side still says', async () => {
		const { clock, inbox, wire, state } = parting();
		for (let i = 0; i < 29; i++) {
			await clock.pass(1_000);
			inbox.put({ type: i === 3 ? 'stop' : 'message', bytes: word });
		}
		await clock.pass(999);
		expect([state.end, wire.aborted]).toEqual([undefined, 0]);
		await clock.pass(1);
		expect([state.end, wire.aborted]).toEqual(['done', 1]);
	});

	it('and cannot even be closed is broken all the same', async () => {
		const wire = new Wire();
		wire.closing = () => Promise.reject(new Refusal('channel-closed'));
		const { clock, state } = parting(wire);
		await clock.pass(30_000);
		expect([state.end, wire.aborted]).toEqual(['done', 1]);
	});
});

/** The queue a job's story reads from: what comes in order, who waits for whom, and that nothing is left behind by a wait. */
import { describe, expect, test, vi } from 'vitest';
import { anyMail, Inbox, pour, ROOM, within, type JobMail } from '#lib/node/inbox.ts';
import type { Channel } from '#lib/ports/mesh.ts';
import { codeOf, Refusal } from '#lib/protocol/errors.ts';
import { VirtualClock } from '../doubles/clock.ts';

/** Whether it has settled by now, without any time passing. */
async function state(clock: VirtualClock, work: Promise<unknown>): Promise<'open' | 'settled'> {
	let now: 'open' | 'settled' = 'open';
	const settle = () => (now = 'settled');
	work.then(settle, settle);
	await clock.pass(0);
	return now;
}

describe('an inbox', () => {
	test('gives back what was put, in order, and is idle when all was read', () => {
		const inbox = new Inbox<number>(new VirtualClock());
		expect([inbox.idle, inbox.poll()]).toEqual([true, undefined]);
		for (const n of [1, 2, 3]) inbox.put(n);
		expect(inbox.idle).toBe(false);
		expect([inbox.poll(), inbox.poll(), inbox.poll(), inbox.poll()]).toEqual([1, 2, 3, undefined]);
		expect(inbox.idle).toBe(true);
	});

	test('keeps 4,096 items; of a flood the newest are dropped', () => {
		const inbox = new Inbox<number>(new VirtualClock());
		for (let n = 0; n < 4_100; n++) inbox.put(n);
		const all: (number | undefined)[] = [];
		while (!inbox.idle) all.push(inbox.poll());
		expect([all.length, all.at(-1)]).toEqual([4_096, 4_095]);
	});

	test('forgets what is there', () => {
		const inbox = new Inbox<number>(new VirtualClock());
		inbox.put(1);
		inbox.empty();
		expect([inbox.idle, inbox.poll()]).toEqual([true, undefined]);
	});

	test('whoever pours waits while sixteen are unread, and goes on when one was read', async () => {
		const clock = new VirtualClock();
		const inbox = new Inbox<number>(clock);
		expect(ROOM).toBe(16);
		for (let n = 1; n < ROOM; n++) expect(await state(clock, inbox.pass(n))).toBe('settled');
		const last = inbox.pass(ROOM);
		expect(await state(clock, last)).toBe('open');
		expect(inbox.poll()).toBe(1);
		expect(await state(clock, last)).toBe('settled');
	});

	test('where others put beside the one who pours, it waits until there is room for all', async () => {
		const clock = new VirtualClock();
		const inbox = new Inbox<number>(clock);
		for (let n = 0; n < ROOM + 1; n++) inbox.put(n);
		const passed = inbox.pass(99);
		for (let n = 0; n < 2; n++) {
			inbox.poll();
			expect(await state(clock, passed)).toBe('open');
		}
		inbox.poll();
		expect(await state(clock, passed)).toBe('settled');
	});

	test('emptied, it lets in whoever waited', async () => {
		const clock = new VirtualClock();
		const inbox = new Inbox<number>(clock);
		for (let n = 0; n < ROOM; n++) inbox.put(n);
		const waiting = inbox.pass(99);
		expect(await state(clock, waiting)).toBe('open');
		inbox.empty();
		expect(await state(clock, waiting)).toBe('settled');
		expect(inbox.idle).toBe(true);
	});

	test('calls back when something comes, at once when it is there, and no more once that was stopped', () => {
		const inbox = new Inbox<number>(new VirtualClock());
		const wake = vi.fn();
		const stop = inbox.onMail(wake);
		expect(wake).toHaveBeenCalledTimes(0);
		inbox.put(1);
		expect(wake).toHaveBeenCalledTimes(1);
		stop();
		inbox.put(2);
		expect(wake).toHaveBeenCalledTimes(1);
		inbox.onMail(wake);
		expect(wake).toHaveBeenCalledTimes(2);
	});
});

describe('taking', () => {
	test('waits so long for the next item and no longer', async () => {
		const clock = new VirtualClock();
		const inbox = new Inbox<number>(clock);
		const nothing = inbox.take(1_000);
		await clock.pass(999);
		expect(await state(clock, nothing)).toBe('open');
		await clock.pass(1);
		expect(await state(clock, nothing)).toBe('settled');
		expect(await nothing).toBeUndefined();
		const something = inbox.take(1_000);
		await clock.pass(500);
		inbox.put(7);
		expect(await something).toBe(7);
		// Neither time nor inbox keeps anything of a wait that is over.
		await clock.pass(0);
		expect([clock.monotonic(), clock.waiting]).toEqual([1_500, 0]);
	});

	test('what is there is taken without any time, and without a look at the clock', async () => {
		const clock = new VirtualClock();
		const sleep = vi.spyOn(clock, 'sleep');
		const inbox = new Inbox<number>(clock);
		inbox.put(7);
		expect(await inbox.take(1_000)).toBe(7);
		expect(await inbox.take(0)).toBeUndefined();
		expect(await inbox.take(-5)).toBeUndefined();
		expect(sleep).not.toHaveBeenCalled();
	});

	test('a wait of less than a millisecond is one of a millisecond', async () => {
		const clock = new VirtualClock();
		const taken = new Inbox<number>(clock).take(0.25);
		await clock.pass(0.5);
		expect(await state(clock, taken)).toBe('open');
		await clock.pass(0.5);
		expect(await state(clock, taken)).toBe('settled');
	});

	test('the first of several inboxes ends the wait, and all of them are let go', async () => {
		const clock = new VirtualClock();
		const [one, other] = [new Inbox<number>(clock), new Inbox<number>(clock)];
		const heard: string[] = [];
		const named = (name: string, inbox: Inbox<number>) => ({
			onMail: (wake: () => void) => {
				const stop = inbox.onMail(() => {
					heard.push(name);
					wake();
				});
				return () => {
					heard.push(`no more ${name}`);
					stop();
				};
			}
		});
		const wait = anyMail([named('one', one), named('other', other)], 1_000, clock);
		await clock.pass(10);
		other.put(1);
		await wait;
		expect(heard).toEqual(['other', 'no more one', 'no more other']);
		one.put(1);
		expect(heard).toHaveLength(3);
		expect(clock.waiting).toBe(0);
	});
});

/** A channel of which only the messages are read. */
const channelOf = (messages: AsyncIterable<Uint8Array>) => ({ messages }) as Channel;

describe('a channel poured into an inbox', () => {
	const bytes = Uint8Array.of(1);

	test('comes message by message, then its end', async () => {
		const clock = new VirtualClock();
		const inbox = new Inbox<JobMail>(clock);
		const messages = async function* () {
			yield bytes;
			yield bytes;
		};
		await pour(channelOf(messages()), inbox);
		const message = { type: 'message', bytes };
		const all = [inbox.poll(), inbox.poll(), inbox.poll(), inbox.poll()];
		expect(all).toStrictEqual([message, message, { type: 'ended', code: undefined }, undefined]);
	});

	test('a channel that broke ends with its code', async () => {
		const inbox = new Inbox<JobMail>(new VirtualClock());

		const messages = async function* (): AsyncGenerator<Uint8Array> {
			throw new Refusal('peer-lost');
		};
		await pour(channelOf(messages()), inbox);
		expect([inbox.poll(), inbox.poll()]).toEqual([{ type: 'ended', code: 'peer-lost' }, undefined]);
	});

	test('it is read no faster than the inbox is', async () => {
		const clock = new VirtualClock();
		const inbox = new Inbox<JobMail>(clock);
		let read = 0;
		const messages = async function* () {
			for (; read < 100; read++) yield bytes;
		};
		void pour(channelOf(messages()), inbox);
		await clock.pass(0);
		expect(read).toBe(ROOM - 1);
		inbox.poll();
		await clock.pass(0);
		expect(read).toBe(ROOM);
	});
});

describe('work within its time', () => {
	const never = <T>() => new Promise<T>(() => undefined);

	test('gives its own result or refusal, and leaves no timer', async () => {
		const clock = new VirtualClock();
		expect(await within(clock, 100, 'stalled', Promise.resolve(7))).toBe(7);
		const refused = within(clock, 100, 'stalled', Promise.reject(new Refusal('busy')));
		expect(await refused.catch(codeOf)).toBe('busy');
		await clock.pass(0);
		expect(clock.waiting).toBe(0);
	});

	test('is refused with that code when its time is over, not before', async () => {
		const clock = new VirtualClock();
		const late = within(clock, 100, 'expired', never());
		await clock.pass(99);
		expect(await state(clock, late)).toBe('open');
		await clock.pass(1);
		expect(await late.catch(codeOf)).toBe('expired');
	});

	test('is aborted as soon as its signal says so, or before it began', async () => {
		const clock = new VirtualClock();
		const stop = new AbortController();
		const stopped = within(clock, 100, 'expired', never(), stop.signal);
		await clock.pass(50);
		stop.abort();
		expect(await stopped.catch(codeOf)).toBe('aborted');
		expect(await within(clock, 100, 'expired', never(), stop.signal).catch(codeOf)).toBe('aborted');
		expect(clock.waiting).toBe(0);
	});

	test('what comes of it afterwards is nobody’s concern', async () => {
		const clock = new VirtualClock();
		const unseen = vi.fn();
		process.on('unhandledRejection', unseen);
		const failing = async () => {
			await clock.sleep(200);
			throw new Refusal('busy');
		};
		expect(await clock.until(within(clock, 100, 'expired', failing()).catch(codeOf))).toBe('expired');
		await clock.pass(500);
		// Told of in a turn of its own.
		await new Promise((resolve) => setImmediate(resolve));
		expect(unseen).not.toHaveBeenCalled();
		process.off('unhandledRejection', unseen);
	});
});

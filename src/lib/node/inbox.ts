/** A single reader's queue that many sources fill: messages of a channel, a person's stop, bids from a topic. Time is a port. */
import type { Clock } from '#lib/ports/clock.ts';
import type { Channel } from '#lib/ports/mesh.ts';
import { codeOf, Refusal, type Code } from '#lib/protocol/errors.ts';

/** More waiting items than this is a flood; the newest are dropped. Messages of a channel never come near it: they wait in the channel. */
const MAX_UNREAD = 4096;
/** Messages taken from a channel that nobody has read yet: 8 MiB at the very most. Then its far writer gets no more credit, and its engine waits. */
export const ROOM = 16;

export class Inbox<T> {
	readonly #clock: Clock;
	readonly #waiting: T[] = [];
	#wake: (() => void) | undefined;
	#room: (() => void) | undefined;

	constructor(clock: Clock) {
		this.#clock = clock;
	}

	/** Nothing waits to be read. */
	get idle(): boolean {
		return this.#waiting.length === 0;
	}

	put(item: T): void {
		if (this.#waiting.length < MAX_UNREAD) this.#waiting.push(item);
		this.#wake?.();
	}

	/** Puts, and resolves once there is room for another: whoever pours waits for the reader. One who pours at a time. */
	async pass(item: T): Promise<void> {
		this.put(item);
		while (this.#waiting.length >= ROOM) await new Promise<void>((resolve) => (this.#room = resolve));
	}

	/** Forgets what is there. */
	empty(): void {
		this.#waiting.length = 0;
		this.#room?.();
	}

	/** The next item, or undefined when none came within `ms`. One reader at a time. */
	async take(ms: number): Promise<T | undefined> {
		await anyMail([this], ms, this.#clock);
		return this.poll();
	}

	/** The next item, if there is one. */
	poll(): T | undefined {
		const item = this.#waiting.shift();
		this.#room?.();
		return item;
	}

	/** Calls back once something is there, at once when it is already. One listener at a time; returns how to stop. */
	onMail(wake: () => void): () => void {
		if (this.#waiting.length > 0) wake();
		this.#wake = wake;
		return () => (this.#wake = undefined);
	}
}

/** Resolves when one of the inboxes has something, or after `ms`. Each keeps its own bound, so a flood in one takes nothing from the others. */
export async function anyMail(
	inboxes: readonly Pick<Inbox<unknown>, 'onMail'>[],
	ms: number,
	clock: Clock
): Promise<void> {
	const done = new AbortController();
	let there = false;
	const arrival = new Promise<void>((resolve) => {
		const wake = () => {
			there = true;
			resolve();
		};
		for (const inbox of inboxes) done.signal.addEventListener('abort', inbox.onMail(wake));
	});
	// A millisecond at least: a wait shorter than a clock with fractions can tell would be none, for ever.
	const wait = Math.max(1, ms);
	if (!there && ms > 0) await Promise.race([arrival, clock.sleep(wait, done.signal).catch(() => undefined)]);
	done.abort();
}

/** What a job's inbox holds. */
export type JobMail =
	| { readonly type: 'message'; readonly bytes: Uint8Array }
	/** The channel ended; `code` undefined when the other side closed it in good order. */
	| { readonly type: 'ended'; readonly code: Code | undefined }
	| { readonly type: 'stop' };

/** Pours a channel into an inbox until it ends, no faster than the inbox is read. */
export async function pour(channel: Channel, inbox: Inbox<JobMail>): Promise<void> {
	try {
		for await (const bytes of channel.messages) await inbox.pass({ type: 'message', bytes });
		inbox.put({ type: 'ended', code: undefined });
	} catch (error) {
		inbox.put({ type: 'ended', code: codeOf(error) });
	}
}

/** Rejects with `code` when `work` takes longer than `ms`, and with `aborted` as soon as `signal` says so; how `work` ends then is nobody's concern. */
export async function within<T>(
	clock: Clock,
	ms: number,
	code: Code,
	work: Promise<T>,
	signal?: AbortSignal
): Promise<T> {
	const done = new AbortController();
	const wait = signal === undefined ? done.signal : AbortSignal.any([signal, done.signal]);
	const late = clock.sleep(ms, wait).then(() => {
		throw new Refusal(code);
	});
	try {
		// Whichever of the two comes second may fail unseen: a race hears both.
		return await Promise.race([work, late]);
	} finally {
		done.abort();
	}
}

/**
 * What an originator says to an executor, in bounded time: a channel takes a message when its far side has taken those before, so one that reads
 * nothing would hold up whoever waits for that.
 */
import type { Clock } from '#lib/ports/clock.ts';
import type { Channel } from '#lib/ports/mesh.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import type { Inbox, JobMail } from './inbox.ts';

/** For a message of some hundred bytes. */
const TAKE_MS = 5_000;
/** From our end of a channel to the other one's: a countersignature on its way, and a disk. */
const PART_MS = 30_000;

/** Sends. Refusals: those of `channel.send`; `unreachable` when it takes longer than `ms`, and the channel is aborted then. */
export async function say(channel: Channel, message: Uint8Array, clock: Clock, ms = TAKE_MS): Promise<void> {
	const done = new AbortController();
	const tooLong = clock.sleep(ms, done.signal).then(() => {
		channel.abort();
		throw new Refusal('unreachable', 'it takes nothing');
	});
	try {
		await Promise.race([channel.send(message), tooLong]);
	} finally {
		done.abort();
	}
}

/** Ends a channel of which nothing more is wanted, and breaks it when its other side does not end it too. Never throws. */
export async function part(channel: Channel, inbox: Inbox<JobMail>, clock: Clock): Promise<void> {
	const end = clock.monotonic() + PART_MS;
	channel.close().catch(() => undefined);
	for (let left = PART_MS; left > 0; left = end - clock.monotonic()) {
		const mail = await inbox.take(left);
		if (mail?.type === 'ended') return;
	}
	channel.abort();
}

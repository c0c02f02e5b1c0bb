/** One end of a channel of a move, of which a test is the other end: what was said on it, in order, and whatever comes over it. */
import type { Agreement } from '#lib/ports/agreement.ts';
import type { Channel } from '#lib/ports/mesh.ts';
import type { Code } from '#lib/protocol/errors.ts';
import { decodeMove, encodeMove, MOVE_KEY_BYTES, type MoveMessage } from '#lib/protocol/move.ts';
import { FarEnd } from './far-end.ts';

/** A channel that is read by the story and written by a test, or the other way round. */
export class Wire implements Channel {
	readonly peer: string;
	/** What the story did: messages, and `close` and `abort`. */
	readonly did: (MoveMessage | 'close' | 'abort')[] = [];
	/** Until it resolves nothing is taken; a rejection is a channel that broke. */
	takes: Promise<void> = Promise.resolve();
	readonly messages = new FarEnd();

	constructor(peer: string) {
		this.peer = peer;
	}

	/** What the story said, without how it ended. */
	get said(): readonly MoveMessage[] {
		return this.did.filter((each) => typeof each !== 'string');
	}

	send(message: Uint8Array): Promise<void> {
		this.did.push(decodeMove(message));
		return this.takes;
	}

	close(): Promise<void> {
		this.did.push('close');
		return Promise.resolve();
	}

	abort(): void {
		this.did.push('abort');
	}

	/** The other side says this. */
	say(...messages: readonly (MoveMessage | Uint8Array)[]): void {
		for (const message of messages) this.messages.says(message instanceof Uint8Array ? message : encodeMove(message));
	}

	/** The other side closes, or the channel breaks with a code. */
	end(over?: Code): void {
		this.messages.ends(over);
	}
}

/** A key agreement without cryptography: both sides come to the same, and another pair to something else. */
export const agreementOf = (n: number): Agreement => ({
	pair: async () => ({ publicKey: keyOf(n), shared: async (theirs) => sharedOf(n, theirs) })
});

/** The public half of pair `n`. */
export const keyOf = (n: number): Uint8Array => new Uint8Array(MOVE_KEY_BYTES).fill(n);

/** What pair `n` comes to with the pair of that key. */
export const sharedOf = (n: number, theirs: Uint8Array): Uint8Array => new Uint8Array(32).fill(n ^ (theirs[0] ?? 0));

/** A job channel: whole messages, in order, over one libp2p stream, with back-pressure from the far reader to the near writer. */
import type { Stream, StreamMessageEvent } from '@libp2p/interface';
import { Refusal, type Code } from '#lib/protocol/errors.ts';
import { MAX_CHANNEL_MESSAGE } from '#lib/protocol/limits.ts';
import type { Channel, PeerId } from '#lib/ports/mesh.ts';
import { FRAME_HEAD, FrameReader, creditFrame, endFrame, messageFrame } from './framing.ts';

/**
 * Bytes (heads counted) a writer may have under way that the far reader has not taken yet. Twice the longest message: with credit given
 * back at a quarter, the longest message always fits in the end, so nobody waits for ever. It is also all the memory a peer can fill.
 */
export const CHANNEL_WINDOW = 2 * (MAX_CHANNEL_MESSAGE + FRAME_HEAD);
/** Bytes taken by the reader before it tells the writer; smaller would be chatter, larger would stall the writer. */
export const CREDIT_STEP = CHANNEL_WINDOW / 4;
/** How long the last bytes of a closing channel may take to leave, ms; afterwards the stream is torn down. */
const CLOSE_PATIENCE_MS = 5_000;

interface Waiter {
	readonly resolve: () => void;
	readonly reject: (reason: Refusal) => void;
}

export interface ChannelInit {
	readonly peer: PeerId;
	readonly stream: Stream;
	/** Called on every byte that came: whoever sends is alive. */
	readonly onLife: () => void;
	/** Called once, when neither side can say anything more. */
	readonly onGone: (channel: StreamChannel) => void;
	/** Whether the connection under the stream still stands; tells a lost peer from a closed channel. */
	readonly connected: () => boolean;
}

export class StreamChannel implements Channel {
	readonly peer: PeerId;
	readonly messages: AsyncIterable<Uint8Array>;
	readonly #init: ChannelInit;
	readonly #stream: Stream;
	readonly #reader = new FrameReader();
	readonly #inbox: Uint8Array[] = [];
	#readerWaits: Waiter | undefined;
	#windowWaits: Waiter | undefined;
	/** Sends queue behind this, so that two of them never mix and order holds. */
	#sending: Promise<void> = Promise.resolve();
	#window = CHANNEL_WINDOW;
	#unread = 0;
	#taken = 0;
	#farEnded = false;
	/** close() was called; `#nearSaid`: and the far side has been told. */
	#nearEnded = false;
	#nearSaid = false;
	#broken: Refusal | undefined;
	#gone = false;

	constructor(init: ChannelInit) {
		this.#init = init;
		this.peer = init.peer;
		this.#stream = init.stream;
		this.messages = { [Symbol.asyncIterator]: () => this.#iterate() };
		init.stream.addEventListener('message', this.#onMessage);
		init.stream.addEventListener('close', this.#onStreamOver);
		init.stream.addEventListener('remoteCloseWrite', this.#onStreamOver);
		// The far side may have ended it while the opening was still being awaited; that event is past.
		if (init.stream.status !== 'open' || init.stream.remoteWriteStatus !== 'writable') this.#onStreamOver();
	}

	send(message: Uint8Array): Promise<void> {
		// Made at once: the caller may change its buffer after the call.
		let frame: Uint8Array;
		try {
			frame = messageFrame(message);
		} catch (error) {
			return Promise.reject(error instanceof Refusal ? error : new Refusal('internal'));
		}
		if (this.#nearEnded) return Promise.reject(new Refusal('channel-closed'));
		const sent = this.#sending.then(() => this.#sendFrame(frame));
		// A failed send must not fail the ones queued behind it with its own reason; they find the channel broken themselves.
		this.#sending = sent.catch(() => undefined);
		return sent;
	}

	/**
	 * Ends this side. The stream itself stays until the far side ends too, because credit for what it still sends must travel; so
	 * both sides close, in any order.
	 */
	async close(): Promise<void> {
		if (this.#nearEnded || this.#broken !== undefined) return;
		this.#nearEnded = true;
		await this.#sending;
		// What broke meanwhile has been told to every waiting send; closing what is broken is no failure of its own.
		if (this.#isBroken()) return;
		try {
			if (!this.#stream.send(endFrame()))
				await this.#stream.onDrain({ signal: AbortSignal.timeout(CLOSE_PATIENCE_MS) });
		} catch {
			this.breakWith('channel-closed', 'the end could not be said');
			return;
		}
		this.#nearSaid = true;
		this.#partWhenBothEnded();
	}

	abort(): void {
		this.#inbox.length = 0;
		this.breakWith('channel-closed');
	}

	/** Ends the channel at once for the given reason; whoever waits is told so. Messages that came whole stay readable. */
	breakWith(code: Code, detail?: string): void {
		if (this.#broken !== undefined) return;
		this.#broken = new Refusal(code, detail);
		this.#stream.abort(this.#broken);
		this.#readerWaits?.resolve();
		this.#readerWaits = undefined;
		this.#windowWaits?.reject(this.#broken);
		this.#windowWaits = undefined;
		this.#finish();
	}

	async #sendFrame(frame: Uint8Array): Promise<void> {
		while (this.#window < frame.length && this.#broken === undefined) {
			await new Promise<void>((resolve, reject) => {
				this.#windowWaits = { resolve, reject };
			});
		}
		if (this.#broken !== undefined) throw this.#broken;
		this.#window -= frame.length;
		try {
			if (!this.#stream.send(frame)) await this.#stream.onDrain();
		} catch {
			throw this.#isBroken() ?? new Refusal('channel-closed');
		}
	}

	readonly #onMessage = (event: StreamMessageEvent): void => {
		this.#init.onLife();
		try {
			for (const frame of this.#reader.push(event.data.subarray())) {
				switch (frame.kind) {
					case 'message':
						this.#receive(frame.message);
						break;
					case 'credit':
						this.#window = Math.min(this.#window + frame.bytes, CHANNEL_WINDOW);
						this.#windowWaits?.resolve();
						this.#windowWaits = undefined;
						break;
					case 'end':
						this.#farEnded = true;
						this.#wakeReader();
						this.#partWhenBothEnded();
						break;
				}
			}
		} catch (error) {
			this.breakWith(error instanceof Refusal ? error.code : 'malformed');
		}
	};

	#receive(message: Uint8Array): void {
		this.#unread += message.length + FRAME_HEAD;
		if (this.#unread > CHANNEL_WINDOW) throw new Refusal('oversized', 'more than the window');
		this.#inbox.push(message);
		this.#wakeReader();
	}

	#wakeReader(): void {
		this.#readerWaits?.resolve();
		this.#readerWaits = undefined;
	}

	/** The stream is over in one direction or both. Without an end frame before it, that is a break and not an end. */
	readonly #onStreamOver = (): void => {
		if (this.#broken !== undefined || this.#gone) return;
		// One turn later the connection has learnt of its own end too, when that is what happened.
		setTimeout(() => {
			if (!this.#gone) this.breakWith(this.#init.connected() ? 'channel-closed' : 'peer-lost');
		}, 0);
	};

	async *#iterate(): AsyncGenerator<Uint8Array, void, void> {
		for (;;) {
			const message = this.#inbox.shift();
			if (message !== undefined) {
				this.#giveCredit(message.length + FRAME_HEAD);
				yield message;
			} else if (this.#farEnded) {
				return;
			} else if (this.#broken !== undefined) {
				throw this.#broken;
			} else {
				await new Promise<void>((resolve, reject) => {
					this.#readerWaits = { resolve, reject };
				});
			}
		}
	}

	#giveCredit(bytes: number): void {
		this.#unread -= bytes;
		this.#taken += bytes;
		if (this.#taken < CREDIT_STEP || this.#broken !== undefined || this.#farEnded) return;
		try {
			this.#stream.send(creditFrame(this.#taken));
			this.#taken = 0;
		} catch {
			// The stream is closing; its own event says so and there is nobody left to credit.
		}
	}

	/** Both sides said their end: the stream may go. Not awaited by anyone, since nothing more depends on it. */
	#partWhenBothEnded(): void {
		if (!this.#farEnded || !this.#nearSaid || this.#gone) return;
		this.#finish();
		this.#stream.close({ signal: AbortSignal.timeout(CLOSE_PATIENCE_MS) }).catch(() => {
			this.#stream.abort(new Refusal('channel-closed', 'close took too long'));
		});
	}

	#isBroken(): Refusal | undefined {
		return this.#broken;
	}

	#finish(): void {
		if (this.#gone) return;
		this.#gone = true;
		this.#init.onGone(this);
	}
}

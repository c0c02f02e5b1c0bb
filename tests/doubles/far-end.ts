/** The far end of a channel when it is a test: what comes from there, one message after the other, until it closes or breaks. */
import { decodeCanonical } from '#lib/protocol/encode.ts';
import { Refusal, type Code } from '#lib/protocol/errors.ts';
import { MAX_CHANNEL_MESSAGE } from '#lib/protocol/limits.ts';

/** Stands as `messages` of a channel; of a channel's messages there is a single consumer. */
export class FarEnd implements AsyncIterable<Uint8Array> {
	readonly #coming: (Uint8Array | { readonly over: Code | undefined })[] = [];
	#wake: () => void = () => undefined;
	#read = false;
	/** Messages that were taken. */
	taken = 0;

	says(message: Uint8Array): void {
		this.#come(message);
	}

	/** Closes in good order, or the channel breaks with a code. */
	ends(over?: Code): void {
		this.#come({ over });
	}

	[Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
		if (this.#read) throw new Error('somebody reads this channel already');
		this.#read = true;
		return { next: () => this.#next() };
	}

	async #next(): Promise<IteratorResult<Uint8Array>> {
		while (this.#coming.length === 0) await new Promise<void>((resolve) => (this.#wake = resolve));
		const next = this.#coming.shift() as Uint8Array | { readonly over: Code | undefined };
		if (next instanceof Uint8Array) {
			this.taken++;
			return { done: false, value: next };
		}
		if (next.over !== undefined) throw new Refusal(next.over);
		return { done: true, value: undefined };
	}

	#come(item: Uint8Array | { readonly over: Code | undefined }): void {
		this.#coming.push(item);
		this.#wake();
	}
}

/** The type of a message on a channel, signed or a frame. */
export function typeOf(bytes: Uint8Array): string {
	return (decodeCanonical(bytes, MAX_CHANNEL_MESSAGE) as { readonly type: string }).type;
}

/**
 * A channel of the in-memory network. It keeps what a WebRTC data channel promises while it lives: every message, whole, in order. What is
 * lost on the way shows as delay; a way that stays cut shows as a broken channel, once the silence is noticed.
 */
import type { Channel, PeerId } from '#lib/ports/mesh.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import { MAX_CHANNEL_MESSAGE } from '#lib/protocol/limits.ts';
import type { MemoryMesh, Network } from './network.ts';

type Item =
	| { readonly type: 'message'; readonly bytes: Uint8Array }
	| { readonly type: 'end' }
	| { readonly type: 'error'; readonly error: Refusal };

export class MemoryChannel implements Channel {
	readonly peer: PeerId;
	readonly #network: Network;
	readonly #owner: MemoryMesh;
	#other: MemoryChannel | undefined;
	readonly #items: Item[] = [];
	#wake: (() => void) | undefined;
	/** This side said its end; `#ended`: the other did, or the channel broke. */
	#closed = false;
	#ended = false;
	#broken = false;
	#lastArrival = 0;
	/** Sent while the way was cut, in order. */
	readonly #stuck: Item[] = [];

	constructor(network: Network, owner: MemoryMesh, peer: PeerId) {
		this.#network = network;
		this.#owner = owner;
		this.peer = peer;
		owner.channels.add(this);
	}

	get owner(): MemoryMesh {
		return this.#owner;
	}

	/** Messages that came and were not read yet, and those that wait for the way to open. */
	get queued(): number {
		return this.#items.length + this.#stuck.length;
	}

	join(other: MemoryChannel): void {
		this.#other = other;
	}

	send(message: Uint8Array): Promise<void> {
		if (message.length > MAX_CHANNEL_MESSAGE) return Promise.reject(new Refusal('oversized'));
		if (this.#closed || this.#broken) return Promise.reject(new Refusal('channel-closed'));
		// A copy: the sender may change its buffer after the call.
		const copy = message.slice();
		const meddled = this.#network.meddle?.(copy, this.#owner.self, this.peer) ?? [copy];
		for (const bytes of meddled) this.#post({ type: 'message', bytes });
		return Promise.resolve();
	}

	close(): Promise<void> {
		if (!this.#closed && !this.#broken) this.#post({ type: 'end' });
		this.#closed = true;
		this.#done();
		return Promise.resolve();
	}

	abort(): void {
		if (!this.#broken) this.#post({ type: 'error', error: new Refusal('channel-closed') });
		this.#closed = true;
		this.#finish({ type: 'error', error: new Refusal('channel-closed') });
	}

	/** This side's owner is lost; the other side notices after `ms`. */
	break(code: 'peer-lost', ms: number): void {
		this.#closed = true;
		const { clock } = this.#network.init;
		const other = this.#other;
		// Nothing overtakes: what was sent before arrives before.
		this.#lastArrival = Math.max(this.#lastArrival, clock.monotonic() + ms);
		if (other !== undefined) clock.at(this.#lastArrival, () => other.lose(code));
	}

	/** This side finds the channel broken. */
	lose(code: 'peer-lost'): void {
		this.#owner.run(() => this.#finish({ type: 'error', error: new Refusal(code) }));
	}

	/** The way was cut and is open again: what waited goes out. */
	flush(): void {
		for (const item of this.#stuck.splice(0)) this.#post(item);
	}

	readonly messages: AsyncIterable<Uint8Array> = {
		[Symbol.asyncIterator]: () => ({
			next: async () => {
				while (this.#items.length === 0) await new Promise<void>((resolve) => (this.#wake = resolve));
				const item = this.#items.shift() as Item;
				if (item.type === 'error') throw item.error;
				return item.type === 'end' ? { done: true, value: undefined } : { done: false, value: item.bytes };
			}
		})
	};

	/** Keeps the order of a channel: nothing overtakes. */
	#post(item: Item): void {
		if (this.#owner.gone) return;
		const { clock } = this.#network.init;
		const { weather } = this.#network;
		const other = this.#other;
		if (this.#stuck.length > 0 || !weather.reaches(this.#owner.self, this.peer)) {
			this.#stuck.push(item);
			weather.stuck.add(this);
			return;
		}
		const arrival = clock.monotonic() + this.#network.latency() + weather.resentMs();
		this.#lastArrival = Math.max(this.#lastArrival, arrival);
		clock.at(this.#lastArrival, () => {
			if (other === undefined || other.#owner.gone) return;
			if (item.type === 'message') {
				this.#network.note('channel', this.#owner.self, other.#owner, item.bytes);
				this.#network.tap?.(this.#owner.self, this.peer, item.bytes);
			}
			other.#owner.run(() => other.#finish(item));
		});
	}

	#finish(item: Item): void {
		if (item.type === 'error') {
			if (this.#broken) return;
			this.#broken = true;
			this.#stuck.length = 0;
			this.#owner.channels.delete(this);
		}
		// After an end only a break can come, and whoever has read to the end need not hear of it.
		if (this.#ended) return;
		if (item.type !== 'message') this.#ended = true;
		this.#items.push(item);
		this.#wake?.();
		this.#done();
	}

	/** Both sides said their end: the channel is gone. */
	#done(): void {
		if (this.#closed && this.#ended) this.#owner.channels.delete(this);
	}
}

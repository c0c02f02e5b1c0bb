/** A channel whose far side takes nothing: what is sent there waits until somebody gives it up. */
import type { Channel, Mesh } from '#lib/ports/mesh.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import { peek } from '#lib/protocol/envelope.ts';
import { MAX_CHANNEL_MESSAGE } from '#lib/protocol/limits.ts';

/** Sends of messages of that type never end, until the channel is aborted. */
export function choked(channel: Channel, type: string): Channel {
	let cut: (() => void) | undefined;
	const waiting = new Promise<never>((_, reject) => (cut = () => reject(new Refusal('channel-closed'))));
	waiting.catch(() => undefined);
	let stuck: Promise<void> = Promise.resolve();
	return {
		peer: channel.peer,
		messages: channel.messages,
		// Nothing overtakes what is stuck.
		send: (bytes) =>
			(stuck = stuck.then(() => (peek(bytes, MAX_CHANNEL_MESSAGE).type === type ? waiting : channel.send(bytes)))),
		close: async () => {
			await stuck.catch(() => undefined);
			await channel.close();
		},
		abort: () => {
			cut?.();
			channel.abort();
		}
	};
}

/** A node whose channels to `to` (to all, when not given) are choked for messages of that type. */
export function chokes<P extends { readonly mesh: Mesh }>(type: () => string, to?: () => string | undefined) {
	return (ports: P): P => {
		const { mesh } = ports;
		const open: Mesh['open'] = async (...args) => {
			const channel = await mesh.open(...args);
			return to === undefined || args[0] === to() ? choked(channel, type()) : channel;
		};
		const get = (of: Mesh, key: string | symbol): unknown => {
			const value: unknown = key === 'open' ? open : Reflect.get(of, key);
			return typeof value === 'function' && key !== 'open' ? value.bind(of) : value;
		};
		return { ...ports, mesh: new Proxy(mesh, { get }) };
	};
}

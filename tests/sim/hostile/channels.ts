/** Cheats at the channel: those who take a job and say nothing, say two things, or keep back the signature they owe. */
import type { Channel, Mesh } from '#lib/ports/mesh.ts';
import { checkpoint } from '#lib/protocol/checkpoint.ts';
import { peek, read, seal } from '#lib/protocol/envelope.ts';
import { decodeFrame, encodeFrame } from '#lib/protocol/frame.ts';
import { MAX_CHANNEL_MESSAGE } from '#lib/protocol/limits.ts';
import type { SeededRandom } from '../../doubles/chance.ts';
import type { TestNode } from '../../doubles/node.ts';
import { FRAME } from '../wire.ts';

type Ports = TestNode['ports'];

/** The mesh with some verbs done otherwise. */
export function overMesh(ports: Ports, change: (mesh: Mesh) => Partial<Mesh>): Ports {
	const mesh: Mesh = ports.mesh;
	const other = change(mesh);
	const get = (of: Mesh, key: string | symbol): unknown => {
		if (key in other) return Reflect.get(other, key);
		const value: unknown = Reflect.get(of, key);
		return typeof value === 'function' ? value.bind(of) : value;
	};
	return { ...ports, mesh: new Proxy(mesh, { get }) };
}

/** A channel whose sends are done otherwise. */
export function sending(channel: Channel, send: (bytes: Uint8Array) => Promise<void>): Channel {
	return {
		peer: channel.peer,
		messages: channel.messages,
		send,
		close: () => channel.close(),
		abort: () => channel.abort()
	};
}

const typeOf = (bytes: Uint8Array) => (bytes[0] === FRAME ? 'Frame' : peek(bytes, MAX_CHANNEL_MESSAGE).type);

/** Bids, and when somebody comes with a job, holds the channel open and says nothing. */
export function noShow(ports: Ports, tried: () => void): Ports {
	return overMesh(ports, () => ({
		onChannel: (_accept) => ports.mesh.onChannel(() => tried())
	}));
}

/** Asks and reads, but never sends messages of that type. */
export function withholds(ports: Ports, type: string): Ports {
	return overMesh(ports, (mesh) => ({
		open: async (...args) => {
			const channel = await mesh.open(...args);
			return sending(channel, async (bytes) => {
				if (typeOf(bytes) !== type) await channel.send(bytes);
			});
		}
	}));
}

/** Says two things: now and then a frame twice, another frame under the same number, or a second checkpoint over another answer. */
export function equivocates(ports: Ports, chance: SeededRandom): Ports {
	return overMesh(ports, (mesh) => ({
		onChannel: (accept) =>
			mesh.onChannel((channel) => {
				const send = async (bytes: Uint8Array) => {
					const type = typeOf(bytes);
					if (type === checkpoint.type) {
						const { body } = read(checkpoint, bytes);
						const other = { ...body, chain: body.chain.map((byte) => byte ^ 255) };
						const both = [bytes, (await seal(checkpoint, other, ports.identity.node)).bytes];
						if (chance.unit() < 0.5) both.reverse();
						for (const each of both) await channel.send(each);
						return;
					}
					await channel.send(bytes);
					if (type !== 'Frame' || chance.below(40) > 0) return;
					const frame = decodeFrame(bytes);
					const token = 1 + (((frame.tokens[0] ?? 0) + 1) % 63);
					await channel.send(
						chance.unit() < 0.5 ? bytes : encodeFrame({ ...frame, tokens: [token], text: `w${token} ` })
					);
				};
				accept(sending(channel, send));
			})
	}));
}

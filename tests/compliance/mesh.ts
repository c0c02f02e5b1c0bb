/**
 * What every Mesh must do, as cases that need no test runner: over the in-memory double, over libp2p in Node, and (the browser tests)
 * between real tabs.
 */
import type { Channel, Mesh, MeshEvent } from '#lib/ports/mesh.ts';
import { codeOf, type Code } from '#lib/protocol/errors.ts';
import { MAX_CHANNEL_MESSAGE, MAX_PEERS_ANSWER } from '#lib/protocol/limits.ts';

/** A network that meshes join; every case has one of its own. */
export interface MeshPlace {
	/** A started mesh that can reach all those made before and be reached by them. */
	mesh(): Promise<Mesh>;
	/** Ends a mesh as a crash would: nothing is said to anyone. */
	vanish(mesh: Mesh): Promise<void>;
}

export interface MeshCase {
	readonly name: string;
	run(place: MeshPlace): Promise<void>;
}

/** How long a case waits for something that must come, ms; generous, since two cores are shared by all. */
const PATIENCE_MS = 15_000;

class Unmet extends Error {}

function must(holds: boolean, what: string): asserts holds {
	if (!holds) throw new Unmet(what);
}

/** Waits for a condition; the only clock in these tests, and never the thing that is measured. */
export async function until<T>(
	read: () => T | undefined | false | Promise<T | undefined | false>,
	what: string,
	patienceMs = PATIENCE_MS
): Promise<T> {
	const end = performance.now() + patienceMs;
	for (;;) {
		const value = await read();
		if (value !== undefined && value !== false) return value;
		if (performance.now() > end) throw new Unmet(`waited in vain: ${what}`);
		await new Promise((resolve) => setTimeout(resolve, 10));
	}
}

export async function codeIn(work: Promise<unknown>): Promise<Code | 'none'> {
	try {
		await work;
		return 'none';
	} catch (error) {
		return codeOf(error);
	}
}

const never = (): AbortSignal => new AbortController().signal;
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

/** A message whose every byte depends on its place, so that loss, doubling and mixing all show. */
export function patterned(length: number, seed: number): Uint8Array {
	const message = new Uint8Array(length);
	let state = (seed + 1) * 0x9e3779b1;
	for (let at = 0; at < length; at += 1) {
		state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
		message[at] = state >>> 24;
	}
	return message;
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
	return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

/** Opens a channel from `from` to `to` and returns both ends. */
export async function join(from: Mesh, to: Mesh): Promise<{ near: Channel; far: Channel; done: () => void }> {
	let far: Channel | undefined;
	const done = to.onChannel((channel) => {
		if (channel.peer === from.self) far = channel;
	});
	const near = await from.open(to.self, to.addresses(), never());
	return { near, far: await until(() => far, 'the other end of the channel'), done };
}

async function collect(channel: Channel, into: Uint8Array[]): Promise<Code | 'end'> {
	try {
		for await (const message of channel.messages) into.push(message);
		return 'end';
	} catch (error) {
		return codeOf(error);
	}
}

function eventsOf(mesh: Mesh): MeshEvent[] {
	const events: MeshEvent[] = [];
	mesh.observe((event) => events.push(event));
	return events;
}

const TOPIC = 'fireweed/1/announcements';

/** Publishes until heard, since a topic's paths form in their own time; returns the message that came through. */
async function publishUntil(from: Mesh, heard: () => boolean, message: (n: number) => Uint8Array): Promise<void> {
	let n = 0;
	await until(async () => {
		await from.publish(TOPIC, message(n));
		n += 1;
		for (let turn = 0; turn < 10 && !heard(); turn += 1) await new Promise((resolve) => setTimeout(resolve, 10));
		return heard();
	}, 'gossip to arrive');
}

export const MESH_CASES: readonly MeshCase[] = [
	{
		name: 'two meshes have two ids, and each is among the other’s peers once they talk',
		async run(place) {
			const [a, b] = [await place.mesh(), await place.mesh()];
			must(a.self !== b.self && a.self.startsWith('12D3KooW'), 'ids');
			const { near, far } = await join(a, b);
			must(near.peer === b.self && far.peer === a.self, 'channel peers');
			await until(() => a.peers().some(({ id, path }) => id === b.self && path === 'direct'), 'b among the peers of a');
			await until(() => b.peers().some(({ id, path }) => id === a.self && path === 'direct'), 'a among the peers of b');
		}
	},
	{
		name: 'messages arrive whole and in order, both ways, empty and longest ones too',
		async run(place) {
			const { near, far } = await join(await place.mesh(), await place.mesh());
			const sent = [0, 1, 5, 16_384, MAX_CHANNEL_MESSAGE, 3, 100_000, 0].map((length, n) => patterned(length, n));
			const [atFar, atNear]: [Uint8Array[], Uint8Array[]] = [[], []];
			const ends = Promise.all([collect(far, atFar), collect(near, atNear)]);
			await Promise.all(sent.flatMap((message) => [near.send(message), far.send(message)]));
			await Promise.all([near.close(), far.close()]);
			const how = await ends;
			must(how.join() === 'end,end', `both ended well: ${how.join()}`);
			for (const got of [atFar, atNear]) {
				must(got.length === sent.length, `${String(got.length)} of ${String(sent.length)} messages`);
				must(
					got.every((message, n) => sameBytes(message, sent[n] ?? bytes())),
					'same bytes in the same order'
				);
			}
		}
	},
	{
		name: 'the sender may change its buffer after send',
		async run(place) {
			const { near, far } = await join(await place.mesh(), await place.mesh());
			const buffer = bytes(1, 2, 3);
			const sent = near.send(buffer);
			buffer.fill(9);
			await sent;
			await near.close();
			const got: Uint8Array[] = [];
			await collect(far, got);
			must(sameBytes(got[0] ?? bytes(), bytes(1, 2, 3)), 'the bytes of the moment of sending');
		}
	},
	{
		name: 'a message above the limit is refused and harms nothing',
		async run(place) {
			const { near, far } = await join(await place.mesh(), await place.mesh());
			must((await codeIn(near.send(new Uint8Array(MAX_CHANNEL_MESSAGE + 1)))) === 'oversized', 'oversized');
			await near.send(bytes(7));
			await near.close();
			const got: Uint8Array[] = [];
			must((await collect(far, got)) === 'end' && got.length === 1, 'the next message arrived');
		}
	},
	{
		name: 'after close nothing can be sent; the other side may still send and close later',
		async run(place) {
			const { near, far } = await join(await place.mesh(), await place.mesh());
			await near.send(bytes(1));
			await near.close();
			must((await codeIn(near.send(bytes(2)))) === 'channel-closed', 'send after close');
			const [atFar, atNear]: [Uint8Array[], Uint8Array[]] = [[], []];
			must((await collect(far, atFar)) === 'end' && atFar.length === 1, 'the far side sees the end');
			await far.send(bytes(3));
			await far.close();
			must(
				(await collect(near, atNear)) === 'end' && sameBytes(atNear[0] ?? bytes(), bytes(3)),
				'the answer after the end'
			);
			await near.close();
		}
	},
	{
		name: 'abort breaks both ends with channel-closed',
		async run(place) {
			const { near, far } = await join(await place.mesh(), await place.mesh());
			const end = collect(far, []);
			near.abort();
			must((await end) === 'channel-closed', 'the far reader is told');
			must((await codeIn(near.send(bytes(1)))) === 'channel-closed', 'the near writer is told');
			must((await collect(near, [])) === 'channel-closed', 'the near reader is told');
			await near.close();
		}
	},
	{
		name: 'many channels between two peers keep apart',
		async run(place) {
			const [a, b] = [await place.mesh(), await place.mesh()];
			const echo = b.onChannel((channel) => {
				void (async () => {
					for await (const message of channel.messages) await channel.send(message);
					await channel.close();
				})().catch(() => undefined);
			});
			const all = await Promise.all(
				Array.from({ length: 12 }, async (_, n) => {
					const channel = await a.open(b.self, b.addresses(), never());
					await channel.send(patterned(2_000, n));
					await channel.close();
					const got: Uint8Array[] = [];
					const how = await collect(channel, got);
					return how === 'end' && got.length === 1 && sameBytes(got[0] ?? bytes(), patterned(2_000, n));
				})
			);
			echo();
			must(all.every(Boolean), 'every channel got its own echo');
		}
	},
	{
		name: 'opening: aborted before and during, unreachable without a way',
		async run(place) {
			const [a, b] = [await place.mesh(), await place.mesh()];
			must((await codeIn(a.open(b.self, b.addresses(), AbortSignal.abort()))) === 'aborted', 'aborted before');
			const stranger = '12D3KooWEC5hTP72TCKRr5ybEk3dupSkvzSdgPyTZ7AEENGXpxVZ';
			must((await codeIn(a.open(stranger, [], never()))) === 'unreachable', 'no address');
			must(
				(await codeIn(a.open(stranger, ['nonsense', ...b.addresses()], never()))) === 'unreachable',
				'addresses of someone else'
			);
		}
	},
	{
		name: 'meeting makes a direct connection; whom one knows is told only to those who are connected',
		async run(place) {
			const [a, b] = [await place.mesh(), await place.mesh()];
			await a.meet(b.self, b.addresses(), never());
			await until(() => a.peers().some(({ id, path }) => id === b.self && path === 'direct'), 'b among the peers of a');
			must((await a.askAcquaintances(b.self, never())).length === 0, 'nobody is named unless it was set');
			b.answerAcquaintances(() => Promise.resolve([patterned(6_000, 1), bytes(2)]));
			const told = await a.askAcquaintances(b.self, never());
			must(
				told.length === 2 &&
					sameBytes(told[0] ?? bytes(), patterned(6_000, 1)) &&
					sameBytes(told[1] ?? bytes(), bytes(2)),
				'the very bytes'
			);
			b.answerAcquaintances(() => Promise.resolve(Array.from({ length: 40 }, (_, n) => bytes(n))));
			must((await a.askAcquaintances(b.self, never())).length === MAX_PEERS_ANSWER, 'no more than the limit');
			const stranger = '12D3KooWEC5hTP72TCKRr5ybEk3dupSkvzSdgPyTZ7AEENGXpxVZ';
			must((await codeIn(a.askAcquaintances(stranger, never()))) === 'unreachable', 'a stranger cannot be asked');
			must((await codeIn(a.meet(stranger, [], never()))) === 'unreachable', 'nor met without an address');
		}
	},
	{
		name: 'a channel nobody takes breaks at once',
		async run(place) {
			const [a, b] = [await place.mesh(), await place.mesh()];
			const channel = await a.open(b.self, b.addresses(), never());
			must((await collect(channel, [])) === 'channel-closed', 'told');
		}
	},
	{
		name: 'a channel reaches those who wait for its purpose and nobody else',
		async run(place) {
			const [a, b] = [await place.mesh(), await place.mesh()];
			const heard: string[] = [];
			const stop = b.onChannel((channel) => {
				heard.push('move');
				void channel.close();
			}, 'move');
			must((await collect(await a.open(b.self, b.addresses(), never()), [])) === 'channel-closed', 'no job is taken');
			const near = await a.open(b.self, b.addresses(), never(), 'move');
			must((await collect(near, [])) === 'end', 'a move is');
			await near.close();
			stop();
			const late = await a.open(b.self, b.addresses(), never(), 'move');
			must((await collect(late, [])) === 'channel-closed', 'and none afterwards');
			must(heard.join() === 'move', 'once');
		}
	},
	{
		name: 'gossip reaches the others and never its own speaker; a rejected or ignored message reaches nobody',
		async run(place) {
			const [a, b, c] = [await place.mesh(), await place.mesh(), await place.mesh()];
			const heard = new Map<Mesh, Uint8Array[]>([a, b, c].map((mesh) => [mesh, []]));
			const near = (mesh: Mesh): readonly string[] => [a.self, b.self, c.self, ...mesh.peers().map(({ id }) => id)];
			const strange: string[] = [];
			for (const mesh of [a, b, c]) {
				mesh.subscribe(
					TOPIC,
					(m, from) => {
						if (from === mesh.self || !near(mesh).includes(from)) strange.push(from);
						return m[0] === 66 ? 'reject' : m[0] === 67 ? 'ignore' : 'accept';
					},
					(m) => heard.get(mesh)?.push(m)
				);
			}
			const has = (mesh: Mesh, first: number): boolean => (heard.get(mesh) ?? []).some((m) => m[0] === first);
			await publishUntil(
				a,
				() => has(b, 65) && has(c, 65),
				(n) => bytes(65, n)
			);
			await a.publish(TOPIC, bytes(66, 1));
			await a.publish(TOPIC, bytes(67, 1));
			// What was published after them has arrived, on the same paths: so have they, if they were to.
			await publishUntil(
				a,
				() => has(b, 68) && has(c, 68),
				(n) => bytes(68, n)
			);
			must((heard.get(a) ?? []).length === 0, 'a did not hear itself');
			must(strange.length === 0, `who handed it on is a neighbour, not ${strange.join()}`);
			must(
				[b, c].every((mesh) => !has(mesh, 66) && !has(mesh, 67)),
				'rejected and ignored ones were not heard'
			);
		}
	},
	{
		name: 'a judge that throws lets nothing through; oversized gossip is refused at the speaker',
		async run(place) {
			const [a, b] = [await place.mesh(), await place.mesh()];
			const heard: Uint8Array[] = [];
			b.subscribe(
				TOPIC,
				(m) => {
					if (m[0] === 1) throw new Error('a judge with a bug');
					return 'accept';
				},
				(m) => heard.push(m)
			);
			await publishUntil(
				a,
				() => heard.some((m) => m[0] === 2),
				(n) => bytes(2, n)
			);
			await a.publish(TOPIC, bytes(1, 1));
			await publishUntil(
				a,
				() => heard.some((m) => m[0] === 3),
				(n) => bytes(3, n)
			);
			must(!heard.some((m) => m[0] === 1), 'not heard');
			must((await codeIn(a.publish(TOPIC, new Uint8Array(1_000_000)))) === 'oversized', 'oversized');
		}
	},
	{
		name: 'unsubscribing and unobserving end the hearing',
		async run(place) {
			const [a, b, c] = [await place.mesh(), await place.mesh(), await place.mesh()];
			const [gone, stays]: [Uint8Array[], Uint8Array[]] = [[], []];
			const stop = b.subscribe(
				TOPIC,
				() => 'accept',
				(m) => gone.push(m)
			);
			c.subscribe(
				TOPIC,
				() => 'accept',
				(m) => stays.push(m)
			);
			await publishUntil(
				a,
				() => gone.length > 0 && stays.length > 0,
				(n) => bytes(1, n)
			);
			stop();
			const before = gone.length;
			const count = stays.length;
			await publishUntil(
				a,
				() => stays.length > count,
				(n) => bytes(2, n)
			);
			must(gone.length === before, 'no more after unsubscribing');
		}
	},
	{
		name: 'stop says goodbye: peers are told why, channels break with peer-lost, what came whole stays readable',
		async run(place) {
			const [a, b] = [await place.mesh(), await place.mesh()];
			const events = eventsOf(b);
			const { near, far } = await join(a, b);
			await near.send(bytes(5));
			const got: Uint8Array[] = [];
			await until(() => b.peers().some(({ id }) => id === a.self), 'a known to b');
			await a.stop();
			const how = await collect(far, got);
			must(how === 'peer-lost', `the reader of the other side was told: ${how}`);
			must(got.length === 1, 'the message that came whole was read');
			const down = await until(() => events.find((event) => event.type === 'peer-down'), 'peer-down');
			must(
				down.type === 'peer-down' && down.peer === a.self && down.why === 'goodbye',
				`goodbye: ${JSON.stringify(down)}`
			);
			must(!b.peers().some(({ id }) => id === a.self), 'no longer a peer');
			must((await codeIn(near.send(bytes(1)))) !== 'none', 'the stopped side cannot send');
			await a.stop();
		}
	},
	{
		name: 'goodbye alone is heard too, and closes nothing on the speaker’s own account',
		async run(place) {
			const [a, b] = [await place.mesh(), await place.mesh()];
			const events = eventsOf(b);
			const { far } = await join(a, b);
			const end = collect(far, []);
			await until(() => b.peers().find(({ id }) => id === a.self)?.roundTripMs !== undefined, 'a beat from a');
			a.goodbye();
			must((await end) === 'peer-lost', 'peer-lost');
			await until(() => events.some((event) => event.type === 'peer-down' && event.why === 'goodbye'), 'peer-down');
		}
	},
	{
		name: 'a mesh that vanishes is noticed: silent or closed, channels break with peer-lost',
		async run(place) {
			const [a, b] = [await place.mesh(), await place.mesh()];
			const events = eventsOf(b);
			const { far } = await join(a, b);
			await until(() => b.peers().find(({ id }) => id === a.self)?.roundTripMs !== undefined, 'a beat from a');
			const end = collect(far, []);
			await place.vanish(a);
			must((await end) === 'peer-lost', 'peer-lost');
			await until(
				() => events.some((event) => event.type === 'peer-down' && event.peer === a.self && event.why !== 'goodbye'),
				'peer-down'
			);
		}
	},
	{
		name: 'suggested peers become neighbours',
		async run(place) {
			const [a, b] = [await place.mesh(), await place.mesh()];
			a.suggest(b.self, b.addresses());
			b.suggest(a.self, a.addresses());
			a.suggest('nobody', ['nonsense']);
			await until(() => a.peers().some(({ id, path }) => id === b.self && path === 'direct'), 'a link');
		}
	}
];

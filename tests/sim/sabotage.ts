/** Nodes that are broken on purpose, at least one way for each invariant: what shows that the checker can fail. */
import type { OriginateEvent } from '#lib/node/events.ts';
import type { Signer } from '#lib/ports/keys.ts';
import type { Channel } from '#lib/ports/mesh.ts';
import type { ReceiptRecord } from '#lib/ports/store.ts';
import { read, seal } from '#lib/protocol/envelope.ts';
import { equalBytes } from '#lib/protocol/encode.ts';
import { receiptCountersignature } from '#lib/protocol/receipt.ts';
import type { TestNode, World } from '../doubles/node.ts';
import type { Invariant } from './dossier.ts';
import { isCountersignature } from './wire.ts';

/** Each with the invariant it violates. */
export const SABOTAGES = {
	'ends-in-silence': 'one-end',
	'ends-twice': 'one-end',
	'fails-without-cause': 'one-end',
	'loses-a-word': 'whole-answer',
	'doubles-a-word': 'whole-answer',
	'changes-a-token': 'whole-answer',
	'tears-receipts': 'one-chain',
	'keeps-no-receipts': 'one-chain',
	'invents-a-receipt': 'no-unearned',
	'signs-twice': 'paid-once',
	'runs-ahead': 'small-loss',
	'hears-for-ever': 'bounded',
	'keeps-channels': 'bounded',
	'deaf-to-statements': 'finds-itself',
	'mute-after-a-minute': 'finds-itself'
} as const satisfies Record<string, Invariant>;
export type Sabotage = keyof typeof SABOTAGES;

export interface Broken {
	ports(ports: TestNode['ports'], world: World): TestNode['ports'];
	/** What the checker is told of an engine's run. */
	run(tokens: readonly number[]): readonly number[];
	/** What the person sees instead of an event. */
	event(event: OriginateEvent): readonly OriginateEvent[];
}

const WHOLE: Broken = { ports: (ports) => ports, run: (tokens) => tokens, event: (event) => [event] };

/** Tokens that an engine which runs ahead has made before anybody was sent one. */
const AHEAD = 400;
const MINUTE_MS = 60_000;

export function breaks(sabotage: Sabotage | undefined): Broken {
	const words = (change: (event: Extract<OriginateEvent, { type: 'words' }>) => readonly OriginateEvent[]): Broken => ({
		...WHOLE,
		event: (event) => (event.type === 'words' && event.position === 3 ? change(event) : [event])
	});
	const ends = (change: (event: OriginateEvent) => readonly OriginateEvent[]): Broken => ({
		...WHOLE,
		event: (event) => (isEnd(event) ? change(event) : [event])
	});
	switch (sabotage) {
		case undefined:
			return WHOLE;
		case 'ends-in-silence':
			return ends(() => []);
		case 'ends-twice':
			return ends((event) => [event, event]);
		case 'fails-without-cause':
			return ends(() => [{ type: 'failed', code: 'internal' }]);
		case 'loses-a-word':
			return words(() => []);
		case 'doubles-a-word':
			return words((event) => [event, event]);
		case 'changes-a-token':
			return words((event) => [{ ...event, tokens: [63], text: 'w63 ' }]);
		case 'runs-ahead':
			return { ...WHOLE, run: (tokens) => new Proxy(tokens, { get: ahead }) };
		case 'tears-receipts':
			return receipts((row) => ({ ...row, document: row.document.map((byte, at) => (at === 200 ? byte ^ 1 : byte)) }));
		case 'keeps-no-receipts':
			return receipts(() => undefined);
		case 'invents-a-receipt':
			return receipts((row) => ({ ...row, job: `${row.job.slice(0, -4)}0000` }));
		case 'signs-twice':
			return { ...WHOLE, ports: signsTwice };
		case 'hears-for-ever':
			return {
				...WHOLE,
				ports: (ports) =>
					within(ports, 'subscribe', (hears) => (...args) => {
						hears(...args);
						return nothing;
					})
			};
		case 'keeps-channels':
			return { ...WHOLE, ports: keepsChannels };
		case 'deaf-to-statements':
			return {
				...WHOLE,
				ports: (ports) =>
					within(
						ports,
						'subscribe',
						(hears) => (topic, judge, hear) => hears(topic, judge, topic === 'fireweed/1/capabilities' ? nothing : hear)
					)
			};
		case 'mute-after-a-minute':
			return {
				...WHOLE,
				ports: (ports) =>
					within(ports, 'publish', (says) => async (topic, message) => {
						if (ports.clock.monotonic() < MINUTE_MS) await says(topic, message);
					})
			};
	}
}

export function isEnd(event: OriginateEvent): boolean {
	return event.type === 'finished' || event.type === 'lost' || event.type === 'failed';
}

const nothing = (): void => undefined;

function ahead(tokens: readonly number[], key: string | symbol): unknown {
	return key === 'length' ? tokens.length + AHEAD : Reflect.get(tokens, key);
}

/** One verb of the mesh done otherwise. */
function within<V extends 'subscribe' | 'publish' | 'open'>(
	ports: TestNode['ports'],
	verb: V,
	change: (real: TestNode['ports']['mesh'][V]) => TestNode['ports']['mesh'][V]
): TestNode['ports'] {
	const { mesh } = ports;
	const real = mesh[verb].bind(mesh) as TestNode['ports']['mesh'][V];
	const other = change(real);
	return { ...ports, mesh: new Proxy(mesh, { get: (of, key) => (key === verb ? other : bound(of, key)) }) };
}

function bound(of: object, key: string | symbol): unknown {
	const value: unknown = Reflect.get(of, key);
	return typeof value === 'function' ? value.bind(of) : value;
}

/** Receipts are kept otherwise, or not at all. */
function receipts(change: (row: ReceiptRecord) => ReceiptRecord | undefined): Broken {
	return {
		...WHOLE,
		ports: (ports) => {
			const table = ports.store.receipts;
			const put = async (row: ReceiptRecord) => {
				const other = change(row);
				if (other !== undefined) await table.put(other);
			};
			const receipts = new Proxy(table, { get: (of, key) => (key === 'put' ? put : bound(of, key)) });
			const store = new Proxy(ports.store, { get: (of, key) => (key === 'receipts' ? receipts : bound(of, key)) });
			return { ...ports, store };
		}
	};
}

/** Countersigns a second, dearer receipt of the same epoch. */
function signsTwice(ports: TestNode['ports']): TestNode['ports'] {
	const keys: Signer[] = [];
	const jobKey = async () => {
		const key = await ports.jobKey();
		keys.push(key);
		return key;
	};
	const open =
		(real: TestNode['ports']['mesh']['open']): typeof real =>
		async (...args) =>
			changed(await real(...args), async (channel, bytes) => {
				await channel.send(bytes);
				if (!isCountersignature(bytes)) return;
				const { body, signer } = read(receiptCountersignature, bytes);
				const key = keys.find(({ publicKey }) => equalBytes(publicKey, signer));
				if (key === undefined) return;
				const dearer = { ...body, price: body.price + 1 };
				await channel.send((await seal(receiptCountersignature, dearer, key)).bytes).catch(nothing);
			});
	return within({ ...ports, jobKey }, 'open', open);
}

/** Never closes a channel that it opened. */
function keepsChannels(ports: TestNode['ports']): TestNode['ports'] {
	return within(ports, 'open', (real) => async (...args) => {
		const channel = await real(...args);
		return {
			peer: channel.peer,
			messages: channel.messages,
			send: (bytes) => channel.send(bytes),
			close: async () => undefined,
			abort: nothing
		};
	});
}

function changed(channel: Channel, send: (channel: Channel, bytes: Uint8Array) => Promise<void>): Channel {
	let sending = Promise.resolve();
	return {
		peer: channel.peer,
		messages: channel.messages,
		send: (bytes) => {
			const sent = send(channel, bytes);
			sending = sent.catch(nothing);
			return sent;
		},
		// After everything that was said, as every channel ends.
		close: () => sending.then(() => channel.close()),
		abort: () => channel.abort()
	};
}

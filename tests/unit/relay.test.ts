/** The relay: settings, STUN, introductions, limits, health; with real sockets on loopback. */
import { createSocket } from 'node:dgram';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { openCrypto } from '#lib/keys/crypto.ts';
import { codeOf, type Code } from '#lib/protocol/errors.ts';
import { openNodeManifest } from '#lib/protocol/node-manifest.ts';
import { readConfig, VARIABLES, type RelayConfig } from '../../relay/config.ts';
import { loadKey } from '../../relay/key.ts';
import { startRelay, type GossipJudge, type Relay } from '../../relay/relay.ts';
import { answerTo, fingerprint, parseRequest, startStun, StunRate } from '../../relay/stun.ts';
import { codeIn, until } from '../compliance/mesh.ts';
import { nodeMesh } from '../doubles/mesh-nodes.ts';
import { startRelayChild } from '../interop/relay-child.ts';

const undo: (() => Promise<unknown>)[] = [];
afterEach(async () => {
	for (const one of undo.splice(0).reverse()) await one();
});

async function folder(): Promise<string> {
	const made = await mkdtemp(path.join(tmpdir(), 'fireweed-relay-'));
	undo.push(() => rm(made, { recursive: true, force: true }));
	return made;
}

const real = await openCrypto({ subtle: globalThis.crypto.subtle });
const accept: GossipJudge = () => 'accept';

async function relayWith(change: Partial<RelayConfig> = {}, judge: GossipJudge = accept): Promise<Relay> {
	const config = readConfig({ FIREWEED_RELAY_PORT: '0', FIREWEED_RELAY_KEY: path.join(await folder(), 'key') });
	const relay = await startRelay({ ...config, ...change }, judge, real);
	undo.push(() => relay.stop());
	return relay;
}

async function meshOn(relays: readonly string[]) {
	const mesh = nodeMesh(relays, undefined, []);
	await mesh.start();
	undo.push(() => mesh.stop());
	await until(() => mesh.relays().every(({ up }) => up), 'the relay');
	return mesh;
}

function refusal(environment: Record<string, string>): { code: Code; message: string } {
	try {
		readConfig(environment);
	} catch (error) {
		return { code: codeOf(error), message: String(error) };
	}
	throw new Error('not refused');
}

describe('settings', () => {
	test('an empty environment is a relay on loopback', () => {
		expect(readConfig({})).toEqual({
			host: '127.0.0.1',
			port: 9100,
			healthHost: '127.0.0.1',
			healthPort: 9101,
			announce: [],
			keyFile: '.fireweed/relay.key',
			maxConnections: 2000,
			maxPerIp: 64,
			maxReservations: 2000,
			introductionBytes: 16_384,
			introductionSeconds: 30,
			stunPerSecond: 20,
			listFile: undefined,
			traceFile: undefined
		});
		expect(readConfig({ FIREWEED_RELAY_PORT: '0' }).healthPort).toBe(0);
		expect(readConfig({ FIREWEED_RELAY_ANNOUNCE: ' /dns4/a/tcp/443/wss , /ip4/1.2.3.4/tcp/1/ws,' }).announce).toEqual([
			'/dns4/a/tcp/443/wss',
			'/ip4/1.2.3.4/tcp/1/ws'
		]);
	});

	test.each([
		['FIREWEED_RELAY_PORT', '65536'],
		['FIREWEED_RELAY_PORT', '-1'],
		['FIREWEED_RELAY_PORT', '80x'],
		['FIREWEED_RELAY_HOST', 'localhost'],
		['FIREWEED_RELAY_HOST', '1.2.3.999'],
		['FIREWEED_RELAY_HEALTH_PORT', '1e3'],
		['FIREWEED_RELAY_MAX_PER_IP', '0'],
		['FIREWEED_RELAY_INTRODUCTION_BYTES', '10']
	])('%s=%s is refused by name', (name, value) => {
		expect(refusal({ [name]: value })).toMatchObject({
			code: 'malformed',
			message: expect.stringContaining(name) as string
		});
	});

	test('the trace is for tests: refused unless the relay listens on loopback', () => {
		expect(refusal({ FIREWEED_RELAY_TRACE: '/tmp/x', FIREWEED_RELAY_HOST: '0.0.0.0' }).message).toContain(
			'FIREWEED_RELAY_TRACE'
		);
		expect(readConfig({ FIREWEED_RELAY_TRACE: '/tmp/x' }).traceFile).toBe('/tmp/x');
	});

	test('any value of any variable is read or refused, never thrown on', () => {
		fc.assert(
			fc.property(fc.constantFrom(...VARIABLES.map(({ name }) => name)), fc.string(), (name, value) => {
				try {
					readConfig({ [name]: value });
				} catch (error) {
					expect(codeOf(error)).toBe('malformed');
				}
			})
		);
	});

	test('the key file: made once, private, kept; what is no key is not overwritten', async () => {
		const file = path.join(await folder(), 'deep', 'relay.key');
		const key = await loadKey(file);
		expect((await stat(file)).mode & 0o777).toBe(0o600);
		expect((await loadKey(file)).equals(key)).toBe(true);
		await writeFile(file, 'not a key');
		expect(await codeIn(loadKey(file))).toBe('malformed');
		expect(await readFile(file, 'utf8')).toBe('not a key');
	});
});

describe('STUN', () => {
	const hex = (text: string): Uint8Array =>
		Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
	/** A request with the given attributes and, at the end, a fingerprint. */
	function request(attributes: readonly (readonly [number, Uint8Array])[], withFingerprint = true): Uint8Array {
		const parts = attributes.flatMap(([type, value]) => {
			const padded = new Uint8Array(4 + Math.ceil(value.length / 4) * 4);
			new DataView(padded.buffer).setUint16(0, type);
			new DataView(padded.buffer).setUint16(2, value.length);
			padded.set(value, 4);
			return [...padded];
		});
		const body = Uint8Array.from(parts);
		const bytes = new Uint8Array(20 + body.length + (withFingerprint ? 8 : 0));
		const view = new DataView(bytes.buffer);
		view.setUint16(0, 1);
		view.setUint16(2, bytes.length - 20);
		view.setUint32(4, 0x2112a442);
		bytes.set(
			Array.from({ length: 12 }, (_, n) => n + 1),
			8
		);
		bytes.set(body, 20);
		if (withFingerprint) {
			view.setUint16(20 + body.length, 0x8028);
			view.setUint16(22 + body.length, 4);
			view.setUint32(24 + body.length, fingerprint(bytes.subarray(0, 20 + body.length)));
		}
		return bytes;
	}

	// RFC 5769, 2.1 (request with USERNAME, MESSAGE-INTEGRITY, PRIORITY, ICE-CONTROLLED) and 2.2/2.3 (responses).
	const RFC_REQUEST =
		'000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff80290008932ff9b151263b36' +
		'000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf';
	const RFC_RESPONSE_4 =
		'0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a643000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96';
	const RFC_RESPONSE_6 =
		'010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c';

	test('the RFC’s own request is read, its fingerprint holds, and its required attributes are named as unknown', () => {
		expect(parseRequest(hex(RFC_REQUEST))).toMatchObject({
			kind: 'unknown-attributes',
			unknown: [0x0024, 0x0006, 0x0008]
		});
	});

	test.each([
		['IPv4', RFC_RESPONSE_4, '192.0.2.1'],
		['IPv6', RFC_RESPONSE_6, '2001:db8:1234:5678:11:2233:4455:6677']
	])('the mapped address is that of the RFC’s %s answer', (_name, text, address) => {
		const theirs = hex(text);
		const transaction = theirs.slice(8, 20);
		const ours = answerTo({ kind: 'binding', transaction }, { address, port: 32853 });
		// Theirs begins with SOFTWARE (16 bytes); ours has the mapped address first.
		const size = 4 + (theirs[20 + 16 + 3] ?? 0);
		expect([...ours.subarray(20, 20 + size)]).toEqual([...theirs.subarray(36, 36 + size)]);
		const view = new DataView(ours.buffer);
		expect(view.getUint32(ours.length - 4)).toBe(fingerprint(ours.subarray(0, ours.length - 8)));
		expect(view.getUint16(2)).toBe(ours.length - 20);
		const theirView = new DataView(theirs.buffer);
		expect(theirView.getUint32(theirs.length - 4)).toBe(fingerprint(theirs.subarray(0, theirs.length - 8)));
	});

	test('an IPv4 asker on a dual-stack socket is told its IPv4 address; :: is filled in rightly', () => {
		const transaction = new Uint8Array(12);
		expect(answerTo({ kind: 'binding', transaction }, { address: '::ffff:1.2.3.4', port: 5 })).toEqual(
			answerTo({ kind: 'binding', transaction }, { address: '1.2.3.4', port: 5 })
		);
		expect(answerTo({ kind: 'binding', transaction }, { address: '2001:db8::1', port: 5 })).toEqual(
			answerTo({ kind: 'binding', transaction }, { address: '2001:db8:0:0:0:0:0:1', port: 5 })
		);
		expect(answerTo({ kind: 'binding', transaction }, { address: 'fe80::1%eth0', port: 5 })).toEqual(
			answerTo({ kind: 'binding', transaction }, { address: 'fe80:0:0:0:0:0:0:1', port: 5 })
		);
	});

	test('a plain request, with or without optional attributes, is a binding', () => {
		expect(parseRequest(request([], false))).toMatchObject({ kind: 'binding' });
		expect(parseRequest(request([[0x8022, Uint8Array.of(1, 2, 3)]]))).toMatchObject({ kind: 'binding' });
	});

	test.each([
		['nothing', new Uint8Array(0)],
		['19 bytes', request([], false).subarray(0, 19)],
		['trailing bytes', Uint8Array.of(...request([], false), 0, 0, 0, 0)],
		['a length that is not a multiple of four', Uint8Array.of(...request([], false), 0)],
		['another magic', request([], false).map((byte, at) => (at === 4 ? 0 : byte))],
		['a response', request([], false).map((byte, at) => (at === 0 ? 1 : byte))],
		['a wrong fingerprint', request([]).map((byte, at) => (at === 27 ? byte ^ 1 : byte))],
		[
			'a fingerprint that is not last',
			request(
				[
					[0x8028, new Uint8Array(4)],
					[0x8022, new Uint8Array(4)]
				],
				false
			)
		],
		[
			'an attribute longer than the message',
			request([[0x8022, new Uint8Array(4)]], false).map((byte, at) => (at === 23 ? 200 : byte))
		],
		['a novel', new Uint8Array(2_000)]
	])('%s gets no answer', (_name, bytes) => {
		expect(parseRequest(bytes)).toBeUndefined();
	});

	test('any bytes: read or not, never thrown on; an answer is at most 32 bytes longer than its question', () => {
		const some = fc.oneof(
			fc.uint8Array({ maxLength: 600 }),
			fc
				.array(fc.tuple(fc.nat(0xffff), fc.uint8Array({ maxLength: 30 })), { maxLength: 12 })
				.map((list) => request(list)),
			fc
				.tuple(
					fc.array(fc.tuple(fc.nat(0xffff), fc.uint8Array({ maxLength: 30 })), { maxLength: 6 }),
					fc.nat(),
					fc.nat(255)
				)
				.map(([list, at, byte]) => {
					const bytes = request(list);
					bytes[at % bytes.length] = byte;
					return bytes;
				})
		);
		fc.assert(
			fc.property(some, fc.constantFrom('1.2.3.4', '2001:db8::1'), (bytes, address) => {
				const parsed = parseRequest(bytes);
				if (parsed === undefined) return;
				const answer = answerTo(parsed, { address, port: 1 });
				expect(answer.length).toBeLessThanOrEqual(bytes.length + (address.includes(':') ? 32 : 20));
			}),
			{ numRuns: 500 }
		);
	});

	test('so many answers for one address in a second, and again in the next', () => {
		const rate = new StunRate(3);
		const ask = (who: string, now: number): boolean => rate.allows(who, now);
		expect([1, 2, 3, 4].map(() => ask('a', 1_000))).toEqual([true, true, true, false]);
		expect(ask('b', 1_000)).toBe(true);
		expect(ask('a', 2_000)).toBe(true);
	});

	test('over a real socket: 420 for what is required and unknown, silence for noise', async () => {
		const stun = await startStun('127.0.0.1', 0, 5, () => 1_000).catch(() => undefined);
		await stun?.stop();
		const probe = createSocket('udp4');
		await new Promise<void>((resolve) => probe.bind(0, '127.0.0.1', resolve));
		const { port } = probe.address();
		await new Promise<void>((resolve) => probe.close(() => resolve()));
		const server = await startStun('127.0.0.1', port, 5, () => 1_000);
		undo.push(() => server.stop());
		expect(await codeIn(startStun('127.0.0.1', port, 5, () => 0))).toBe('malformed');
		const socket = createSocket('udp4');
		undo.push(() => new Promise<void>((resolve) => socket.close(() => resolve())));
		const answers: Uint8Array[] = [];
		socket.on('message', (bytes) => answers.push(bytes));
		socket.send(Uint8Array.of(1, 2, 3), port, '127.0.0.1');
		socket.send(request([[0x0024, new Uint8Array(4)]]), port, '127.0.0.1');
		await until(() => answers.length === 1, 'an answer');
		for (let n = 0; n < 8; n += 1) socket.send(request([]), port, '127.0.0.1');
		await until(() => server.counts.limited === 4, 'the limit');
		await until(() => answers.length === 5, 'the answers');
		const kinds = answers.map((bytes) => new DataView(bytes.buffer, bytes.byteOffset).getUint16(0));
		expect(kinds).toEqual([0x0111, 0x0101, 0x0101, 0x0101, 0x0101]);
		expect(server.counts).toEqual({ answered: 4, refused: 1, limited: 4, ignored: 1 });
	});
});

describe('a running relay', () => {
	test('says who it is, signed, and names the relays its operator listed; what does not hold is passed over', async () => {
		const manifestOf = async (relay: Relay) => (await fetch(relay.healthUrl.replace('/health', '/manifest'))).text();
		const friend = await relayWith();
		const list = path.join(await folder(), 'list');
		const forged = Buffer.from((await manifestOf(friend)).trim(), 'base64url');
		forged[forged.length - 1] = (forged.at(-1) ?? 0) ^ 1;
		await writeFile(list, `${await manifestOf(friend)}\n# a note\n${forged.toString('base64url')}\n`);
		const relay = await relayWith({ listFile: list });
		const mesh = await meshOn(relay.addresses);
		const peer = /\/p2p\/([^/]+)$/.exec(relay.addresses[0] ?? '')?.[1] ?? '';
		const told = await mesh.askAcquaintances(peer, AbortSignal.timeout(5_000));
		const known = await Promise.all(told.map((bytes) => openNodeManifest(bytes, real, Date.now())));
		expect(known.map(({ manifest }) => [manifest.role, manifest.addresses])).toEqual([
			['relay', relay.addresses],
			['relay', friend.addresses]
		]);
		expect(await codeIn(relayWith({ listFile: '/nowhere/at/all' }))).toBe('malformed');
	});
	test('health answers GET only, and counts', async () => {
		const relay = await relayWith();
		await meshOn(relay.addresses);
		const health = (await (await fetch(relay.healthUrl)).json()) as { ok: boolean };
		expect(health).toMatchObject({ ok: true, connections: 1, reservations: 1, introductions: { introductions: 0 } });
		expect((await fetch(relay.healthUrl, { method: 'POST' })).status).toBe(405);
		expect((await fetch(relay.healthUrl.replace('/health', '/'))).status).toBe(404);
	});

	test('gossip passes from tab to tab through it, judged first; what it rejects goes no further', async () => {
		const relay = await relayWith({}, (_topic, message) => (message[0] === 0 ? 'reject' : 'accept'));
		const [a, b] = [await meshOn(relay.addresses), await meshOn(relay.addresses)];
		const heard: number[] = [];
		b.subscribe(
			'fireweed/1/bids',
			() => 'accept',
			(message) => heard.push(message[0] ?? -1)
		);
		let n = 0;
		await until(async () => {
			n += 1;
			await a.publish('fireweed/1/bids', Uint8Array.of(0, n));
			await a.publish('fireweed/1/bids', Uint8Array.of(1, n));
			return heard.length > 0;
		}, 'gossip');
		expect(heard).not.toContain(0);
		expect(relay.metrics().gossip.reject).toBeGreaterThan(0);
		expect(relay.metrics().gossipBytes).toBeGreaterThan(0);
	});

	test('a relayed connection carries no job: refused on opening, and never offered as an address', async () => {
		const relay = await relayWith();
		const [a, b] = [await meshOn(relay.addresses), await meshOn(relay.addresses)];
		const [address] = relay.addresses;
		expect(b.addresses()).toEqual([]);
		expect(await codeIn(a.open(b.self, [`${address}/p2p-circuit/p2p/${b.self}`], new AbortController().signal))).toBe(
			'limited-connection'
		);
		expect(relay.metrics().introductions.introductions).toBe(1);
		expect(relay.metrics().introductions.relayedBytes).toBeGreaterThan(0);
	});

	test('an introduction that wants more than its bytes is cut off and counted', async () => {
		const relay = await relayWith({ introductionBytes: 256 });
		const [a, b] = [await meshOn(relay.addresses), await meshOn(relay.addresses)];
		expect(
			await codeIn(a.open(b.self, [`${relay.addresses[0]}/p2p-circuit/p2p/${b.self}`], new AbortController().signal))
		).toBe('unreachable');
		expect(relay.metrics().introductions.overLimit).toBeGreaterThan(0);
	});

	test('so many from one address and no more; a place is free again when one leaves', async () => {
		const relay = await relayWith({ maxPerIp: 2 });
		const [, second] = [await meshOn(relay.addresses), await meshOn(relay.addresses)];
		const third = nodeMesh(relay.addresses, undefined, []);
		undo.push(() => third.stop());
		await third.start();
		await until(() => relay.metrics().refusedConnections > 0, 'a refusal');
		expect(third.relays()).toMatchObject([{ up: false }]);
		await second.stop();
		await until(() => third.relays()[0]?.up, 'a place');
	});

	test('dead and back a dozen times: the tab reserves again each time', async () => {
		const config = { ...readConfig({ FIREWEED_RELAY_KEY: path.join(await folder(), 'key') }), port: 0, healthPort: 0 };
		let relay = await startRelay(config, accept, real);
		const mesh = await meshOn(relay.addresses);
		const port = Number(/tcp\/(\d+)/.exec(relay.addresses[0] ?? '')?.[1]);
		for (let n = 0; n < 12; n += 1) {
			await relay.stop();
			await until(() => mesh.relays()[0]?.up === false, 'relay-down');
			relay = await startRelay({ ...config, port }, accept, real);
			await until(() => mesh.relays()[0]?.up, `back after death ${n + 1}`);
			expect(relay.metrics().reservations).toBe(1);
		}
		undo.push(() => relay.stop());
	}, 60_000);

	test('as a process: says where it listens, refuses by name, traces for tests, ends when told to', async () => {
		const place = await folder();
		const variables = {
			FIREWEED_RELAY_PORT: '0',
			FIREWEED_RELAY_KEY: path.join(place, 'key'),
			FIREWEED_RELAY_TRACE: path.join(place, 'trace')
		};
		const child = await startRelayChild(variables);
		expect(child.addresses).toEqual([expect.stringMatching(/^\/ip4\/127\.0\.0\.1\/tcp\/\d+\/ws\/p2p\/12D3KooW/)]);
		const mesh = await meshOn(child.addresses);
		let n = 0;
		// Not a message of ours: rejected by the real judge, and traced all the same.
		await until(async () => {
			n += 1;
			await mesh.publish('fireweed/1/announcements', Uint8Array.of(0xde, 0xad, n));
			return (await child.health()).gossip.reject > 0;
		}, 'a rejection');
		expect(await readFile(variables.FIREWEED_RELAY_TRACE, 'utf8')).toMatch(/^fireweed\/1\/announcements dead/m);
		expect(await child.stop()).toBe(0);
		await expect(startRelayChild({ ...variables, FIREWEED_RELAY_HOST: 'nowhere' })).rejects.toThrow(
			'FIREWEED_RELAY_HOST'
		);
	});
});

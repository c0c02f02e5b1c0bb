/** The pure parts of the mesh: framing, pulse, back-off, neighbours, bucket, addresses, gate. */
import { multiaddr } from '@multiformats/multiaddr';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { firstHop, parseAddress, peerAt } from '#lib/mesh/address.ts';
import { BACKOFF_LONGEST_MS, backoffMs } from '#lib/mesh/backoff.ts';
import { BURST, FULL_BUCKET, REFILL_MS, take } from '#lib/mesh/bucket.ts';
import { creditFrame, endFrame, FrameReader, messageFrame, type Frame } from '#lib/mesh/framing.ts';
import { Gate, pagePlaceOf } from '#lib/mesh/gater.ts';
import {
	choose,
	linked,
	MAX_CANDIDATES,
	NO_CANDIDATES,
	suggest,
	tried,
	WAIT_FOR_THEM_MS,
	WANTED_NEIGHBOURS
} from '#lib/mesh/neighbours.ts';
import { LEAST_PATIENCE_MS, PATIENCE_MS } from '#lib/mesh/patience.ts';
import { privateKeyOf } from '#lib/mesh/private-key.ts';
import {
	BEAT_MS,
	decodeRecord,
	encodeRecord,
	forget,
	FIRST_BEAT_MS,
	heardAnything,
	heardBeat,
	NO_PULSE,
	RECORD_BYTES,
	roundTripOf,
	tick,
	watch,
	type Pulse
} from '#lib/mesh/pulse.ts';
import { iceServersOf, MAX_STUN_SERVERS, stunAddressOf } from '#lib/mesh/stun-address.ts';
import { TICK_MS } from '#lib/mesh/ticker.ts';
import { codeOf, type Code } from '#lib/protocol/errors.ts';
import { MAX_CHANNEL_MESSAGE } from '#lib/protocol/limits.ts';
import { freshSigner } from '../doubles/mesh-nodes.ts';

const PEER = '12D3KooWEC5hTP72TCKRr5ybEk3dupSkvzSdgPyTZ7AEENGXpxVZ';

function code(work: () => unknown): Code | 'none' {
	try {
		work();
		return 'none';
	} catch (error) {
		return codeOf(error);
	}
}

function join(parts: readonly Uint8Array[]): Uint8Array {
	return Uint8Array.from(parts.flatMap((part) => [...part]));
}

describe('framing', () => {
	const frame = fc.oneof(
		fc.uint8Array({ maxLength: 300 }).map((message): Frame => ({ kind: 'message', message })),
		fc.integer({ min: 0, max: 0xffffff }).map((bytes): Frame => ({ kind: 'credit', bytes }))
	);
	const encode = (one: Frame): Uint8Array =>
		one.kind === 'message' ? messageFrame(one.message) : one.kind === 'credit' ? creditFrame(one.bytes) : endFrame();

	test('any frames, cut anywhere, come out the same', () => {
		fc.assert(
			fc.property(
				fc.array(frame, { maxLength: 20 }),
				fc.boolean(),
				fc.infiniteStream(fc.integer({ min: 1, max: 40 })),
				(frames, ends, cuts) => {
					const sent: Frame[] = ends ? [...frames, { kind: 'end' }, { kind: 'credit', bytes: 7 }] : frames;
					const bytes = join(sent.map(encode));
					const reader = new FrameReader();
					const got: Frame[] = [];
					for (let at = 0; at < bytes.length;) {
						const cut = cuts.next().value;
						got.push(...reader.push(bytes.subarray(at, at + cut)));
						at += cut;
					}
					expect(got).toEqual(sent);
				}
			)
		);
	});

	test('any bytes at all either are frames or are refused, and never hang or grow', () => {
		fc.assert(
			fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
				expect(['none', 'malformed', 'oversized']).toContain(code(() => [...new FrameReader().push(bytes)]));
			})
		);
	});

	test('the longest message passes; one byte more is refused by writer and reader', () => {
		const [only] = [...new FrameReader().push(messageFrame(new Uint8Array(MAX_CHANNEL_MESSAGE)))];
		expect(only).toMatchObject({ kind: 'message' });
		expect(code(() => messageFrame(new Uint8Array(MAX_CHANNEL_MESSAGE + 1)))).toBe('oversized');
		const head = new Uint8Array(4);
		new DataView(head.buffer).setUint32(0, MAX_CHANNEL_MESSAGE + 1);
		expect(code(() => [...new FrameReader().push(head)])).toBe('oversized');
	});

	test.each([
		['an unknown kind', Uint8Array.of(3, 0, 0, 0)],
		['an end with a number', Uint8Array.of(2, 0, 0, 1)],
		['a message after the end', join([endFrame(), messageFrame(Uint8Array.of(1))])],
		['a second end', join([endFrame(), endFrame()])]
	])('%s is malformed', (_name, bytes) => {
		expect(code(() => [...new FrameReader().push(bytes)])).toBe('malformed');
	});

	test('a message does not share memory with the chunk it came in', () => {
		const chunk = messageFrame(Uint8Array.of(1, 2, 3));
		const [got] = [...new FrameReader().push(chunk)];
		chunk.fill(9);
		expect(got).toEqual({ kind: 'message', message: Uint8Array.of(1, 2, 3) });
	});
});

describe('pulse, on virtual time', () => {
	/** Ticks from `from` to `to`; answers the state and when which link fell silent. */
	function run(
		pulse: Pulse,
		from: number,
		to: number,
		at: (now: number, pulse: Pulse) => Pulse = (_now, one) => one
	): { pulse: Pulse; silentAt: number | undefined } {
		let silentAt: number | undefined;
		for (let now = from; now <= to; now += TICK_MS) {
			const result = tick(at(now, pulse), now);
			pulse = result.pulse;
			if (result.silent.length > 0) silentAt ??= now;
		}
		return { pulse, silentAt };
	}

	test('a peer that beats is never silent; one that stops is, within the stated time and one tick', () => {
		const alive = (now: number, pulse: Pulse): Pulse =>
			now % BEAT_MS === 0
				? heardBeat(pulse, 'a', { kind: 'beat', sequence: 1 + now / BEAT_MS, echo: 0, heldMs: 0 }, now)
				: pulse;
		const { pulse, silentAt } = run(watch(NO_PULSE, 'a', 0), 0, 60_000, alive);
		expect(silentAt).toBeUndefined();
		const after = run(pulse, 60_000 + TICK_MS, 70_000);
		expect(after.silentAt).toBeGreaterThan(60_000 + PATIENCE_MS);
		expect(after.silentAt).toBeLessThanOrEqual(60_000 + PATIENCE_MS + TICK_MS);
		expect(after.pulse.links.size).toBe(0);
	});

	test('a new link has longer for its first beat', () => {
		const { silentAt } = run(watch(NO_PULSE, 'a', 0), 0, 20_000);
		expect(silentAt).toBeGreaterThan(FIRST_BEAT_MS);
		expect(silentAt).toBeLessThanOrEqual(FIRST_BEAT_MS + TICK_MS);
	});

	test('one that falls silent in the middle of its frames is found in half the time; one that stuttered is not', () => {
		const speaking = (now: number, pulse: Pulse): Pulse => {
			for (let at = now - TICK_MS; at < now; at += 25) pulse = heardAnything(pulse, 'a', at);
			return pulse;
		};
		const from = 20_000;
		const { pulse } = run(watch(NO_PULSE, 'a', 0), 0, from, speaking);
		const { silentAt } = run(pulse, from + TICK_MS, from + 5_000);
		expect(silentAt).toBeGreaterThan(from + LEAST_PATIENCE_MS - 25);
		expect(silentAt).toBeLessThanOrEqual(from + LEAST_PATIENCE_MS + TICK_MS);
		const paused = run(pulse, from + TICK_MS, from + 500);
		expect(paused.silentAt).toBeUndefined();
		const again = run(paused.pulse, from + 625, from + 1_625, speaking);
		const then = run(again.pulse, from + 1_750, from + 5_000).silentAt ?? 0;
		expect(then - from - 1_625).toBeGreaterThan(2 * 450);
	});

	test('what waited behind our own lateness is no pause of theirs', () => {
		const speaking = (now: number, pulse: Pulse): Pulse => heardAnything(pulse, 'a', now);
		const { pulse } = run(watch(NO_PULSE, 'a', 0), 0, 20_000, speaking);
		// The page stands still for five seconds; the frame is read before the tick, or after it.
		const back = 25_000;
		const frameFirst = heardAnything(pulse, 'a', back);
		const tickFirst = heardAnything(tick(pulse, back).pulse, 'a', back);
		for (const { links } of [frameFirst, tickFirst]) expect(links.get('a')?.patience?.longest).toBe(TICK_MS);
	});

	test('beats at every second tick, also when ticks come a little early or late', () => {
		let pulse = watch(NO_PULSE, 'a', 0);
		const beats: number[] = [];
		for (let i = 0; i < 8; i++) {
			const result = tick(pulse, i * TICK_MS + (i % 3) * 20);
			pulse = result.pulse;
			beats.push(result.beats.length);
		}
		expect(beats).toEqual([1, 0, 1, 0, 1, 0, 1, 0]);
	});

	test('anything heard counts as life', () => {
		const { silentAt } = run(watch(NO_PULSE, 'a', 0), 0, 30_000, (now, pulse) => heardAnything(pulse, 'a', now));
		expect(silentAt).toBeUndefined();
	});

	test('our own freeze is not the peer’s silence, however long; a peer gone in the meantime is found soon after', () => {
		fc.assert(
			fc.property(fc.integer({ min: 600, max: 3_600_000 }), (frozen) => {
				let { pulse } = run(heardAnything(watch(NO_PULSE, 'a', 0), 'a', 0), 0, 1_000);
				const back = 1_000 + frozen;
				const woken = tick(pulse, back);
				expect(woken.silent).toEqual([]);
				({ pulse } = woken);
				const { silentAt } = run(pulse, back + TICK_MS, back + 10_000);
				expect(silentAt).toBeLessThanOrEqual(back + PATIENCE_MS + TICK_MS);
			})
		);
	});

	test('ticks that come a little late or in a bunch raise no alarm', () => {
		fc.assert(
			fc.property(fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 20, maxLength: 100 }), (steps) => {
				let pulse = heardAnything(watch(NO_PULSE, 'a', 0), 'a', 0);
				let now = 0;
				let beat = 0;
				for (const step of steps) {
					now += step;
					// The peer beats on its own clock and is heard whenever we run.
					if (now - beat >= BEAT_MS) {
						beat = now;
						pulse = heardAnything(pulse, 'a', now);
					}
					const result = tick(pulse, now);
					expect(result.silent).toEqual([]);
					({ pulse } = result);
				}
			})
		);
	});

	test('measures the round trip of two sides without their clocks agreeing', () => {
		const [delay, offset] = [37, 123_456];
		let a = watch(NO_PULSE, 'x', 0);
		let b = watch(NO_PULSE, 'x', offset);
		const first = tick(a, 100);
		a = first.pulse;
		const [sent] = first.beats;
		if (sent?.record.kind !== 'beat') throw new Error('no beat');
		b = heardBeat(b, 'x', sent.record, 100 + delay + offset);
		const second = tick(b, 300 + offset);
		const [reply] = second.beats;
		if (reply?.record.kind !== 'beat') throw new Error('no beat');
		a = heardBeat(a, 'x', reply.record, 300 + delay);
		expect(roundTripOf(a, 'x')).toBe(2 * delay);
	});

	test('records survive the wire; unknown kinds and lengths are passed over', () => {
		fc.assert(
			fc.property(fc.nat(0xffffffff), fc.nat(0xffffffff), fc.nat(100_000), (sequence, echo, heldMs) => {
				const bytes = encodeRecord({ kind: 'beat', sequence, echo, heldMs });
				expect(bytes.length).toBe(RECORD_BYTES);
				expect(decodeRecord(bytes)).toEqual({ kind: 'beat', sequence, echo, heldMs: Math.min(heldMs, 65_535) });
			})
		);
		expect(decodeRecord(encodeRecord({ kind: 'goodbye' }))).toEqual({ kind: 'goodbye' });
		expect(decodeRecord(new Uint8Array(RECORD_BYTES).fill(9))).toBeUndefined();
		expect(decodeRecord(new Uint8Array(3))).toBeUndefined();
	});

	test('a forgotten link is neither beaten nor mourned', () => {
		const pulse = forget(watch(NO_PULSE, 'a', 0), 'a');
		expect(tick(pulse, 100_000)).toMatchObject({ beats: [], silent: [] });
		expect(heardBeat(pulse, 'a', { kind: 'beat', sequence: 1, echo: 1, heldMs: 0 }, 5)).toBe(pulse);
	});
});

test('back-off grows, stays within half and whole of its length, and has an end', () => {
	fc.assert(
		fc.property(fc.nat(1_000_000), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (attempt, chance) => {
			const [low, high] = [backoffMs(attempt, 0), backoffMs(attempt, 0.999_999)];
			const wait = backoffMs(attempt, chance);
			expect(wait).toBeGreaterThanOrEqual(low);
			expect(wait).toBeLessThanOrEqual(BACKOFF_LONGEST_MS);
			expect(high).toBeGreaterThan(low);
			expect(backoffMs(attempt + 1, 0)).toBeGreaterThanOrEqual(low);
		})
	);
});

test('the bucket gives a burst, then one at a time', () => {
	let bucket = FULL_BUCKET;
	const at = (now: number): boolean => {
		const result = take(bucket, now);
		({ bucket } = result);
		return result.granted;
	};
	expect(Array.from({ length: BURST }, () => at(1_000)).every(Boolean)).toBe(true);
	expect(at(1_000)).toBe(false);
	expect(at(1_000 + REFILL_MS)).toBe(true);
	expect(at(1_000 + REFILL_MS)).toBe(false);
	expect(Array.from({ length: BURST + 1 }, () => at(10_000_000)).filter(Boolean).length).toBe(BURST);
});

describe('neighbours', () => {
	const none = new Set<string>();
	test('of two that hear of each other, the smaller id dials first', () => {
		expect(choose(suggest(NO_CANDIDATES, 'a', 'b', ['x'], 0), none, 0, 0)?.peer).toBe('b');
		const larger = suggest(NO_CANDIDATES, 'b', 'a', ['x'], 0);
		expect(choose(larger, none, 0, 0)).toBeUndefined();
		expect(choose(larger, none, WAIT_FOR_THEM_MS, 0)?.peer).toBe('a');
	});
	test('enough is enough; those linked are not dialled; self and the addressless are no candidates', () => {
		const some = suggest(suggest(NO_CANDIDATES, 'a', 'b', ['x'], 0), 'a', 'c', ['x'], 0);
		expect(choose(some, new Set(['b']), 0, 0)?.peer).toBe('c');
		expect(choose(some, new Set(Array.from({ length: WANTED_NEIGHBOURS }, (_, n) => `n${n}`)), 0, 0)).toBeUndefined();
		expect(suggest(NO_CANDIDATES, 'a', 'a', ['x'], 0).size).toBe(0);
		expect(suggest(NO_CANDIDATES, 'a', 'b', [], 0).size).toBe(0);
	});
	test('a failing candidate waits longer each time and is dropped in the end; a link clears its name', () => {
		let some = suggest(NO_CANDIDATES, 'a', 'b', ['x'], 0);
		let now = 0;
		for (let n = 0; n < 5; n += 1) {
			expect(choose(some, none, now, 0)?.peer).toBe('b');
			some = tried(some, 'b', now, 0.5);
			expect(choose(some, none, now, 0)).toBeUndefined();
			now += 100_000;
		}
		expect(choose(some, none, now, 0)).toBeUndefined();
		expect(choose(linked(some, 'b'), none, now, 0)?.peer).toBe('b');
	});
	test('a flood of suggestions is bounded', () => {
		let some = NO_CANDIDATES;
		for (let n = 0; n < 10 * MAX_CANDIDATES; n += 1)
			some = suggest(some, 'a', `p${n}`, Array<string>(100).fill('x'), n);
		expect(some.size).toBe(MAX_CANDIDATES);
		expect([...some.values()].every(({ addresses }) => addresses.length <= 8)).toBe(true);
	});
});

describe('addresses and the gate', () => {
	test.each([
		['/ip4/127.0.0.1/tcp/9100/ws', 'loopback'],
		['/ip4/0.0.0.0/tcp/9100/ws', 'loopback'],
		['/ip4/192.168.1.1/tcp/80/ws', 'private'],
		['/ip4/10.1.2.3/tcp/80/ws', 'private'],
		['/ip4/172.20.0.1/tcp/80/ws', 'private'],
		['/ip4/169.254.169.254/tcp/80/ws', 'private'],
		['/ip4/100.64.0.1/tcp/80/ws', 'private'],
		['/ip4/224.0.0.1/tcp/80/ws', 'private'],
		['/ip4/203.0.113.9/tcp/443/wss', 'public'],
		['/ip6/::1/tcp/80/ws', 'loopback'],
		['/ip6/fd00::2/tcp/80/ws', 'private'],
		['/ip6/fe80::1/tcp/80/ws', 'private'],
		['/ip6/::ffff:127.0.0.1/tcp/80/ws', 'loopback'],
		['/ip6/2001:db8::1/tcp/443/wss', 'public'],
		['/dns4/localhost/tcp/80/ws', 'loopback'],
		['/dns4/relay.localhost/tcp/80/ws', 'loopback'],
		['/dns4/relay.example/tcp/443/wss', 'name']
	])('%s is %s', (text, reach) => {
		expect(firstHop(multiaddr(text))?.reach).toBe(reach);
	});

	test('from elsewhere only the public is dialled, and what the person confirmed', () => {
		const gate = new Gate('elsewhere');
		const allows = (text: string): boolean => gate.allows(multiaddr(text));
		expect(allows('/ip4/203.0.113.9/tcp/443/wss')).toBe(true);
		expect(allows(`/ip4/192.168.1.1/tcp/9100/ws/p2p/${PEER}/p2p-circuit/webrtc`)).toBe(false);
		expect(allows('/ip4/127.0.0.1/tcp/9100/ws')).toBe(false);
		expect(allows('/dns4/router.example/tcp/80/ws')).toBe(false);
		expect(allows('/dns4/relay.example/tcp/443/wss')).toBe(true);
		gate.confirm(`/ip4/127.0.0.1/tcp/9100/ws/p2p/${PEER}`);
		expect(allows('/ip4/127.0.0.1/tcp/9100/ws')).toBe(true);
		expect(allows('/ip4/127.0.0.1/tcp/9101/ws')).toBe(false);
	});

	test('nothing is resolved by third parties, and odd forms have no way round', () => {
		for (const place of ['loopback', 'elsewhere'] as const) {
			const gate = new Gate(place);
			expect(gate.allows(multiaddr('/dnsaddr/bootstrap.libp2p.io'))).toBe(false);
			expect(gate.allows(multiaddr('/ip6zone/eth0/ip6/fe80::1/tcp/80/ws'))).toBe(false);
			expect(gate.allows(multiaddr(`/p2p/${PEER}/p2p-circuit`))).toBe(true);
		}
		expect(new Gate('loopback').allows(multiaddr('/ip4/192.168.1.1/tcp/80/ws'))).toBe(true);
	});

	test.each([
		['localhost', 'loopback'],
		['127.0.0.1', 'loopback'],
		['[::1]', 'loopback'],
		['bafy.ipfs.localhost', 'loopback'],
		['example.org', 'elsewhere'],
		['localhost.example.org', 'elsewhere'],
		['192.168.1.5', 'elsewhere']
	])('a page on %s is %s', (host, place) => {
		expect(pagePlaceOf(host)).toBe(place);
	});

	test('an address is read or refused, and names who stands at its end', () => {
		expect(peerAt(parseAddress(`/ip4/1.2.3.4/tcp/1/ws/p2p/${PEER}`))).toBe(PEER);
		expect(peerAt(parseAddress('/ip4/1.2.3.4/tcp/1/ws'))).toBeUndefined();
		expect(code(() => parseAddress('nonsense'))).toBe('malformed');
		expect(code(() => parseAddress(`/dns4/${'a'.repeat(600)}/tcp/1`))).toBe('malformed');
		fc.assert(
			fc.property(fc.string(), (text) => {
				expect(['none', 'malformed']).toContain(code(() => parseAddress(text)));
			})
		);
	});

	test('a relay answers STUN on the number of its TCP port; no more than a few are named, each once', () => {
		expect(stunAddressOf(`/ip4/1.2.3.4/tcp/9100/ws/p2p/${PEER}`)).toBe('stun:1.2.3.4:9100');
		expect(stunAddressOf('/ip6/2001:db8::1/tcp/443/wss')).toBe('stun:[2001:db8::1]:443');
		expect(stunAddressOf('/dns4/relay.example/tcp/443/wss')).toBe('stun:relay.example:443');
		expect(stunAddressOf(`/p2p/${PEER}`)).toBeUndefined();
		expect(iceServersOf([])).toEqual([]);
		const many = Array.from({ length: 9 }, (_, n) => `/ip4/1.2.3.${n}/tcp/1/ws`);
		expect(iceServersOf([...many, ...many]).length).toBe(MAX_STUN_SERVERS);
		expect(iceServersOf([many[0] ?? '', many[0] ?? '']).length).toBe(1);
	});
});

test('a signer in libp2p’s dress: same id as ours, signs, and never shows a key', async () => {
	const signer = freshSigner();
	const key = privateKeyOf(signer);
	const signature = await key.sign(Uint8Array.of(1, 2));
	expect(await key.publicKey.verify(Uint8Array.of(1, 2), signature)).toBe(true);
	expect(key.equals(privateKeyOf(signer))).toBe(true);
	expect(key.equals(privateKeyOf(freshSigner()))).toBe(false);
	expect(code(() => key.raw)).toBe('internal');
});

/** What the relay keeps of capability statements, and how a newcomer comes by them: bounds, age, order, and every way to cheat it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { GossipSub } from '@libp2p/gossipsub';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { openCrypto } from '#lib/keys/crypto.ts';
import { Offers } from '#lib/node/offers.ts';
import type { Identity, Signer } from '#lib/ports/keys.ts';
import type { Mesh } from '#lib/ports/mesh.ts';
import type { CapabilityAdvertisement } from '#lib/protocol/capability.ts';
import { formatPeerId } from '#lib/protocol/did.ts';
import { codeOf } from '#lib/protocol/errors.ts';
import { judgeGossip } from '#lib/protocol/gossip.ts';
import { CLOCK_SKEW_MS, MAX_GOSSIP_MESSAGE } from '#lib/protocol/limits.ts';
import { readConfig } from '../../relay/config.ts';
import { MAX_PER_BEAT, Newcomers } from '../../relay/newcomers.ts';
import { MAX_HANDED_BYTES, MAX_KEPT, Recent } from '../../relay/recent.ts';
import { startRelay, type GossipJudge, type Relay } from '../../relay/relay.ts';
import { until } from '../compliance/mesh.ts';
import { identityOf, statement } from '../doubles/contributor.ts';
import { freshSigner, nodeMesh, realClock } from '../doubles/mesh-nodes.ts';

/** Signs with nothing: what keeps statements reads them after the judge, and checks no signature. */
function unsigned(n: number): { readonly node: Signer; readonly certificate: Uint8Array; readonly peer: string } {
	const publicKey = new Uint8Array(32).fill(7);
	new DataView(publicKey.buffer).setUint32(0, n);
	const node = { publicKey, sign: () => Promise.resolve(new Uint8Array(64)) };
	return { node, certificate: new Uint8Array(), peer: formatPeerId(publicKey) };
}

function said(n: number, change: Partial<CapabilityAdvertisement> = {}): Promise<Uint8Array> {
	return statement(unsigned(n), 1_000, change);
}

/** A keeper on a clock and a company of its own. */
function keeper(chance = 0) {
	const world = { now: 0, gone: new Set<string>() };
	const isHere = (peer: string): boolean => !world.gone.has(peer);
	const recent = new Recent({ now: () => world.now, chance: () => chance, isHere });
	return { world, recent, isHere };
}

const NOBODY = 'nobody';
const long = (sequence: number): Partial<CapabilityAdvertisement> => ({
	sequence,
	addresses: Array.from({ length: 8 }, (_, n) => String(n).repeat(500))
});

describe('keeping', () => {
	test('the newest of each signer; an older or the same again changes nothing', async () => {
		const { recent } = keeper();
		const [old, newer, other] = [await said(1, { sequence: 5 }), await said(1, { sequence: 6 }), await said(2)];
		for (const message of [old, newer, old, newer, other]) recent.hear(message);
		expect(recent.pick(NOBODY)).toEqual([newer, other]);
	});

	test('until its time is over by our own clock, and never longer than a tab would accept it', async () => {
		const { recent, world } = keeper();
		recent.hear(await said(1, { ttlMs: 5_000 }));
		recent.hear(await said(2, { ttlMs: 600_000 }));
		world.now = 4_999;
		// The same words again do not make it younger.
		recent.hear(await said(1, { ttlMs: 5_000 }));
		expect(recent.size).toBe(2);
		world.now = 5_000;
		expect(recent.pick(NOBODY)).toEqual([await said(2, { ttlMs: 600_000 })]);
		world.now = CLOCK_SKEW_MS;
		expect(recent.size).toBe(0);
	});

	test('only of those who are here, as long as they are here', async () => {
		const { recent, world } = keeper();
		world.gone.add(unsigned(1).peer);
		recent.hear(await said(1));
		recent.hear(await said(2));
		expect(recent.pick(NOBODY)).toEqual([await said(2)]);
		recent.forget(unsigned(2).peer);
		expect(recent.size).toBe(0);
	});

	test('a newcomer is not told its own', async () => {
		const { recent } = keeper();
		recent.hear(await said(1));
		expect(recent.pick(unsigned(1).peer)).toEqual([]);
	});

	test('so many and no more: the one heard longest ago goes, one that spoke again stays', async () => {
		const { recent } = keeper();
		for (let n = 0; n < MAX_KEPT; n += 1) recent.hear(await said(n));
		recent.hear(await said(0, { sequence: 2_000 }));
		recent.hear(await said(MAX_KEPT));
		expect(recent.size).toBe(MAX_KEPT);
		recent.forget(unsigned(1).peer);
		expect(recent.size, 'the second had gone').toBe(MAX_KEPT);
		recent.forget(unsigned(0).peer);
		expect(recent.size, 'the first was still there').toBe(MAX_KEPT - 1);
	});

	test('a newcomer gets so many bytes and no more, by lot', async () => {
		const pick = async (chance: number) => {
			const { recent } = keeper(chance);
			for (let n = 0; n < 64; n += 1) recent.hear(await said(n, long(1)));
			return recent.pick(NOBODY);
		};
		const [first, last] = [await pick(0), await pick(0.999)];
		for (const picked of [first, last]) {
			const bytes = picked.reduce((sum, { length }) => sum + length, 0);
			expect(bytes).toBeLessThanOrEqual(MAX_HANDED_BYTES);
			expect(bytes).toBeGreaterThan(MAX_HANDED_BYTES - MAX_GOSSIP_MESSAGE);
		}
		expect(first[0]).toEqual(await said(0, long(1)));
		expect(last[0]).toEqual(await said(63, long(1)));
	});

	test('what is kept shares no memory with the record it came in', async () => {
		const { recent } = keeper();
		const message = await said(1);
		const record = Uint8Array.of(...message, 0, 0);
		recent.hear(record.subarray(0, message.length));
		record.fill(9);
		expect(recent.pick(NOBODY)).toEqual([message]);
	});

	test('any bytes at all, and any damaged statement, are kept or passed over, never thrown on', async () => {
		const whole = await said(1);
		const damaged = fc.tuple(fc.nat(whole.length - 1), fc.nat(255), fc.nat(whole.length)).map(([at, byte, end]) => {
			const bytes = whole.slice();
			bytes[at] = byte;
			return bytes.subarray(0, end < whole.length / 4 ? end : undefined);
		});
		fc.assert(
			fc.property(fc.array(fc.oneof(fc.uint8Array({ maxLength: 300 }), damaged), { maxLength: 20 }), (messages) => {
				const { recent } = keeper();
				for (const message of messages) recent.hear(message);
				expect(recent.size).toBeLessThanOrEqual(messages.length);
			}),
			{ numRuns: 300 }
		);
	});

	test('whatever is said, left and waited for: one each, the newest, not expired, of nobody who left', async () => {
		const statements = await Promise.all(
			[0, 1, 2].flatMap((n) =>
				[1, 2, 3].map(async (sequence) => ({ n, sequence, bytes: await said(n, { sequence, ttlMs: 10_000 }) }))
			)
		);
		const step = fc.oneof(
			fc.constantFrom(...statements).map((heard) => ({ type: 'hear', heard }) as const),
			fc.nat(2).map((n) => ({ type: 'leave', n }) as const),
			fc.nat(6_000).map((ms) => ({ type: 'wait', ms }) as const)
		);
		fc.assert(
			fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
				const { recent, world } = keeper();
				const expected = new Map<number, { sequence: number; until: number; bytes: Uint8Array }>();
				for (const one of steps) {
					if (one.type === 'wait') world.now += one.ms;
					if (one.type === 'leave') {
						expected.delete(one.n);
						recent.forget(unsigned(one.n).peer);
					}
					// An expired one no longer stands in the way of what was said before it; the judge and gossip's memory do.
					for (const [n, { until: end }] of expected) if (end <= world.now) expected.delete(n);
					void recent.size;
					if (one.type !== 'hear') continue;
					const { n, sequence, bytes } = one.heard;
					recent.hear(bytes);
					if (sequence > (expected.get(n)?.sequence ?? -1))
						expected.set(n, { sequence, until: world.now + 10_000, bytes });
				}
				const sorted = (list: readonly Uint8Array[]) => list.map((bytes) => bytes.join()).sort();
				expect(sorted(recent.pick(NOBODY))).toEqual(sorted([...expected.values()].map(({ bytes }) => bytes)));
			})
		);
	});
});

describe('handing over', () => {
	/** Gossip's two hands, without gossip. */
	function stage() {
		const sent: { readonly to: string; readonly data: Uint8Array }[] = [];
		const pubsub = Object.assign(new EventTarget(), {
			streamsOutbound: new Map<string, unknown>(),
			sendRpc: (to: string, rpc: { messages: { data: Uint8Array }[] }) => {
				if (!pubsub.streamsOutbound.has(to)) return false;
				for (const { data } of rpc.messages) sent.push({ to, data });
				return true;
			}
		});
		const { recent, world, isHere } = keeper();
		const newcomers = new Newcomers(pubsub as unknown as GossipSub, recent, isHere);
		const subscribe = (peer: string, topic = 'fireweed/1/capabilities', on = true): void => {
			const detail = { peerId: { toString: () => peer }, subscriptions: [{ topic, subscribe: on }] };
			pubsub.dispatchEvent(new CustomEvent('subscription-change', { detail }));
		};
		const beat = (): void => void pubsub.dispatchEvent(new CustomEvent('gossipsub:heartbeat'));
		const reach = (peer: string): void => void pubsub.streamsOutbound.set(peer, {});
		return { sent, recent, world, newcomers, subscribe, beat, reach };
	}

	test('at once to whoever begins to listen, or when we can speak to it', async () => {
		const { sent, recent, newcomers, subscribe, beat, reach } = stage();
		recent.hear(await said(1));
		reach('a');
		subscribe('a');
		subscribe('b');
		expect(sent.map(({ to }) => to)).toEqual(['a']);
		beat();
		reach('b');
		beat();
		expect(sent.map(({ to }) => to)).toEqual(['a', 'b']);
		expect(newcomers.counts).toEqual({ newcomers: 2, statements: 2, bytes: 2 * (await said(1)).length });
	});

	test('once for each connection, however often it asks; and not to who listens to something else', async () => {
		const { sent, recent, newcomers, subscribe, beat, reach } = stage();
		recent.hear(await said(1));
		reach('a');
		subscribe('a', 'fireweed/1/bids');
		subscribe('a', 'fireweed/1/capabilities', false);
		expect(sent).toEqual([]);
		for (let n = 0; n < 5; n += 1) {
			subscribe('a');
			subscribe('a', 'fireweed/1/capabilities', false);
			beat();
		}
		expect(sent.length).toBe(1);
		newcomers.leave('a');
		subscribe('a');
		expect(sent.length).toBe(2);
	});

	test('a crowd is served over several heartbeats, nobody twice; who left in between not at all', async () => {
		const { sent, recent, newcomers, subscribe, beat, reach } = stage();
		recent.hear(await said(1));
		const crowd = Array.from({ length: 2 * MAX_PER_BEAT + 1 }, (_, n) => `peer ${n}`);
		for (const peer of crowd) reach(peer);
		for (const peer of crowd) subscribe(peer);
		expect(sent.length).toBe(MAX_PER_BEAT);
		newcomers.leave(crowd.at(-1) ?? '');
		beat();
		expect(sent.length).toBe(2 * MAX_PER_BEAT);
		beat();
		expect(sent.map(({ to }) => to)).toEqual(crowd.slice(0, -1));
	});

	test('the late word of a tab that is gone leaves nothing behind', async () => {
		const { sent, recent, world, subscribe, beat, reach } = stage();
		recent.hear(await said(1));
		world.gone.add('a');
		reach('a');
		subscribe('a');
		beat();
		expect(sent).toEqual([]);
	});

	test('a gossip service of another shape is refused and not guessed at', () => {
		const { recent, isHere } = keeper();
		const make = () => new Newcomers(new EventTarget() as unknown as GossipSub, recent, isHere);
		try {
			make();
			expect.unreachable();
		} catch (error) {
			expect(codeOf(error)).toBe('internal');
		}
	});
});

test('an offer that comes late holds for what is left of its time, but of a slow clock’s always a quarter', async () => {
	const identity = await identityOf(freshSigner(), freshSigner());
	const crypto = await openCrypto({ subtle: globalThis.crypto.subtle });
	const holdsAfter = async (lateMs: number, waitedMs: number): Promise<boolean> => {
		const now = { wall: Date.now(), monotonic: 0 };
		const clock = { ...realClock, now: () => now.wall, monotonic: () => now.monotonic };
		let hear: (message: Uint8Array) => void = () => undefined;
		const mesh = {
			subscribe: (_topic: unknown, _judge: unknown, to: typeof hear) => ((hear = to), () => undefined),
			suggest: () => undefined
		} as unknown as Mesh;
		const offers = new Offers({ mesh, crypto, clock, identity, log: () => undefined }, () => undefined);
		offers.follow(mesh);
		hear(await statement(identity, now.wall - lateMs, { ttlMs: 60_000 }));
		await until(() => offers.list().length === 1, 'the offer');
		now.monotonic = waitedMs;
		return offers.list().length === 1;
	};
	expect(await holdsAfter(0, 59_999)).toBe(true);
	expect(await holdsAfter(-30_000, 60_000)).toBe(false);
	expect(await holdsAfter(30_000, 29_999)).toBe(true);
	expect(await holdsAfter(30_000, 30_000)).toBe(false);
	expect(await holdsAfter(110_000, 14_999)).toBe(true);
	expect(await holdsAfter(110_000, 15_000)).toBe(false);
});

describe('through a real relay', () => {
	const undo: (() => Promise<unknown>)[] = [];
	afterEach(async () => {
		for (const one of undo.splice(0).reverse()) await one();
	});

	async function relayWith(judge?: GossipJudge): Promise<Relay> {
		const folder = await mkdtemp(path.join(tmpdir(), 'fireweed-recent-'));
		undo.push(() => rm(folder, { recursive: true, force: true }));
		const crypto = await openCrypto({ subtle: globalThis.crypto.subtle });
		const real: GossipJudge = (topic, message) => judgeGossip(topic, message, crypto, Date.now());
		const config = readConfig({ FIREWEED_RELAY_PORT: '0', FIREWEED_RELAY_KEY: path.join(folder, 'key') });
		const relay = await startRelay(config, judge ?? real, crypto);
		undo.push(() => relay.stop());
		return relay;
	}

	/** A tab as tab.ts puts it together, as far as offers go. */
	async function tab(relay: Relay) {
		const identity: Identity = await identityOf(freshSigner(), freshSigner());
		const mesh = nodeMesh(relay.addresses, undefined, [], identity.node);
		const crypto = await openCrypto({ subtle: globalThis.crypto.subtle });
		const offers = new Offers({ mesh, crypto, clock: realClock, identity, log: () => undefined }, () => undefined);
		offers.follow(mesh);
		undo.push(() => mesh.stop());
		await mesh.start();
		await until(() => mesh.relays().every(({ up }) => up), 'the relay');
		return { mesh, offers, identity };
	}

	test('who comes after the only statement hears it, once; who comes after the contributor left does not', async () => {
		const relay = await relayWith();
		const contributor = await tab(relay);
		await contributor.mesh.publish('fireweed/1/capabilities', await statement(contributor.identity, Date.now()));
		await until(() => relay.metrics().recent.kept === 1, 'the statement');
		const newcomer = await tab(relay);
		await until(() => newcomer.offers.list().length === 1, 'the offer');
		expect(newcomer.offers.list()[0]?.executor).toBe(contributor.mesh.self);
		expect(newcomer.mesh.stats().gossip).toMatchObject({ accept: 1, ignore: 0, reject: 0 });
		expect(relay.metrics().recent).toMatchObject({ kept: 1, newcomers: 1, statements: 1 });
		await contributor.mesh.stop();
		await until(() => relay.metrics().recent.kept === 0, 'to be forgotten');
	});

	test('a relay that hands over a forgery: refused by the tab, and held against nobody', async () => {
		const relay = await relayWith(() => 'accept');
		const contributor = await tab(relay);
		const forger: Signer = { ...freshSigner(), publicKey: contributor.identity.node.publicKey };
		const forged = await statement({ ...contributor.identity, node: forger }, Date.now());
		await contributor.mesh.publish('fireweed/1/capabilities', forged);
		await until(() => relay.metrics().recent.kept === 1, 'the forgery');
		const newcomer = await tab(relay);
		await until(() => newcomer.mesh.stats().gossip.reject === 1, 'a rejection');
		expect(newcomer.offers.list()).toEqual([]);
		const sound = await statement(contributor.identity, Date.now() + 1);
		await contributor.mesh.publish('fireweed/1/capabilities', sound);
		await until(() => newcomer.offers.list().length === 1, 'the offer');
		expect(newcomer.mesh.relays()[0]?.up).toBe(true);
	});

	test('nothing of other topics is kept', async () => {
		const relay = await relayWith(() => 'accept');
		const contributor = await tab(relay);
		const [one, other] = [1, 2].map((sequence) => statement(contributor.identity, Date.now(), { sequence }));
		await contributor.mesh.publish('fireweed/1/announcements', (await one) ?? new Uint8Array());
		await contributor.mesh.publish('fireweed/1/bids', (await other) ?? new Uint8Array());
		await until(() => relay.metrics().gossip.accept === 2, 'both heard');
		expect(relay.metrics().recent.kept).toBe(0);
	});
});

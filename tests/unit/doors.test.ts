/** Ways to find others: whom to remember, which door next, what a pasted text is, and a network found again after its relay died. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { createDoors, type DoorsInit } from '#lib/doors/doors.ts';
import { directoryText, readDirectory } from '#lib/doors/directory.ts';
import { believeTestList, signedDirectory } from '../doubles/directory.ts';
import { T0 } from '../doubles/release.ts';
import { dialOrder, KEPT_PER_ACCOUNT, KEPT_RELAYS, KEPT_TABS, leavers, noted } from '#lib/doors/keep.ts';
import { invitationLink, readPasted, toCode } from '#lib/doors/pasted.ts';
import { AGAIN_MS, nextStage, SETTLED_MS, STAGES, type Sight, type Stage } from '#lib/doors/stage.ts';
import { openCrypto } from '#lib/keys/crypto.ts';
import type { Doors, DoorStage } from '#lib/ports/doors.ts';
import type { Identity, Signer } from '#lib/ports/keys.ts';
import type { MetNode } from '#lib/ports/store.ts';
import { certify } from '#lib/protocol/certificate.ts';
import { formatDid, formatPeerId } from '#lib/protocol/did.ts';
import { seal } from '#lib/protocol/envelope.ts';
import { codeOf, type Code } from '#lib/protocol/errors.ts';
import { invitation, isRelayAddress } from '#lib/protocol/invitation.ts';
import { MAX_MANIFEST_LIFE_MS } from '#lib/protocol/limits.ts';
import { nodeManifest, openNodeManifest, type NodeManifest } from '#lib/protocol/node-manifest.ts';
import { openStore } from '#lib/store/store.ts';
import { judgeGossip } from '#lib/protocol/gossip.ts';
import { readConfig } from '../../relay/config.ts';
import { startRelay, type Relay } from '../../relay/relay.ts';
import { until } from '../compliance/mesh.ts';
import { freshSigner, nodeMesh, realClock } from '../doubles/mesh-nodes.ts';

const crypto = await openCrypto({ subtle: globalThis.crypto.subtle });
const NOW = 1_800_000_000_000;
const DAY = 24 * 3600 * 1000;
const RELAY = '/dns4/relay.example/tcp/443/wss/p2p/12D3KooWEC5hTP72TCKRr5ybEk3dupSkvzSdgPyTZ7AEENGXpxVZ';

async function identityOf(account: Signer = freshSigner(), now = NOW): Promise<Identity & { readonly peer: string }> {
	const node = freshSigner();
	const certificate = await certify(account, node.publicKey, now);
	const { publicKey } = account;
	return {
		account: formatDid(publicKey),
		accountKey: publicKey,
		node,
		certificate,
		kept: 'device',
		peer: formatPeerId(node.publicKey),
		nodeSince: now
	};
}

function refusalOf(work: Promise<unknown>): Promise<Code | 'none'> {
	return work.then(() => 'none' as const, codeOf);
}

describe('a node manifest', () => {
	const sealed = async (change: Partial<NodeManifest> = {}, who?: Identity & { peer: string }, certified = true) => {
		const identity = who ?? (await identityOf());
		const body: NodeManifest = {
			role: 'tab',
			addresses: [`${RELAY}/p2p-circuit/webrtc/p2p/${identity.peer}`],
			versions: ['fireweed-schema@1.0.0'],
			handOn: false,
			sequence: 1,
			issuedAt: NOW,
			expiresAt: NOW + DAY,
			extensions: {},
			...change
		};
		return (await seal(nodeManifest, body, identity.node, certified ? identity.certificate : undefined)).bytes;
	};
	test('opens with its account, its node and its addresses', async () => {
		const identity = await identityOf();
		const known = await openNodeManifest(await sealed({}, identity), crypto, NOW);
		expect([known.peer, known.account]).toEqual([identity.peer, identity.account]);
	});
	test.each<[string, Partial<NodeManifest>, number, boolean, Code]>([
		['names a machine of somebody else', { addresses: [RELAY] }, NOW, true, 'wrong-signer'],
		['is over', {}, NOW + DAY, true, 'expired'],
		['comes from the future', { issuedAt: NOW + DAY, expiresAt: NOW + 2 * DAY }, NOW, true, 'clock-skew'],
		['means to live too long', { expiresAt: NOW + MAX_MANIFEST_LIFE_MS + 1 }, NOW, true, 'malformed'],
		['ends before it begins', { expiresAt: NOW }, NOW - 1, true, 'malformed'],
		['is a tab’s without an account', {}, NOW, false, 'bad-certificate']
	])('is refused when it %s', async (_why, change, now, certified, code) => {
		expect(await refusalOf(openNodeManifest(await sealed(change, undefined, certified), crypto, now))).toBe(code);
	});
	test('of a relay needs no account', async () => {
		expect(
			(await openNodeManifest(await sealed({ role: 'relay' }, undefined, false), crypto, NOW)).account
		).toBeUndefined();
	});
});

describe('whom to remember', () => {
	const record = (n: number, change: Partial<MetNode> = {}): MetNode => ({
		id: `node-${n}`,
		role: 'tab',
		account: `account-${n}`,
		firstMetAt: n,
		lastMetAt: n,
		days: 1,
		by: 'network',
		document: undefined,
		addresses: [],
		...change
	});
	test('a thousand newcomers of today cannot push out those met on many days', () => {
		const old = Array.from({ length: 10 }, (_, n) => record(n, { days: 5 }));
		const flood = Array.from({ length: 1_000 }, (_, n) => record(10_000 + n));
		const gone = new Set(leavers([...flood, ...old]));
		expect(old.filter(({ id }) => gone.has(id))).toEqual([]);
		expect(1_010 - gone.size).toBe(KEPT_TABS);
	});
	test('one account has few places, a relay none of the tabs’', () => {
		const one = Array.from({ length: 50 }, (_, n) => record(n, { account: 'same', days: 9 }));
		expect(50 - leavers(one).length).toBe(KEPT_PER_ACCOUNT);
		const relays = Array.from({ length: 50 }, (_, n) => record(n, { role: 'relay', account: undefined }));
		expect(50 - leavers(relays).length).toBe(KEPT_RELAYS);
		expect(leavers([...relays.slice(0, KEPT_RELAYS), record(99)])).toEqual([]);
	});
	test('never keeps more than there is room for, and forgets nobody while there is', () => {
		const arbitrary = fc.array(
			fc.record({ n: fc.nat(500), days: fc.integer({ min: 1, max: 9 }), account: fc.constantFrom('a', 'b', 'c') }),
			{ maxLength: 120 }
		);
		fc.assert(
			fc.property(arbitrary, (all) => {
				const records = [...new Map(all.map((one) => [one.n, record(one.n, one)])).values()];
				const kept = records.length - leavers(records).length;
				expect(kept).toBeLessThanOrEqual(KEPT_TABS);
				if (records.length <= KEPT_PER_ACCOUNT) expect(kept).toBe(records.length);
			})
		);
	});
	test('days count once each, and the person’s word stays', () => {
		const meeting = {
			id: 'x',
			role: 'tab' as const,
			account: 'a',
			by: 'network' as const,
			document: undefined,
			addresses: []
		};
		const first = noted(undefined, { ...meeting, by: 'person' }, NOW);
		const sameDay = noted(first, meeting, NOW + 1000);
		expect([sameDay.days, sameDay.by]).toEqual([1, 'person']);
		expect(noted(sameDay, meeting, NOW + DAY).days).toBe(2);
	});
	test('the order of dialling is by lot, those the person named before all others', () => {
		const records = [record(1), record(2, { days: 30 }), record(3, { by: 'person' })];
		let state = 1;
		const chance = () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
		const firsts = Array.from({ length: 400 }, () => dialOrder(records, chance).map(({ id }) => id));
		expect(firsts.every(([first]) => first === 'node-3')).toBe(true);
		const steadySecond = firsts.filter(([, second]) => second === 'node-2').length;
		expect(steadySecond).toBeGreaterThan(350);
		expect(steadySecond).toBeLessThan(400);
	});
});

describe('which door next', () => {
	const sight = (change: Partial<Sight> = {}): Sight => ({
		stage: undefined,
		sinceMs: 0,
		relayUp: false,
		caution: 'ordinary',
		supply: { 'met-relays': 2, 'met-tabs': 2, directory: 1, named: 1 },
		...change
	});
	test('one after the other, known ones first, each with its time', () => {
		const order: (Stage | undefined)[] = [];
		let stage: Stage | undefined;
		for (let turn = 0; turn < 4; turn += 1) {
			const next = nextStage(sight({ stage, sinceMs: 10_000 }));
			order.push((stage = next === 'again' ? undefined : next));
			expect(nextStage(sight({ stage, sinceMs: 0 }))).toBeUndefined();
		}
		expect(order).toEqual(STAGES);
		expect(nextStage(sight({ stage: 'named', sinceMs: AGAIN_MS }))).toBe('again');
	});
	test('nobody met: the directory at once', () => {
		expect(nextStage(sight({ supply: { 'met-relays': 0, 'met-tabs': 0, directory: 1, named: 0 } }))).toBe('directory');
	});
	test('careful: neither the directory nor relays that strangers name, however long it takes', () => {
		for (const stage of [undefined, 'met-relays', 'met-tabs'] as const)
			for (const relayUp of [true, false])
				expect(['directory', 'named']).not.toContain(
					nextStage(sight({ stage, relayUp, sinceMs: 1e9, caution: 'known' }))
				);
	});
	test('a relay is up: no more doors, but the directory after a while, so that no old relay makes a network of its own', () => {
		const up = { relayUp: true, stage: 'met-relays' as const };
		expect(nextStage(sight({ ...up, sinceMs: SETTLED_MS - 1 }))).toBeUndefined();
		expect(nextStage(sight({ ...up, sinceMs: SETTLED_MS }))).toBe('directory');
		expect(nextStage(sight({ relayUp: true, stage: 'directory', sinceMs: 1e9 }))).toBeUndefined();
	});
});

describe('what was pasted', () => {
	const context = {
		crypto,
		now: NOW,
		met: () => false,
		believe: (bytes: Uint8Array) => believeTestList(() => NOW)(bytes, undefined)
	};
	const invite = async (change = {}, identity?: Identity) => {
		const who = identity ?? (await identityOf());
		const body = { relays: [RELAY], name: 'Ada', issuedAt: NOW, expiresAt: NOW + DAY, extensions: {}, ...change };
		return toCode((await seal(invitation, body, who.node, who.certificate)).bytes);
	};
	test('an invitation, as a link or bare, says who signed it and where they are', async () => {
		const identity = await identityOf();
		const code = await invite({}, identity);
		for (const text of [code, ` ${invitationLink('https://a.example/x/index.html?relay=1#/settings', code)}\n`]) {
			expect(await readPasted(text, { ...context, met: (who) => who === identity.account })).toMatchObject({
				kind: 'invitation',
				signer: identity.account,
				name: 'Ada',
				metBefore: true,
				relays: [RELAY],
				addresses: [`${RELAY}/p2p-circuit/webrtc/p2p/${identity.peer}`]
			});
		}
		expect(invitationLink('https://a.example/x/?relay=1#/settings', 'C')).toBe('https://a.example/x/#/join/C');
		// A QR code of the largest size holds 2,953 bytes; one that can be read from a screen about half.
		expect(invitationLink('https://a.example/x/', code).length).toBeLessThan(1_400);
	});
	test('a relay, a list of relays', async () => {
		expect(await readPasted(RELAY, context)).toEqual({ kind: 'relay', address: RELAY });
		const text = directoryText(await signedDirectory({ relays: [RELAY] }, [11, 12]));
		expect(await readPasted(text, context)).toMatchObject({
			kind: 'directory',
			relays: [RELAY],
			signers: ['Key 11', 'Key 12'],
			needed: 1,
			development: false
		});
	});
	test.each<[string, () => Promise<string>, Code]>([
		['too long', () => Promise.resolve('a'.repeat(20_001)), 'oversized'],
		['words', () => Promise.resolve('hello there'), 'malformed'],
		['an address without its id', () => Promise.resolve('/dns4/relay.example/tcp/443/wss'), 'malformed'],
		['a list that nobody signed', () => Promise.resolve(JSON.stringify({ relays: [RELAY] })), 'too-few-keys'],
		['a list signed by a release key', async () => directoryText(await signedDirectory({}, [1])), 'wrong-role'],
		['over', () => invite({ expiresAt: NOW, issuedAt: NOW - 1 }), 'expired'],
		[
			'with a relay behind a relay',
			() => invite({ relays: [`${RELAY}/p2p-circuit/p2p/${RELAY.slice(-52)}`] }),
			'malformed'
		],
		['signed by another', async () => invite({}, { ...(await identityOf()), node: freshSigner() }), 'bad-certificate']
	])('%s is refused', async (_what, text, code) => {
		expect(await refusalOf(readPasted(await text(), context))).toBe(code);
	});
	test('no text at all makes it throw anything but a refusal', async () => {
		const code = await invite();
		const texts = fc.oneof(
			fc.string(),
			fc.json(),
			fc
				.tuple(fc.nat(code.length - 1), fc.constantFrom('A', '_', '-', '~'))
				.map(([at, letter]) => code.slice(0, at) + letter + code.slice(at + 1))
		);
		await fc.assert(
			fc.asyncProperty(texts, async (text) => {
				const got = await refusalOf(readPasted(text, context));
				expect(got === 'none' ? text === code || text.startsWith('{') : got !== 'internal').toBe(true);
			}),
			{ numRuns: 300 }
		);
	});
	test('directories as text: bytes or a refusal, and what is made is read', async () => {
		fc.assert(
			fc.property(
				fc.oneof(
					fc.json(),
					fc.string(),
					fc.base64String().map((signed) => JSON.stringify({ version: 2, signed }))
				),
				(text) => {
					try {
						expect(readDirectory(text).length).toBeLessThanOrEqual(12 * 1024 + 1);
					} catch (error) {
						expect(['malformed', 'too-few-keys', 'oversized']).toContain(codeOf(error));
					}
				}
			)
		);
		const made = await signedDirectory();
		expect(readDirectory(directoryText(made))).toEqual(made);
		expect(isRelayAddress(`/ip4/127.0.0.1/tcp/9100/ws/p2p/${RELAY.slice(-52)}`)).toBe(true);
		expect(isRelayAddress(`/dnsaddr/x.example/p2p/${RELAY.slice(-52)}`)).toBe(false);
	});
});

describe('through real relays', () => {
	const undo: (() => Promise<unknown>)[] = [];
	afterEach(async () => {
		for (const one of undo.splice(0).reverse()) await one();
	});
	async function relay(): Promise<Relay> {
		const folder = await mkdtemp(path.join(tmpdir(), 'fireweed-doors-'));
		undo.push(() => rm(folder, { recursive: true, force: true }));
		const config = readConfig({ FIREWEED_RELAY_PORT: '0', FIREWEED_RELAY_KEY: path.join(folder, 'key') });
		const made = await startRelay(config, (topic, message) => judgeGossip(topic, message, crypto, Date.now()), crypto);
		undo.push(() => made.stop());
		return made;
	}
	/** A node with its own store; in Node it listens on a port of its own where a tab would be introduced. */
	async function node(
		directory: () => readonly string[],
		change: Partial<DoorsInit> & { readonly listen?: string[]; readonly who?: Identity } = {}
	) {
		const identity = change.who ?? (await identityOf(freshSigner(), Date.now()));
		const store = change.store ?? (await openStore({ pathname: '/', now: Date.now, keep: 'memory' }));
		const mesh = nodeMesh([], undefined, change.listen ?? ['/ip4/127.0.0.1/tcp/0/ws'], identity.node);
		const asked: string[] = [];
		let sequence = 0;
		const stages: DoorStage[] = [];
		const doors: Doors = createDoors({
			mesh,
			identity,
			crypto,
			clock: realClock,
			chance: Math.random,
			log: () => undefined,
			directory: () => {
				asked.push('directory');
				const relays = directory();
				return relays.length === 0
					? Promise.resolve(undefined)
					: signedDirectory({ relays, sequence: (sequence += 1) });
			},
			believe: believeTestList(() => T0),
			passing: new Set(),
			lending: () => true,
			...change,
			store
		});
		doors.observe(({ stage }) => stages.push(stage));
		await mesh.start();
		doors.start();
		const stop = async () => {
			doors.stop();
			await mesh.stop();
		};
		undo.push(stop);
		return { mesh, doors, store, identity, asked, stages, stop };
	}
	const linked = (one: { mesh: { peers(): readonly { id: string }[] } }, other: { mesh: { self: string } }) =>
		one.mesh.peers().some(({ id }) => id === other.mesh.self);

	test('the relay dies and the directory is gone: at the next start a peer of before is found from the cache', async () => {
		const first = await relay();
		const stays = await node(() => first.addresses);
		const goes = await node(() => first.addresses);
		await until(() => goes.mesh.relays().some(({ up }) => up), 'the relay of goes');
		await goes.mesh.meet(stays.mesh.self, stays.mesh.addresses(), AbortSignal.timeout(5_000));
		await until(
			async () => (await goes.store.met.get(stays.mesh.self))?.document !== undefined,
			'the peer is remembered'
		);
		await until(async () => (await goes.store.met.list()).some(({ role }) => role === 'relay'), 'and the relay');
		await goes.stop();
		await first.stop();
		const back = await node(() => [], { store: goes.store, who: goes.identity });
		await until(() => linked(back, stays), 'the peer of before');
		expect([...new Set(back.stages)]).toEqual(['off', 'met-relays', 'met-tabs']);
		expect(back.asked).toEqual([]);
	});
	test('who is met from the cache names a relay that lives, and it is used; a careful one does not', async () => {
		const living = await relay();
		const stays = await node(() => living.addresses);
		await until(() => stays.mesh.relays().some(({ up }) => up), 'its relay');
		const store = await openStore({ pathname: '/', now: Date.now, keep: 'memory' });
		const back = await node(() => [], { store });
		await back.mesh.meet(stays.mesh.self, stays.mesh.addresses(), AbortSignal.timeout(5_000));
		await until(
			() => back.mesh.relays().some(({ address, up }) => up && living.addresses.includes(address)),
			'the named relay'
		);
		expect(back.stages).toContain('named');
		const careful = await openStore({ pathname: '/', now: Date.now, keep: 'memory' });
		await careful.settings.put({ id: 'doors-caution', savedAt: 1, value: 'known' });
		const other = await node(() => [], { store: careful });
		await other.mesh.meet(stays.mesh.self, stays.mesh.addresses(), AbortSignal.timeout(5_000));
		await until(async () => (await careful.met.list()).length > 0, 'met');
		await realClock.sleep(1_000);
		expect([other.mesh.relays(), other.asked]).toEqual([[], []]);
	}, 20_000);
	test('an invitation made by one brings in another who has nothing else', async () => {
		const shared = await relay();
		const host = await node(() => shared.addresses);
		await until(() => host.mesh.relays().some(({ up }) => up), 'the relay of the host');
		const { code } = await host.doors.invite('Ada');
		const guest = await node(() => [], { listen: [] });
		const found = await guest.doors.read(code);
		expect(found).toMatchObject({ kind: 'invitation', signer: host.identity.account, name: 'Ada', metBefore: false });
		expect(guest.mesh.relays()).toEqual([]);
		await guest.doors.use(found);
		await until(() => guest.mesh.relays().some(({ up }) => up), 'the relay of the guest');
		expect((await guest.store.met.list()).map(({ by }) => by)).toEqual(['person']);
		expect(await refusalOf((await node(() => [])).doors.invite(undefined))).toBe('relay-unavailable');
	});
	test('a relay of this visit only is used and never remembered; forgetting forgets', async () => {
		const passing = await relay();
		const one = await node(() => [], { passing: new Set(passing.addresses), listen: [] });
		one.mesh.addRelay(passing.addresses[0] ?? '');
		await until(() => one.mesh.relays().some(({ up }) => up), 'the relay');
		await realClock.sleep(500);
		expect(await one.store.met.list()).toEqual([]);
		const kept = await node(() => passing.addresses, { listen: [] });
		await until(() => kept.doors.state.relays === 1, 'kept');
		await kept.doors.forget();
		expect([await kept.store.met.list(), kept.doors.state.relays]).toEqual([[], 0]);
	});
});

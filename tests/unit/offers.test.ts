/** Who offers which model: what is believed of the statements heard, for how long, and who is named to the mesh. */
import { expect, test, vi } from 'vitest';
import { Offers } from '#lib/node/offers.ts';
import type { Identity } from '#lib/ports/keys.ts';
import type { Mesh, Verdict } from '#lib/ports/mesh.ts';
import { CIRCLE, type CapabilityAdvertisement } from '#lib/protocol/capability.ts';
import { formatPeerId } from '#lib/protocol/did.ts';
import { VirtualClock } from '../doubles/clock.ts';
import { statement } from '../doubles/contributor.ts';
import { Seals } from '../doubles/seals.ts';
import { SAMPLES } from '../fixtures/messages.ts';

const [MODEL] = (SAMPLES.find(({ kind }) => kind.type === 'CapabilityAdvertisement')?.body as CapabilityAdvertisement)
	.models as [CapabilityAdvertisement['models'][number]];
const TTL_MS = 60_000;

/** 32 bytes that tell `n` from others. */
const secret = (n: number) =>
	new Uint8Array(32)
		.fill(7)
		.with(0, n & 255)
		.with(1, n >> 8);

/** A node that listens, and a mesh that hands it what a test says. `shows`: accounts to which it shows its own. */
async function listener(shows?: (account: string) => boolean) {
	const clock = new VirtualClock();
	const seals = new Seals();
	const own = await seals.identity(secret(1), secret(2), clock.now());
	const told = { changed: 0, stated: [] as string[], suggested: [] as unknown[], log: [] as unknown[], stopped: 0 };
	let heard: {
		judge: (message: Uint8Array, from: string) => Verdict | Promise<Verdict>;
		hear: (m: Uint8Array) => void;
	};
	const mesh = {
		self: own.peer,
		subscribe: (topic: string, judge: (typeof heard)['judge'], hear: (typeof heard)['hear']) => {
			expect(topic).toBe('fireweed/1/capabilities');
			heard = { judge, hear };
			return () => void told.stopped++;
		},
		suggest: (...named: unknown[]) => void told.suggested.push(named)
	} as unknown as Mesh;
	const ports = {
		...{ mesh, crypto: seals, clock, identity: own, log: (...line: unknown[]) => void told.log.push(line) },
		...(shows === undefined ? {} : { shows })
	};
	const offers = new Offers(
		ports,
		() => void told.changed++,
		(executor) => void told.stated.push(executor)
	);
	/** Node `n` of account `account`. */
	const node = (n: number, account = n + 10_000) => seals.identity(secret(account), secret(n), clock.now());
	const say = async (by: Identity, change: Partial<CapabilityAdvertisement> = {}) => {
		const bytes = await statement(by, clock.now(), { ttlMs: TTL_MS, ...change });
		heard.hear(bytes);
		await clock.pass(0);
		return bytes;
	};
	const judge = (bytes: Uint8Array, from: string) => heard.judge(bytes, from);
	const executors = () => offers.list().map(({ executor }) => executor);
	return { clock, own, mesh, ports, told, offers, node, say, judge, executors };
}

const offering = (id: string, tokensPerSecond = 85): CapabilityAdvertisement['models'][number] => ({
	...MODEL,
	...{ model: { ...MODEL.model, id, name: `Name of ${id}` }, milliTokensPerSecond: 1000 * tokensPerSecond }
});
const onlyCircle = { extensions: { [CIRCLE]: Uint8Array.of(1) } };

test('a statement becomes an offer for each of its models, with what stands in it', async () => {
	const { clock, mesh, offers, node, say, told } = await listener();
	offers.follow(mesh);
	const ada = await node(3);
	const models = [offering('quick', 20.5), { ...offering('slow', 2), pricePer1k: 7 }];
	await say(ada, { models, region: 'Lisbon', addresses: ['/memory/ada'] });
	const common = {
		...{ executor: formatPeerId(ada.node.publicKey), account: ada.account, region: 'Lisbon', free: false },
		...{ circle: false, addresses: ['/memory/ada'], heardAt: clock.now() }
	};
	expect(offers.list()).toEqual([
		{ ...common, model: 'quick', modelName: 'Name of quick', tokensPerSecond: 20.5, pricePer1k: MODEL.pricePer1k },
		{ ...common, model: 'slow', modelName: 'Name of slow', tokensPerSecond: 2, pricePer1k: 7 }
	]);
	expect(told).toMatchObject({ changed: 1, stated: [ada.peer], suggested: [[ada.peer, ['/memory/ada']]], log: [] });
});

test('another node of the same account is free, whatever it states', async () => {
	const { mesh, offers, node, say, own } = await listener();
	offers.follow(mesh);
	const mine = await node(3, 1);
	expect(mine.account).toBe(own.account);
	await say(mine);
	expect(offers.list()).toMatchObject([{ pricePer1k: 0, free: true }]);
});

test('the same sequence heard twice and an older one change nothing; a newer one takes its place', async () => {
	const { mesh, offers, node, say, told } = await listener();
	offers.follow(mesh);
	const ada = await node(3);
	await say(ada, { models: [offering('first')], sequence: 0 });
	for (const sequence of [0, 5, 5, 4]) await say(ada, { models: [offering(`of ${sequence}`)], sequence });
	const refused = ['capability-refused', { code: 'out-of-order' }];
	expect(told.log).toEqual([refused, refused, refused]);
	expect([told.changed, told.stated.length]).toEqual([2, 2]);
	expect(offers.list().map(({ model }) => model)).toEqual(['of 5']);
});

test('its own statement, said again by somebody else, is no offer and no news', async () => {
	const { mesh, offers, own, say, told } = await listener();
	offers.follow(mesh);
	await say(own);
	expect(offers.list()).toEqual([]);
	expect(told).toMatchObject({ changed: 0, stated: [], suggested: [], log: [] });
});

test('what is not signed by a certified node is refused and said why', async () => {
	const { mesh, offers, node, say, told } = await listener();
	offers.follow(mesh);
	const [ada, bo] = [await node(3), await node(4)];
	await say({ ...ada, certificate: bo.certificate });
	expect(told.log).toEqual([['capability-refused', { code: 'bad-certificate' }]]);
	expect([offers.list(), told.changed]).toEqual([[], 0]);
});

test('every message is told of before it is judged, the refused ones too, and by whom it came', async () => {
	const { clock, mesh, offers, node, judge, told } = await listener();
	const came: unknown[] = [];
	const stop = offers.follow(mesh, (...message) => void came.push(message));
	const [good, broken] = [await statement(await node(3), clock.now()), Uint8Array.of(1)];
	const old = await statement(await node(3), clock.now() - 3_600_000);
	expect(await judge(good, 'relay')).toBe('accept');
	expect(await judge(old, 'relay')).toBe('ignore');
	expect(await judge(broken, 'neighbour')).toBe('reject');
	expect(came).toEqual([
		[good, 'relay'],
		[old, 'relay'],
		[broken, 'neighbour']
	]);
	stop();
	expect(told.stopped).toBe(1);
});

test.each([
	['said just now, its whole time', 0, TTL_MS],
	['said a while ago, what is left of it', 20_000, 40_000],
	['said so long ago that its time is over, a quarter of it: its clock may be behind', 100_000, 15_000],
	['said in the future, its whole time and no more', -30_000, TTL_MS]
])('a statement holds: %s', async (_, ageMs, holdsMs) => {
	const { clock, mesh, offers, node, say } = await listener();
	offers.follow(mesh);
	const ada = await node(3);
	// Not at the beginning of time: what is left is counted from when it is heard.
	await clock.pass(1_000);
	await say(ada, { issuedAt: clock.now() - ageMs });
	await clock.pass(holdsMs - 1);
	expect(offers.list()).toHaveLength(1);
	await clock.pass(1);
	expect(offers.list()).toEqual([]);
	// Forgotten altogether: it may come back with a sequence that was said before.
	await say(ada, { sequence: 0 });
	expect(offers.list()).toHaveLength(1);
});

test('the fastest is first; of equals, the lower PeerId', async () => {
	const { mesh, offers, node, say, executors } = await listener();
	offers.follow(mesh);
	const nodes = await Promise.all([3, 4, 5, 6, 7, 8].map((n) => node(n)));
	for (const [n, each] of nodes.entries())
		await say(each, { models: [offering('m', n === 2 ? 90 : n === 3 ? 10 : 50)] });
	const peers = nodes.map(({ peer }) => peer);
	const [fast, slow] = [peers[2], peers[3]];
	expect(executors()).toEqual([fast, ...peers.filter((peer) => peer !== fast && peer !== slow).sort(), slow]);
});

test('models of one lender that are as fast stand in the order in which it states them', async () => {
	const { mesh, offers, node, say } = await listener();
	offers.follow(mesh);
	await say(await node(3), { models: ['b', 'a', 'c'].map((id) => offering(id)) });
	expect(offers.list().map(({ model }) => model)).toEqual(['b', 'a', 'c']);
});

test('who offers is not known before a whole round of statements was listened to, begun at the first', async () => {
	const { clock, mesh, offers, node, say } = await listener();
	await clock.pass(60_000);
	expect(offers.offering(undefined)).toBeUndefined();
	offers.follow(mesh);
	await say(await node(3), { models: [offering('a')] });
	await clock.pass(7_000);
	// A mesh that is started anew does not make those known unknown.
	offers.follow(mesh);
	await clock.pass(6_999);
	expect(offers.offering(undefined)).toBeUndefined();
	await clock.pass(1);
	expect(offers.offering(undefined)).toHaveLength(1);
});

test('who offers a model: those that state it, and not to people they know only', async () => {
	const { clock, mesh, offers, node, say, own } = await listener();
	offers.follow(mesh);
	await clock.pass(14_000);
	const [ada, bo, mine] = [await node(3), await node(4), await node(5, 1)];
	await say(ada, { models: [offering('a', 30), offering('b', 20)] });
	await say(bo, { models: [offering('b', 10)] });
	await say(mine, { models: [offering('a', 40)], ...onlyCircle });
	expect(offers.offering('a')).toEqual([ada.peer]);
	expect(offers.offering('b')).toEqual([ada.peer, bo.peer]);
	expect(offers.offering('c')).toEqual([]);
	expect(offers.offering(undefined)).toEqual([ada.peer, ada.peer, bo.peer]);
	// That node of one's own may be asked all the same.
	expect(offers.list()[0]).toMatchObject({ executor: mine.peer, account: own.account, circle: true });
});

test('a lender that answers people it knows only is shown, and dialled, only where it may see this account', async () => {
	for (const [shows, shown] of [
		[undefined, ['own']],
		[() => false, []],
		[(account: string) => account !== 'nobody', ['ada', 'own']]
	] as const) {
		const { mesh, offers, node, say, told, executors } = await listener(shows);
		offers.follow(mesh);
		const names = new Map([
			[(await node(3)).peer, 'ada'],
			[(await node(4, 1)).peer, 'own']
		]);
		await say(await node(3), { ...onlyCircle, models: [offering('m', 2)] });
		await say(await node(4, 1), { ...onlyCircle, models: [offering('m', 1)] });
		expect(executors().map((peer) => names.get(peer))).toEqual(shown);
		expect(told.suggested.map((named) => names.get((named as [string])[0]))).toEqual(shown);
		// It has stated something all the same.
		expect([told.stated.length, told.changed]).toEqual([2, 2]);
	}
});

test('whom it may be shown to is asked anew each time', async () => {
	const may = { now: false };
	const { mesh, offers, node, say } = await listener(() => may.now);
	offers.follow(mesh);
	await say(await node(3), onlyCircle);
	expect(offers.list()).toEqual([]);
	may.now = true;
	expect(offers.list()).toMatchObject([{ circle: true }]);
});

test('a peer that is gone takes its offers along, and that is told of once', async () => {
	const { mesh, offers, node, say, told } = await listener();
	offers.follow(mesh);
	const [ada, bo] = [await node(3), await node(4)];
	await say(ada);
	await say(bo);
	offers.forget(ada.peer);
	offers.forget(ada.peer);
	offers.forget('nobody');
	expect(offers.list().map(({ executor }) => executor)).toEqual([bo.peer]);
	expect(told.changed).toBe(3);
});

test('1,024 nodes are remembered; one more takes the place of the one that would be forgotten first', async () => {
	const { mesh, offers, node, say, executors } = await listener();
	offers.follow(mesh);
	const nodes = await Promise.all(Array.from({ length: 1026 }, (_, n) => node(n + 3)));
	const [first, newest] = [nodes[0] as Identity, nodes[1025] as Identity];
	const models = [offering('m')];
	await Promise.all(nodes.slice(0, 1024).map((each, n) => say(each, { models, ttlMs: n === 500 ? 50_000 : TTL_MS })));
	expect(executors()).toHaveLength(1024);
	await say(nodes[1024] as Identity, { models });
	expect(executors()).toHaveLength(1024);
	expect(executors()).not.toContain(nodes[500]?.peer);
	// Of equals the one that was heard first: whoever comes is not turned away.
	await say(newest, { models });
	expect(executors()).toContain(newest.peer);
	expect(executors()).not.toContain(first.peer);
});

test('it can do without anybody who listens', async () => {
	const { mesh, ports, clock, node, say, judge } = await listener();
	const changed = vi.fn();
	const offers = new Offers(ports, changed);
	offers.follow(mesh);
	const ada = await node(3);
	expect(await judge(await say(ada), 'relay')).toBe('accept');
	await clock.pass(1);
	expect(changed).toHaveBeenCalledTimes(1);
});

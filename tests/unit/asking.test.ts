/** Those who did well here are asked before everybody is: on virtual time, over the in-memory network, with every cheat of the decision page that needs more than arithmetic. */
import { describe, expect, it } from 'vitest';
import { whomToAsk, MAX_ASKED, type Stated } from '#lib/market/ask.ts';
import { knowledgeOf } from '#lib/market/expect.ts';
import { learn, type Known } from '#lib/market/known.ts';
import type { Offer } from '#lib/node/app.ts';
import type { OriginateEvent } from '#lib/node/events.ts';
import { Offers } from '#lib/node/offers.ts';
import { Registry } from '#lib/node/registry.ts';
import { capabilityAdvertisement } from '#lib/protocol/capability.ts';
import { read } from '#lib/protocol/envelope.ts';
import { assignJob } from '#lib/protocol/assignment.ts';
import { jobAnnouncement, type JobAnnouncement } from '#lib/protocol/announcement.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import { DEFAULT_POLICY } from '#lib/protocol/policy.ts';
import { openStore } from '#lib/store/store.ts';
import { SeededRandom } from '../doubles/chance.ts';
import { chokes } from '../doubles/choked.ts';
import { endOf, World, type NodeOptions, type TestNode } from '../doubles/node.ts';
import type { Mesh } from '#lib/ports/mesh.ts';
import { overMesh, sending } from '../sim/hostile/channels.ts';
import { SAMPLES } from '../fixtures/messages.ts';

interface Place {
	readonly world: World;
	readonly asker: TestNode;
	readonly lenders: readonly TestNode[];
	readonly offers: Offers;
}

/** An asker that follows statements, and lenders that have stated their offers. */
async function place(name: string, lenders: readonly NodeOptions[], asking: NodeOptions = {}): Promise<Place> {
	const world = new World(`asking/${name}`);
	const late: { offers?: Offers } = {};
	const asker = await world.node({
		...asking,
		dress: (ports) => ({ ...(asking.dress?.(ports) ?? ports), offers: () => late.offers?.list() ?? [] })
	});
	const registry = asker.ports.registry as Registry;
	const offers = new Offers(
		asker.ports,
		() => undefined,
		(executor) => registry.heard(executor)
	);
	late.offers = offers;
	offers.follow(asker.mesh);
	const nodes: TestNode[] = [];
	for (const options of lenders) nodes.push(await world.node(options));
	for (const node of nodes) await world.clock.until(node.contribution.start());
	await world.clock.pass(2_000);
	return { world, asker, lenders: nodes, offers };
}
const ask = (at: Place, ...rest: Parameters<TestNode['ask']>) => at.world.clock.until(at.asker.ask(...rest));
const said = ({ world }: Place, topic: string) => world.network.gossip.filter((heard) => heard.topic === topic).length;
const assigned = (events: readonly OriginateEvent[]) =>
	events.flatMap((event) => (event.type === 'assigned' ? [[event.executor.id, event.reason]] : []));
const peer = ({ identity }: TestNode) => identity.peer;

describe('a second job', () => {
	it('is asked of who did the first, over a channel, and nobody else hears of it', async () => {
		const at = await place('second', [{}, { engine: { tokensPerSecond: 20 } }]);
		const first = await ask(at);
		expect(first.map(({ type }) => type)).toContain('announced');
		const [before] = [said(at, 'fireweed/1/announcements')];
		const second = await ask(at);
		expect(endOf(second)).toMatchObject({ type: 'finished', status: 'success' });
		expect(second.filter(({ type }) => type === 'announced')).toEqual([]);
		expect(second[0]).toMatchObject({ type: 'asked', executors: 1 });
		expect(said(at, 'fireweed/1/announcements')).toBe(before);
		const [[who, why] = []] = assigned(second);
		expect(who).toBe(peer(at.lenders[0] as TestNode));
		expect(why).toMatch(/^measured \d+ tokens a second here, answered once, free now$/);
		// Kept with the job.
		const kept = (await at.asker.ports.store.bids.list()).filter(({ chosen }) => chosen).map(({ reason }) => reason);
		expect(kept).toContain(why);
		await at.world.clock.pass(15_000);
		for (const node of [at.asker, ...at.lenders]) expect(node.mesh.held.channels).toBe(0);
	});

	it('is announced when that one is gone, dead or paused; who is chosen then is a newcomer', async () => {
		const ways: readonly ((at: Place) => void)[] = [
			({ lenders: [known] }) => void known?.mesh.stop(),
			({ world, lenders: [known] }) => world.network.vanish(known === undefined ? '' : peer(known)),
			({ lenders: [known] }) => known?.contribution.pause(true)
		];
		for (const [i, way] of ways.entries()) {
			const at = await place(`gone${i}`, [{}, { engine: { tokensPerSecond: 20 } }]);
			await ask(at);
			way(at);
			const events = await ask(at);
			expect(events.map(({ type }) => type)).toContain('announced');
			expect(assigned(events).map(([who]) => who)).toEqual([peer(at.lenders[1] as TestNode)]);
			expect(endOf(events)).toMatchObject({ type: 'finished', status: 'success' });
		}
	});

	it('is announced too when that one has work for long, and whoever is sooner gets it', async () => {
		const at = await place('busy', [{ engine: { tokensPerSecond: 40 } }, { engine: { tokensPerSecond: 25 } }]);
		await ask(at);
		const other = await at.world.node();
		void other.ask({ minTokens: 2_000, maxTokens: 2_000 });
		await at.world.clock.pass(1_500);
		const events = await ask(at);
		expect(events.map(({ type }) => type)).toEqual(expect.arrayContaining(['asked', 'announced']));
		expect(assigned(events).map(([who]) => who)).toEqual([peer(at.lenders[1] as TestNode)]);
	});

	it('holds no way to one that takes no question', async () => {
		const at = await place('choked', [{}], { dress: chokes<TestNode['ports']>(() => jobAnnouncement.type) });
		await ask(at);
		expect(endOf(await ask(at))).toMatchObject({ type: 'finished', status: 'success' });
		// Before the lender itself gives it up.
		await at.world.clock.pass(4_000);
		expect(at.asker.mesh.held.channels).toBe(0);
	});

	it('goes over a fresh way to one that closed the first while it waited, and nothing is held against it', async () => {
		const late: { slow?: string } = {};
		const dress = chokes<TestNode['ports']>(
			() => assignJob.type,
			() => late.slow
		);
		const at = await place('held', [{}, {}], { dress });
		const [one, two] = at.lenders as [TestNode, TestNode];
		for (const { identity } of [one, two])
			await ask(at, {}, undefined, { trust: { who: 'these', accounts: [identity.account] } });
		const before = said(at, 'fireweed/1/announcements');
		const [best] = assigned(await ask(at)).map(([who]) => who);
		const other = [one, two].find((node) => peer(node) !== best) as TestNode;
		late.slow = best as string;
		const events = await ask(at);
		expect(assigned(events).map(([who]) => who)).toEqual([peer(other)]);
		expect(said(at, 'fireweed/1/announcements')).toBe(before);
		const row = (await at.asker.ports.store.known.list()).find(({ id }) => id === peer(other));
		expect(row?.broken).toBe(0);
	});

	it('goes to the next of those asked when the best one fails, without a word to everybody', async () => {
		const at = await place('next', [{}, {}, {}]);
		const [one, two] = at.lenders as [TestNode, TestNode];
		await ask(at, {}, undefined, { trust: { who: 'these', accounts: [one.identity.account] } });
		await ask(at, {}, undefined, { trust: { who: 'these', accounts: [two.identity.account] } });
		const before = said(at, 'fireweed/1/announcements');
		let asked = false;
		at.world.network.meddle = (bytes, from, to) => {
			// The first of them to be assigned is deaf from then on.
			const isAssignment = bytes.length > 300 && from === peer(at.asker) && Buffer.from(bytes).includes('AssignJob');
			if (!isAssignment || asked) return [bytes];
			asked = true;
			at.world.network.nodes.get(to)?.vanish();
			return [];
		};
		const events = await ask(at);
		expect(endOf(events)).toMatchObject({ type: 'finished', status: 'success' });
		expect(said(at, 'fireweed/1/announcements')).toBe(before);
	});
});

describe('who is asked', () => {
	const stated = (id: string, change: Partial<Stated> = {}): Stated => ({
		...{ executor: id, account: `did:${id}`, region: undefined, model: 'm', tokensPerSecond: 30 },
		...{ pricePer1k: 100_000, free: false, addresses: [], ...change }
	});
	const NOW = 1_800_000_000_000;
	const good = (id: string): Known =>
		learn(
			undefined,
			{ id, account: `did:${id}`, addresses: [] },
			{ type: 'kept', model: 'm', tokensPerSecond: 30, firstMs: 300, promised: { tokensPerSecond: 30 } },
			NOW
		);
	const wish: JobAnnouncement = {
		...(SAMPLES.find(({ kind }) => kind === jobAnnouncement)?.body as JobAnnouncement),
		model: 'm'
	};
	const asked = (statements: readonly Stated[], known: readonly Known[], policy = DEFAULT_POLICY) =>
		whomToAsk(statements, wish, policy, knowledgeOf(known, NOW)).map(({ executor }) => executor);

	it('is never a stranger, however fast it says it is and however often it says so', () => {
		const flood = Array.from({ length: 500 }, (_, i) => stated(`sybil${i}`, { tokensPerSecond: 400, pricePer1k: 0 }));
		expect(asked(flood, [])).toEqual([]);
		expect(asked([...flood, stated('good'), ...flood], [good('good')])).toEqual(['good']);
	});
	it('is eight at the most, each once, the best first, one’s own before all', () => {
		const many = Array.from({ length: 20 }, (_, i) => `good${String(i).padStart(2, '0')}`);
		const rows = many.map((id, i) => ({ ...good(id), tokensPerSecond: 10 + i }));
		const found = asked(
			[...many, ...many].map((id) => stated(id, { tokensPerSecond: 100 })),
			rows
		);
		expect(found).toHaveLength(MAX_ASKED);
		expect(new Set(found).size).toBe(MAX_ASKED);
		expect(found[0]).toBe('good19');
		expect(asked([stated('good19'), stated('own', { free: true })], rows)[0]).toBe('own');
	});
	it('is nobody else while lenders of people one knows are there, but one’s own', () => {
		const strangers = [stated('good'), stated('own', { free: true })];
		const friends = [stated('friend', { circle: true }), stated('other', { circle: true, model: 'x' })];
		expect(asked([...strangers, ...friends], [good('good')])).toEqual(['own', 'friend']);
		// One that cannot do the job keeps nobody away.
		expect(asked([...strangers, ...friends.slice(1)], [good('good')])).toEqual(['own', 'good']);
	});
	it('fits the policy', () => {
		const rows = [good('good')];
		const none = (policy: Partial<typeof DEFAULT_POLICY>, change: Partial<Stated> = {}) =>
			asked([stated('good', change)], rows, { ...DEFAULT_POLICY, ...policy });
		expect(none({})).toEqual(['good']);
		expect(none({}, { model: 'other' })).toEqual([]);
		expect(none({ trust: { who: 'these', accounts: ['did:friend'] } })).toEqual([]);
		expect(none({ minStanding: 1 })).toEqual([]);
		expect(none({ regions: ['Porto'] })).toEqual([]);
		expect(none({ regions: ['Porto'] }, { region: 'Porto' })).toEqual(['good']);
		expect(none({}, { pricePer1k: wish.policy.maxPricePer1k + 1 })).toEqual([]);
	});
});

describe('a lender that is asked', () => {
	it('answers a known flood of questions so often and no oftener, and others all the same', async () => {
		const at = await place('pace', [{}]);
		const [lender] = at.lenders as [TestNode];
		const { world, asker } = at;
		let bids = 0;
		const random = new SeededRandom('wishes');
		for (let i = 0; i < 40; i++) {
			const key = await asker.ports.jobKey();
			const { seal } = await import('#lib/protocol/envelope.ts');
			const body = { ...(SAMPLES.find(({ kind }) => kind === jobAnnouncement)?.body as JobAnnouncement) };
			const { model: _any, ...rest } = body;
			const wish = {
				...rest,
				job: random.bytes(16),
				policy: { ...rest.policy, regions: [] },
				issuedAt: world.clock.now()
			};
			delete (wish.policy as { weightsHash?: unknown }).weightsHash;
			delete (wish.policy as { engineClass?: unknown }).engineClass;
			const announcement = await seal(jobAnnouncement, { ...wish, maxTokens: 10, minTokens: 0, promptTokens: 64 }, key);
			const channel = await world.clock.until(asker.mesh.open(peer(lender), [], new AbortController().signal));
			await channel.send(announcement.bytes);
			const heard = channel.messages[Symbol.asyncIterator]();
			const first = heard.next().then(
				({ done }) => done !== true,
				() => false
			);
			if (await world.clock.until(first)) bids++;
			channel.abort();
			await world.clock.pass(10);
		}
		expect(bids).toBeGreaterThanOrEqual(8);
		expect(bids).toBeLessThanOrEqual(16);
		const other = await world.node();
		expect(endOf(await world.clock.until(other.ask()))).toMatchObject({ type: 'finished' });
	});

	it('refuses bytes that are no message, a third wish, and silence, and goes on', async () => {
		const at = await place('bytes', [{}]);
		const [lender] = at.lenders as [TestNode];
		const random = new SeededRandom('bytes');
		for (let i = 0; i < 60; i++) {
			const channel = await at.world.clock.until(at.asker.mesh.open(peer(lender), [], new AbortController().signal));
			const { gossip } = at.world.network;
			const valid = gossip[random.below(gossip.length)]?.bytes as Uint8Array;
			const bytes = i % 2 === 0 ? random.bytes(1 + random.below(3_000)) : Uint8Array.from(valid);
			if (i % 4 === 1) bytes[random.below(bytes.length)] = random.below(256);
			await channel.send(bytes).catch(() => undefined);
			await at.world.clock.pass(50);
			channel.abort();
		}
		await at.world.clock.pass(11_000);
		expect(lender.mesh.held.channels).toBe(0);
		expect(lender.contributed.every(({ type }) => type !== 'ended')).toBe(true);
		expect(endOf(await ask(at))).toMatchObject({ type: 'finished', status: 'success' });
	});
});

describe('newcomers that fail', () => {
	it('one that says nothing makes the rest be asked whether they are there, before any of them is shown the prompt', async () => {
		const world = new World('asking/knock');
		const asker = await world.node();
		const prompted = new Set<string>();
		const silent: string[] = [];
		for (let i = 0; i < 6; i++) {
			const cheat = await world.node({ engine: { tokensPerSecond: 95 } });
			await world.clock.until(cheat.contribution.start());
			silent.push(peer(cheat));
		}
		world.network.meddle = (bytes, from, to) => {
			if (silent.includes(to) && Buffer.from(bytes).includes('how does fireweed')) prompted.add(to);
			return silent.includes(from) ? [] : [bytes];
		};
		const honest = await world.node({ engine: { tokensPerSecond: 30 } });
		await world.clock.until(honest.contribution.start());
		const events = await world.clock.until(asker.ask());
		expect(endOf(events)).toMatchObject({ type: 'finished', status: 'success' });
		expect(assigned(events).map(([who]) => who)).toEqual([peer(honest)]);
		expect(prompted.size).toBe(1);
		await world.clock.pass(15_000);
		for (const { mesh } of [asker, honest]) expect(mesh.held.channels).toBe(0);
	});
});

describe('a newcomer that is asked whether it is there', () => {
	/** What is remembered of lenders that were knocked at, when the way to them is as `way` makes it. */
	async function knockedAt(name: string, way: (mesh: Mesh) => Partial<Mesh>, options: NodeOptions = {}) {
		const world = new World(`asking/knocked/${name}`);
		const asker = await world.node(options);
		const cheat = await world.node();
		const lender = await world.node();
		for (const { contribution } of [cheat, lender]) await world.clock.until(contribution.start());
		for (let i = 0; i < 4; i++)
			asker.ports.registry.failed({ id: `failed ${i}`, account: 'did:x', addresses: [] }, 'engine-failed', 'hiring');
		Object.assign(asker.ports, overMesh(asker.ports, way));
		await world.clock.until(asker.ask());
		const rows = await asker.ports.store.known.list();
		return rows.flatMap(({ id, broken }) => ([peer(cheat), peer(lender)].includes(id) ? [broken] : []));
	}
	const nowhere = (): Partial<Mesh> => ({ open: () => Promise.reject(new Refusal('unreachable')) });
	const closes = (mesh: Mesh): Partial<Mesh> => ({
		open: async (...args) => {
			const channel = await mesh.open(...args);
			return sending(channel, () => Promise.resolve(channel.abort()));
		}
	});

	it('and cannot be dialled: it failed, for such a name costs nothing; one that closes the way is there, and half of that', async () => {
		expect((await knockedAt('nowhere', nowhere)).map(Math.round)).toEqual([1, 1]);
		const half = await knockedAt('closes', closes);
		expect(half).toHaveLength(2);
		for (const broken of half) expect(broken).toBeLessThan(0.6);
	});

	it('by a node that has lost its own network: nothing of it is remembered', async () => {
		let online = true;
		const away = (): Partial<Mesh> => {
			online = false;
			return nowhere();
		};
		expect(await knockedAt('offline', away, { online: () => online })).toEqual([]);
	});
});

describe('what is remembered', () => {
	it('is kept over a reload, and a row that no program wrote is left out', async () => {
		const store = await openStore({ pathname: '/', now: () => 1_800_000_000_000, keep: 'memory' });
		const at = await place('reload', [{}], { store });
		await ask(at);
		const [row] = await store.known.list();
		expect(row).toMatchObject({ id: peer(at.lenders[0] as TestNode), jobs: 1, first: 1 });
		expect(row?.tokensPerSecond).toBeGreaterThan(10);
		const again = new Registry({ ...at.asker.ports, store, online: () => true });
		await again.load();
		expect(again.proven(peer(at.lenders[0] as TestNode))).toBe(true);
		for (const change of [
			{ kept: 1e9 },
			{ kept: -1 },
			{ honesty: 2 },
			{ first: 7 },
			{ tokensPerSecond: Infinity },
			{ kind: 'x'.repeat(65) }
		])
			await expect(store.known.put({ ...(row as Known), ...change })).rejects.toMatchObject({ code: 'malformed' });
		const broken = new Registry({
			...at.asker.ports,
			online: () => true,
			store: { known: { ...store.known, list: () => Promise.reject(new Error('gone')) } }
		});
		await expect(broken.load()).resolves.toBeUndefined();
	});

	it('is nobody’s own statement or bid, said again by somebody else', async () => {
		const at = await place('own', [{}]);
		const [lender] = at.lenders as [TestNode];
		const statement = at.world.network.gossip.find(({ topic }) => topic === 'fireweed/1/capabilities');
		const own = new Offers(lender.ports, () => undefined);
		own.follow(lender.mesh);
		await at.asker.mesh.publish('fireweed/1/capabilities', statement?.bytes as Uint8Array);
		await at.world.clock.pass(200);
		expect(read(capabilityAdvertisement, statement?.bytes as Uint8Array).body.models).toHaveLength(1);
		expect(own.list()).toEqual([]);
		expect(at.offers.list().map((offer: Offer) => offer.executor)).toEqual([peer(lender)]);
	});
});

/** Lending to people one knows: who is answered, what strangers get, and to whom an account is shown (docs/decisions/circle.md). */
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import {
	MAX_NAME,
	MAX_PEOPLE,
	readPeople,
	withoutPerson,
	withPerson,
	writePeople,
	type Person
} from '#lib/market/people.ts';
import { Offers } from '#lib/node/offers.ts';
import { People } from '#lib/node/people.ts';
import { answersCircleOnly, capabilityAdvertisement } from '#lib/protocol/capability.ts';
import { nodeCertificate } from '#lib/protocol/certificate.ts';
import { formatDid } from '#lib/protocol/did.ts';
import { peek, read } from '#lib/protocol/envelope.ts';
import { codeOf, Refusal } from '#lib/protocol/errors.ts';
import { MAX_CHANNEL_MESSAGE } from '#lib/protocol/limits.ts';
import { openStore } from '#lib/store/store.ts';
import { endOf, World, type NodeOptions, type TestNode } from '../doubles/node.ts';
import { kindOf, privacyTable } from '../fixtures/privacy.ts';
import { decode } from '@ipld/dag-cbor';

const did = (n: number) => formatDid(new Uint8Array(32).fill(n));
const ADA: Person = { account: did(1), name: 'Ada', show: true };

describe('the list', () => {
	it('takes accounts and names, changes who is there, and lets go', () => {
		const one = withPerson([], { ...ADA, account: ` ${ADA.account}\n`, name: ` ${'x'.repeat(MAX_NAME + 5)} ` });
		expect(one).toEqual([{ ...ADA, name: 'x'.repeat(MAX_NAME) }]);
		expect(withPerson(one, { ...ADA, show: false })).toEqual([{ ...ADA, show: false }]);
		expect(withoutPerson(one, ADA.account)).toEqual([]);
	});

	it('refuses what is no account, no name, and one too many', () => {
		const full = Array.from({ length: MAX_PEOPLE }, (_, i) => ({ ...ADA, account: did(i + 10) }));
		for (const [person, code, people] of [
			[{ ...ADA, account: 'did:key:z6Mk' }, 'malformed', []],
			[{ ...ADA, account: '12D3KooW' }, 'malformed', []],
			[{ ...ADA, name: '  ' }, 'malformed', []],
			[ADA, 'oversized', full]
		] as const) {
			let refused: unknown;
			try {
				withPerson(people, person);
			} catch (error) {
				refused = error;
			}
			expect(codeOf(refused)).toBe(code);
		}
	});

	it('comes back as it was written, and reads whatever else stands there', () => {
		const people = [ADA, { ...ADA, account: did(2), show: false }];
		expect(readPeople(writePeople(people))).toEqual(people);
		fc.assert(fc.property(fc.anything(), (junk) => readPeople(junk).length === 0 || typeof junk === 'string'));
		fc.assert(
			fc.property(fc.array(fc.record({ account: fc.string(), name: fc.anything(), show: fc.anything() })), (rows) => {
				expect(readPeople(JSON.stringify([...rows, ADA])).at(-1)).toEqual(ADA);
			})
		);
	});

	it('is kept over visits, and shows nobody but those who are marked, and one’s own', async () => {
		const store = await openStore({ pathname: '/', now: () => 1, keep: 'memory' });
		const ports = { store, now: () => 1, own: did(9) };
		await new People(ports).put({ ...ADA, show: false });
		const people = new People(ports);
		await people.put({ account: did(2), name: 'Bo', show: true });
		expect(people.list.value.map(({ name }) => name)).toEqual(['Ada', 'Bo']);
		expect([did(1), did(2), did(3), did(9)].map(people.shows)).toEqual([false, true, false, true]);
		expect([...people.circle()].sort()).toEqual([did(1), did(2), did(9)].sort());
	});
});

it('another account in the same browser knows nobody until it is told: a mark is of the account that made it', async () => {
	const store = await openStore({ pathname: '/', now: () => 1, keep: 'memory' });
	const first = new People({ store, now: () => 1, own: did(8) });
	await first.put({ ...ADA, show: true });
	const second = new People({ store, now: () => 1, own: did(9) });
	await second.put({ account: did(2), name: 'Bo', show: false });
	expect(second.list.value.map(({ name }) => name)).toEqual(['Bo']);
	expect([second.shows(did(1)), second.circle().has(did(1))]).toEqual([false, false]);
	const again = new People({ store, now: () => 1, own: did(8) });
	await again.remove(did(3));
	expect(again.list.value.map(({ name }) => name)).toEqual(['Ada']);
});

describe('the list in several tabs', () => {
	const tabs = async () => {
		const store = await openStore({ pathname: '/', now: () => 1, keep: 'memory' });
		const tab = () => new People({ store, now: () => 1, own: did(9) });
		return { store, tab, one: tab(), other: tab() };
	};
	const names = (people: People) => people.list.value.map(({ name }) => name);
	const BO: Person = { account: did(2), name: 'Bo', show: true };

	it('who is added, unmarked or taken off in one is so in the others, which bring nobody back', async () => {
		const { one, other } = await tabs();
		await one.put(ADA);
		await one.put(BO);
		expect(names(other)).toEqual(['Ada', 'Bo']);
		await other.remove(ADA.account);
		await other.put({ ...BO, show: false });
		expect([names(one), one.shows(BO.account)]).toEqual([['Bo'], false]);
		await one.put({ ...ADA, account: did(3), name: 'Cy' });
		expect([names(one), names(other)]).toEqual([
			['Bo', 'Cy'],
			['Bo', 'Cy']
		]);
	});

	it('changes of one moment are all there', async () => {
		const { one, tab } = await tabs();
		await Promise.all([ADA, BO, { ...ADA, account: did(3), name: 'Cy' }].map((person) => one.put(person)));
		await tab().remove(ADA.account);
		expect(names(one)).toEqual(['Bo', 'Cy']);
	});

	it('a list that cannot be read just now stays as it was, and is not written over', async () => {
		const { store, one, tab } = await tabs();
		await one.put(ADA);
		const down = { now: true };
		const settings = {
			...store.settings,
			get: (key: string) => (down.now ? Promise.reject(new Refusal('storage-unavailable')) : store.settings.get(key))
		};
		const blind = new People({ store: { settings }, now: () => 1, own: did(9) });
		expect(codeOf(await blind.put(BO).catch((error: unknown) => error))).toBe('storage-unavailable');
		expect(names(blind)).toEqual(['Bo']);
		expect(names(tab())).toEqual([]);
		down.now = false;
		await blind.put({ ...BO, account: did(3), name: 'Cy' });
		expect(names(one)).toEqual(['Ada', 'Cy']);
		down.now = true;
		await one.put({ ...ADA, name: 'Ada L.' });
		expect(names(blind)).toEqual(['Ada', 'Cy']);
	});

	it('a write the store refuses holds for this visit', async () => {
		const { store } = await tabs();
		const settings = { ...store.settings, put: () => Promise.reject(new Refusal('storage-full')) };
		const full = new People({ store: { settings }, now: () => 1, own: did(9) });
		expect(codeOf(await full.put(ADA).catch((error: unknown) => error))).toBe('storage-full');
		expect(names(full)).toEqual(['Ada']);
	});
});

interface Place {
	readonly world: World;
	readonly asker: TestNode;
	readonly lender: TestNode;
	/** What the asker sent to the lender over channels. */
	readonly sent: Uint8Array[];
	readonly offers: Offers;
}

/** An asker that shows its account to those of `shown`, and a lender with that circle. */
async function place(
	name: string,
	circle: (asker: TestNode) => ReadonlySet<string> | undefined,
	shown: (lender: TestNode) => readonly string[],
	asking: NodeOptions = {},
	lending: NodeOptions = {}
): Promise<Place> {
	const sent: Uint8Array[] = [];
	const late: { asker?: TestNode; lender?: TestNode; offers?: Offers } = {};
	const world = new World(`circle/${name}`, {
		meddle: (bytes, from) => {
			if (from === late.asker?.identity.peer) sent.push(bytes);
			return [bytes];
		}
	});
	const asker = await world.node({
		...asking,
		dress: (ports) => ({ ...ports, offers: () => late.offers?.list() ?? [], offering: (m) => late.offers?.offering(m) })
	});
	late.asker = asker;
	const lender = await world.node({ ...lending, account: 'lender', terms: { circle: () => circle(asker) } });
	const offers = new Offers({ ...asker.ports, shows: (account) => shown(lender).includes(account) }, () => undefined);
	late.offers = offers;
	offers.follow(asker.mesh);
	await world.clock.until(lender.contribution.start());
	await world.clock.pass(2_000);
	return { world, asker, lender, sent, offers };
}
const kinds = (sent: readonly Uint8Array[]) => sent.map((bytes) => kindOf(decode(bytes)));
const ask = ({ world, asker }: Place) => world.clock.until(asker.ask({ minTokens: 40, maxTokens: 40 }));

describe('a lender that lends to people it knows', () => {
	it('answers one of them, that shows its account to it, and nobody else hears of the job', async () => {
		const at = await place(
			'friend',
			(asker) => new Set([asker.identity.account]),
			(lender) => [lender.identity.account]
		);
		const events = await ask(at);
		expect(endOf(events)).toMatchObject({ type: 'finished', status: 'success' });
		expect(events.map(({ type }) => type)).not.toContain('announced');
		expect(at.world.network.gossip.filter(({ topic }) => topic === 'fireweed/1/announcements')).toEqual([]);
		const [first] = at.sent;
		expect(peek(first as Uint8Array, MAX_CHANNEL_MESSAGE).type).toBe(nodeCertificate.type);
		const row = privacyTable('When you ask the mesh').get(
			'A computer of somebody you know, to whom you show your account'
		);
		expect([...new Set(kinds(at.sent))].sort()).toEqual([...(row?.messages ?? [])].sort());
		expect(row?.gets['your account']).toBe(true);
	});

	it('states it, in an extension that says no more', async () => {
		const at = await place(
			'states',
			() => new Set([did(77)]),
			() => []
		);
		const [statement] = at.world.network.gossip.filter(({ topic }) => topic === 'fireweed/1/capabilities');
		const { body } = read(capabilityAdvertisement, statement?.bytes as Uint8Array);
		expect(answersCircleOnly(body)).toBe(true);
		expect(Object.entries(body.extensions)).toEqual([['circle', Uint8Array.of(1)]]);
	});

	it('is not there for a stranger: no offer, no call, no bid, and nothing is shown', async () => {
		const at = await place(
			'stranger',
			(asker) => new Set([asker.identity.account]),
			() => []
		);
		expect(at.offers.list()).toEqual([]);
		expect(endOf(await ask(at))).toMatchObject({ type: 'failed', code: 'no-bids' });
		expect(at.sent).toEqual([]);
		const suggest = vi.spyOn(at.asker.mesh, 'suggest');
		await at.world.clock.pass(15_000);
		expect(at.offers.offering(undefined)).toEqual([]);
		// It states its offer again, and is not dialled for that either.
		expect(suggest).not.toHaveBeenCalled();
		const shown = await place(
			'shown',
			(asker) => new Set([asker.identity.account]),
			(lender) => [lender.identity.account]
		);
		const others = vi.spyOn(shown.asker.mesh, 'suggest');
		await shown.world.clock.pass(15_000);
		expect(others).toHaveBeenCalled();
	});

	it('does not answer who shows an account that is not on its list, or another’s', async () => {
		for (const [name, certificate] of [
			['outsider', undefined],
			['borrowed', (other: TestNode) => other.identity.certificate]
		] as const) {
			const other: { node?: TestNode } = {};
			const at = await place(
				name,
				() => new Set([other.node?.identity.account ?? '']),
				(lender) => [lender.identity.account],
				{}
			);
			other.node = await at.world.node({ account: 'member' });
			if (certificate !== undefined) Object.assign(at.asker.identity, { certificate: certificate(other.node) });
			expect(endOf(await ask(at))).toMatchObject({ type: 'failed', code: 'no-bids' });
			expect(kinds(at.sent)).not.toContain('AssignJobV1');
			expect(at.lender.contributed.filter(({ type }) => type === 'considered')).toEqual([]);
			await at.world.clock.pass(15_000);
			expect(at.lender.mesh.held.channels).toBe(0);
		}
	});

	it('that could later is asked again, and the asker says so meanwhile', async () => {
		const loading = { now: false };
		const at = await place(
			'loading',
			(asker) => new Set([asker.identity.account]),
			(lender) => [lender.identity.account],
			{},
			{
				playing: (engine) => ({
					get state() {
						return loading.now ? ('idle' as const) : engine.state;
					},
					...{ id: engine.id, load: engine.load.bind(engine), generate: engine.generate.bind(engine) },
					...{ logits: engine.logits.bind(engine), countTokens: engine.countTokens.bind(engine) },
					unload: engine.unload.bind(engine)
				})
			}
		);
		loading.now = true;
		const tries: number[] = [];
		const events = await at.world.clock.until(
			at.asker.ask({ minTokens: 40, maxTokens: 40 }, undefined, {}, (event) => {
				if (event.type !== 'busy') return;
				tries.push(event.tries);
				loading.now = tries.length < 2;
			})
		);
		expect(tries).toEqual([1, 2]);
		expect(endOf(events)).toMatchObject({ type: 'finished', status: 'success' });
	});

	it('answers its own account without being told', async () => {
		const at = await place(
			'kin',
			(asker) => new Set([asker.identity.account]),
			(lender) => [lender.identity.account],
			{ account: 'lender' }
		);
		expect(endOf(await ask(at))).toMatchObject({ type: 'finished', price: 0 });
	});
});

it('an open lender is never shown an account, however well it is known', async () => {
	const at = await place(
		'open',
		() => undefined,
		(lender) => [lender.identity.account]
	);
	for (let i = 0; i < 2; i++) expect(endOf(await ask(at))).toMatchObject({ type: 'finished' });
	expect(kinds(at.sent)).not.toContain('NodeCertificateV1');
	expect(Buffer.concat(at.sent).includes(Buffer.from(at.asker.identity.accountKey))).toBe(false);
});

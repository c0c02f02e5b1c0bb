/** docs/privacy.md on an in-memory network where every byte that anybody gets can be looked at. */
import { decode } from '@ipld/dag-cbor';
import { beforeAll, describe, expect, test } from 'vitest';
import { Offers } from '#lib/node/offers.ts';
import { answerOf, endOf, World, type TestNode } from '../doubles/node.ts';
import { kindOf, privacyTable } from '../fixtures/privacy.ts';

const PROMPT = 'the planted secret prompt';

interface Got {
	readonly from: string;
	readonly bytes: Uint8Array;
}

const kinds = (messages: readonly Got[]) =>
	[...new Set(messages.map(({ bytes }) => kindOf(decode(bytes))).filter((kind) => kind !== undefined))].sort();
const all = (messages: readonly Got[]) => Buffer.concat(messages.map(({ bytes }) => bytes));

describe('what each party gets', () => {
	const asking = privacyTable('When you ask the mesh');
	const lending = privacyTable('When you contribute');
	const direct = new Map<string, Got[]>();
	let world: World;
	let asker: TestNode;
	let chosen: TestNode;
	let others: TestNode[];
	let said: Got[];
	let answer: string;

	beforeAll(async () => {
		const heard: { offers?: Offers } = {};
		world = new World('privacy', {
			meddle: (bytes, from, to) => {
				direct.set(to, [...(direct.get(to) ?? []), { from, bytes }]);
				return [bytes];
			}
		});
		asker = await world.node({ dress: (ports) => ({ ...ports, offers: () => heard.offers?.list() ?? [] }) });
		heard.offers = new Offers(asker.ports, () => undefined);
		heard.offers.follow(asker.mesh);
		const lenders = [await world.node(), await world.node(), await world.node()];
		for (const lender of lenders) await world.clock.until(lender.contribution.start());
		const events = await world.clock.until(asker.ask({ turns: [{ role: 'user', content: PROMPT }] }));
		await world.clock.pass(2_000);
		expect(endOf(events).type).toBe('finished');
		answer = answerOf(events).text;
		const assigned = events.find((event) => event.type === 'assigned');
		chosen = lenders.find(({ identity }) => identity.peer === assigned?.executor.id) as TestNode;
		others = lenders.filter((lender) => lender !== chosen);
		said = world.network.gossip.map(({ bytes, from }) => ({ bytes, from }));
	});

	/** Which of the things in the columns stand somewhere in these bytes. */
	const found = (bytes: Buffer, who: TestNode) => ({
		'your prompt': bytes.includes(PROMPT),
		'the answer': bytes.includes(answer.trim().split(' ')[0] ?? ''),
		'your account': bytes.includes(Buffer.from(who.identity.accountKey)),
		'this tab’s name': bytes.includes(Buffer.from(who.identity.node.publicKey))
	});
	const says = (row: { readonly gets: Readonly<Record<string, boolean>> } | undefined) => ({
		'your prompt': row?.gets['your prompt'] ?? false,
		'the answer': row?.gets['the answer'] ?? false,
		'your account': row?.gets['your account'],
		'this tab’s name': row?.gets["this tab's name"]
	});
	const from = (messages: readonly Got[], who: TestNode) => messages.filter((got) => got.from === who.identity.peer);

	test('everybody on the mesh: what is public, and nothing about who asks', () => {
		const row = asking.get('Everybody on the mesh');
		expect(kinds(said)).toEqual([...(row?.messages ?? [])].sort());
		expect(found(all(said), asker)).toEqual(says(row));
	});

	test('a computer that offers and is not chosen gets the announcement and no more', () => {
		const row = asking.get('A computer that offers but is not chosen');
		expect(others).toHaveLength(2);
		for (const other of others) expect(direct.get(other.identity.peer) ?? []).toEqual([]);
		expect(kinds(from(said, asker))).toEqual(row?.messages);
		expect(found(all(from(said, asker)), asker)).toEqual(says(row));
	});

	test('the computer that answers gets the prompt, and not the account', () => {
		const row = asking.get('The computer that answers (executor)');
		const got = direct.get(chosen.identity.peer) ?? [];
		expect(kinds([...from(said, asker), ...got])).toEqual([...(row?.messages ?? [])].sort());
		const back = direct.get(asker.identity.peer) ?? [];
		// The name of the tab is the connection's, not a message's: both ends of a channel know each other.
		expect(got.every((message) => message.from === asker.identity.peer)).toBe(true);
		expect({ ...found(all([...got, ...back]), asker), 'this tab’s name': true }).toEqual(says(row));
		expect(all(got).includes(PROMPT)).toBe(true);
	});

	test('a computer that answered before and is asked directly gets the wish, and nobody else anything', async () => {
		const row = asking.get('A computer that is asked directly and not chosen');
		const came = new Map<string, Got[]>();
		world.network.meddle = (bytes, from, to) => {
			came.set(to, [...(came.get(to) ?? []), { from, bytes }]);
			return [bytes];
		};
		const [second] = others as [TestNode];
		const trusting = { trust: { who: 'these' as const, accounts: [second.identity.account] } };
		await world.clock.until(asker.ask({}, undefined, trusting));
		await world.clock.pass(2_000);
		came.clear();
		const publicBefore = world.network.gossip.length;
		const events = await world.clock.until(asker.ask({ turns: [{ role: 'user', content: PROMPT }] }));
		await world.clock.pass(2_000);
		expect(events[0]).toMatchObject({ type: 'asked', executors: 2 });
		const who = events.find((event) => event.type === 'assigned')?.executor.id;
		const [passed, ...none] = [chosen, second].filter(({ identity }) => identity.peer !== who);
		expect(none).toEqual([]);
		const got = came.get(passed?.identity.peer ?? '') ?? [];
		expect(kinds(got)).toEqual(row?.messages);
		// The name of the tab is the connection's.
		expect({ ...found(all(got), asker), 'this tab’s name': true }).toEqual(says(row));
		// Nobody else hears anything, and nothing of it is public.
		expect([...came.keys()].sort()).toEqual([asker, chosen, second].map(({ identity }) => identity.peer).sort());
		expect(kinds(world.network.gossip.slice(publicBefore))).not.toContain('JobAnnouncementV1');
		expect(kinds(world.network.gossip.slice(publicBefore))).not.toContain('JobBidV1');
	});

	test('who contributes is public by account and name', () => {
		const everybody = lending.get('Everybody on the mesh');
		const offers = from(said, chosen);
		expect(kinds(offers)).toEqual([...(everybody?.messages ?? [])].sort());
		expect(found(all(offers), chosen)).toEqual(says(everybody));
		const one = lending.get('The one who asks');
		const back = direct.get(asker.identity.peer) ?? [];
		expect(kinds(back)).toEqual([...(one?.messages ?? [])].sort());
		expect(found(all(back), chosen)).toMatchObject({ 'your account': true, 'this tab’s name': true });
	});
});

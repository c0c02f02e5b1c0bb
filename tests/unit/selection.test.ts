/** What an originator remembers of executors, and whom it therefore chooses: every cheat that docs/decisions/selection.md names, as arithmetic. */
import { describe, expect, it } from 'vitest';
import { expect as expected, knowledgeOf, newcomersOdds, NOTHING_KNOWN, type Knowledge } from '#lib/market/expect.ts';
import {
	gravityOf,
	HALF_LIFE_MS,
	heardAgain,
	kindOf,
	learn,
	MAX_KNOWN,
	MAX_KNOWN_BAD,
	steadiness,
	tooMany,
	type Known,
	type Outcome
} from '#lib/market/known.ts';
import { EXPLORED, explores, select, type BidHeard } from '#lib/market/select.ts';
import { successors } from '#lib/market/succeed.ts';
import { jobAnnouncement, type JobAnnouncement } from '#lib/protocol/announcement.ts';
import { jobBid, type JobBid } from '#lib/protocol/bid.ts';
import { CODES, type Code } from '#lib/protocol/errors.ts';
import { DEFAULT_POLICY } from '#lib/protocol/policy.ts';
import { SeededRandom } from '../doubles/chance.ts';
import { SAMPLES } from '../fixtures/messages.ts';

const BID = SAMPLES.find(({ kind }) => kind === jobBid)?.body as JobBid;
const ANNOUNCED: JobAnnouncement = {
	...(SAMPLES.find(({ kind }) => kind === jobAnnouncement)?.body as JobAnnouncement),
	...{ model: BID.model.id, promptTokens: 64, minTokens: 0, maxTokens: 200 }
};
const NOW = 1_800_000_000_000;
const HOUR = 3_600_000;

function heard(executor: string, change: Partial<JobBid> & { account?: string; own?: boolean } = {}): BidHeard {
	const { account = `did:${executor}`, own = false, ...terms } = change;
	const bid = { ...BID, milliTokensPerSecond: 30_000, firstTokenMs: 300, pricePer1k: 100_000, addresses: [], ...terms };
	return { bid, executor, account, sameAccount: own, heardAt: 0 };
}
const who = (id: string, addresses: readonly string[] = []) => ({ id, account: `did:${id}`, addresses });
const kept = (tokensPerSecond: number, promised = tokensPerSecond): Outcome => ({
	...{ type: 'kept', model: BID.model.id, tokensPerSecond, firstMs: 400, promised: { tokensPerSecond: promised } }
});
const broken: Outcome = { type: 'broken', gravity: 1 };
/** `id` after these outcomes, one a minute, the last of them now. */
function after(id: string, outcomes: readonly Outcome[], addresses: readonly string[] = []): Known {
	let known: Known | undefined;
	outcomes.forEach((outcome, i) => {
		known = learn(known, who(id, addresses), outcome, NOW - (outcomes.length - 1 - i) * 60_000);
	});
	return known as Known;
}
const knowing = (...rows: readonly Known[]): Knowledge => knowledgeOf(rows, NOW);
const order = (bids: readonly BidHeard[], knowledge = NOTHING_KNOWN, chance: () => number = () => 0) => {
	const how = { chance, explore: explores(knowledge, chance) };
	return select(bids, ANNOUNCED, DEFAULT_POLICY, 1, knowledge, how).map((choice) => choice.heard.executor);
};
const lots = (name: string) => {
	const random = new SeededRandom(name);
	return () => random.unit();
};
/** How often each goes first. */
function firsts(bids: readonly BidHeard[], knowledge: Knowledge, times = 2_000): Map<string, number> {
	const chance = lots('firsts');
	const counts = new Map<string, number>();
	for (let i = 0; i < times; i++) {
		const [first = ''] = order(bids, knowledge, chance);
		counts.set(first, (counts.get(first) ?? 0) + 1 / times);
	}
	return counts;
}

describe('what is remembered', () => {
	it('fades: half of it in three days, and a clock that goes back or ahead makes nobody better', () => {
		const good = after('a', [kept(30), kept(30)]);
		expect(good.kept).toBeCloseTo(2, 3);
		const later = (ms: number) => knowledgeOf([good], NOW + ms).executors.get('a') as Known;
		expect(later(HALF_LIFE_MS).kept).toBeCloseTo(1, 3);
		expect(later(-HOUR).kept).toBeCloseTo(2, 3);
		expect(later(1e15).kept).toBe(0);
		// An experience out of the future fades from now on.
		expect(knowledgeOf([{ ...good, at: NOW + 1e12 }], NOW).executors.get('a')?.at).toBe(NOW);
	});
	it('measures speed and first token, the newest weighing most, and starts again with another model', () => {
		const twice = after('a', [kept(20), kept(40)]);
		expect(twice).toMatchObject({ tokensPerSecond: 28, firstMs: 400, jobs: 2, honesty: 1 });
		const other = learn(twice, who('a'), { ...kept(5), model: 'another' } as Outcome, NOW);
		expect(other).toMatchObject({ model: 'another', tokensPerSecond: 5, jobs: 3 });
		const untold = learn(
			twice,
			who('a'),
			{ ...kept(5), tokensPerSecond: undefined, firstMs: undefined } as Outcome,
			NOW
		);
		expect(untold).toMatchObject({ tokensPerSecond: 28, firstMs: 400, jobs: 3 });
	});
	it('holds no number that a jumping clock made', () => {
		for (const speed of [0, -1, Infinity, 1e300, 1e-300]) {
			const known = after('a', [kept(speed, 10), kept(speed, 10)]);
			for (const value of Object.values(known))
				if (typeof value === 'number') expect(Number.isFinite(value)).toBe(true);
			expect(known.tokensPerSecond).toBeGreaterThan(0);
			expect(known.honesty).toBeLessThanOrEqual(1);
		}
	});
	it('counts presence: who is missed now and then is less steady, and no night makes it so', () => {
		const stays = Array.from({ length: 100 }).reduce<Known>(
			(known) => heardAgain(known, 12_000),
			after('a', [kept(30)])
		);
		const leaves = Array.from({ length: 100 }).reduce<Known>(
			(known) => heardAgain(known, 90_000),
			after('a', [kept(30)])
		);
		expect(steadiness(stays)).toBeGreaterThan(0.95);
		expect(steadiness(leaves)).toBeLessThan(0.4);
		expect(heardAgain(stays, 12 * HOUR).downMs).toBeLessThanOrEqual(10 * 60_000);
		expect(heardAgain(stays, Number.NaN)).toBe(stays);
		const long = Array.from({ length: 20_000 }).reduce<Known>((known) => heardAgain(known, 12_000), stays);
		expect(long.upMs + long.downMs).toBeLessThanOrEqual(24 * HOUR);
	});
	it('is bounded, and names that cost nothing do not push out who did well', () => {
		const good = Array.from({ length: 300 }, (_, i) => ({ ...after(`good${i}`, [kept(30)]), at: NOW - HOUR }));
		const bad = Array.from({ length: 2_000 }, (_, i) => ({ ...after(`bad${i}`, [broken]), at: NOW - 2_000 + i }));
		const gone = tooMany([...bad, ...good]);
		const left = [...bad, ...good].filter((known) => !gone.includes(known));
		expect(left.length).toBeLessThanOrEqual(MAX_KNOWN);
		expect(left.filter(({ jobs }) => jobs > 0)).toHaveLength(300);
		expect(left.filter(({ jobs }) => jobs === 0)).toHaveLength(Math.min(MAX_KNOWN_BAD, MAX_KNOWN - 300));
		// The newest of them: those who are about.
		expect(left.some(({ id }) => id === 'bad1999')).toBe(true);
		const many = Array.from({ length: MAX_KNOWN + 7 }, (_, i) => ({ ...after(`g${i}`, [kept(30)]), at: NOW + i }));
		expect(tooMany(many).map(({ id }) => id)).toEqual(['g0', 'g1', 'g2', 'g3', 'g4', 'g5', 'g6']);
		expect(tooMany(many.slice(7))).toEqual([]);
	});
	it('of newcomers fades also when the clock went back: a bad hour that seems to lie ahead does not last until then', () => {
		const ahead = { ...after('ahead', [broken]), firstAt: NOW + 24 * HOUR };
		expect(knowledgeOf([ahead], NOW).newcomers.broken).toBeLessThan(0.01);
	});
	it('weighs each end: what is nobody’s fault nothing, misfortune half, a broken rule most', () => {
		expect(gravityOf('busy', 'hiring')).toBe(0);
		expect(gravityOf('aborted', 'hiring')).toBe(0);
		expect(gravityOf('aborted', 'answering')).toBe(0.5);
		expect(gravityOf('peer-lost', 'answering')).toBe(0.5);
		expect(gravityOf('stalled', 'hiring')).toBe(1);
		expect(gravityOf('engine-failed', 'answering')).toBe(1);
		for (const code of ['bad-signature', 'terms-differ', 'out-of-order', 'unknown-token', 'malformed'] as const)
			expect(gravityOf(code, 'answering')).toBe(4);
		for (const code of Object.keys(CODES) as Code[]) expect([0, 0.5, 1, 4]).toContain(gravityOf(code, 'answering'));
	});
	it('knows a kind by the relay or the network of its addresses', () => {
		const relayed = (port: number) => `/ip4/9.9.9.${port % 200}/tcp/${port}/p2p/12D3KooWrelayOne/p2p-circuit/webrtc`;
		expect(kindOf([relayed(4001)])).toBe(kindOf([relayed(4002)]));
		expect(kindOf(['/ip4/10.1.2.3/udp/1/webrtc-direct'])).toBe(kindOf(['/ip4/10.1.2.99/udp/7/webrtc-direct']));
		expect(kindOf(['/ip4/10.1.2.3/udp/1'])).not.toBe(kindOf(['/ip4/10.1.3.3/udp/1']));
		expect(kindOf(['/ip6/2001:db8:1:2::7/udp/1'])).toBe('net 2001:db8:1');
		for (const odd of [[], [''], ['/'], ['////////'], ['p2p-circuit'], ['/p2p-circuit'], ['x'.repeat(5_000)]])
			expect(kindOf(odd).length).toBeLessThanOrEqual(64);
		expect(kindOf(['/ip4/1.2.3.4/x', ...Array.from({ length: 50 }, (_, i) => `/ip4/${i}.2.3.4/x`)])).toHaveLength(64);
	});
});

describe('a boast', () => {
	it('does not make a newcomer better than who was measured here', () => {
		const known = after('known', [kept(25), kept(25)]);
		const bids = [heard('boaster', { milliTokensPerSecond: 400_000, firstTokenMs: 1, pricePer1k: 1 }), heard('known')];
		expect(order(bids, knowing(known))).toEqual(['known', 'boaster']);
	});
	it('gains nothing over other newcomers: they are drawn by lot', () => {
		const bids = [
			...Array.from({ length: 5 }, (_, i) =>
				heard(`boaster${i}`, { milliTokensPerSecond: 400_000, firstTokenMs: 1, pricePer1k: 1 })
			),
			...Array.from({ length: 5 }, (_, i) => heard(`modest${i}`))
		];
		const counts = firsts(bids, NOTHING_KNOWN);
		const modest = [...counts].reduce((sum, [name, n]) => sum + (name.startsWith('modest') ? n : 0), 0);
		expect(modest).toBeGreaterThan(0.4);
		// But one who says itself that it is slow is not drawn before others.
		expect(
			firsts([...bids, heard('slow', { milliTokensPerSecond: 4_000 })], NOTHING_KNOWN).get('slow')
		).toBeUndefined();
	});
	it('that was not kept is remembered: the next claim is worth as much less, with any model', () => {
		const boaster = after('boaster', [kept(20, 400), kept(20, 400)]);
		expect(boaster.honesty).toBeLessThan(0.45);
		const claims = { milliTokensPerSecond: 40_000 };
		const pace = (id: string) =>
			expected(heard(id, claims), ANNOUNCED, knowing(boaster, after('c', [broken]))).tokensPerSecond;
		expect(pace('boaster')).toBeLessThan(20);
		const other = heard('boaster', { ...claims, model: { ...BID.model, id: 'another' } });
		expect(expected(other, ANNOUNCED, knowing(boaster)).tokensPerSecond).toBeLessThan(20);
		expect(expected(heard('new', claims), ANNOUNCED, knowing(boaster)).tokensPerSecond).toBe(24);
	});
	it('of one who was measured counts no further than a quarter above its measures', () => {
		const known = after('known', [kept(10)]);
		const pace = expected(heard('known', { milliTokensPerSecond: 900_000 }), ANNOUNCED, knowing(known)).tokensPerSecond;
		expect(pace).toBeLessThanOrEqual(12.5);
	});
	it('is capped below what is usual, once that is known', () => {
		const rows = [10, 20, 30].map((speed, i) => after(`k${i}`, [kept(speed)]));
		const fast = heard('new', { milliTokensPerSecond: 400_000, firstTokenMs: 0 });
		const { tokensPerSecond, firstMs } = expected(fast, ANNOUNCED, knowing(...rows));
		expect(tokensPerSecond).toBe(16);
		expect(firstMs).toBeGreaterThan(400);
	});
});

describe('good, then bad', () => {
	it('spends the best record within three bad jobs, and one bad job never makes a newcomer better', () => {
		const best = after('a', [...Array<Outcome>(50).fill(kept(30)), broken, broken, broken]);
		expect(expected(heard('a'), ANNOUNCED, knowing(best)).proven).toBe(false);
		const once = after('b', [...Array<Outcome>(50).fill(kept(30)), broken]);
		expect(expected(heard('b'), ANNOUNCED, knowing(once)).proven).toBe(true);
	});
	it('at once, when it broke a rule', () => {
		const liar = after('a', [...Array<Outcome>(50).fill(kept(30)), { type: 'broken', gravity: 4 }]);
		expect(expected(heard('a'), ANNOUNCED, knowing(liar)).proven).toBe(false);
		expect(order([heard('a'), heard('new', { milliTokensPerSecond: 20_000 })], knowing(liar))).toEqual(['new', 'a']);
	});
	it('a loss, as closing a lid is one, costs less than a stall', () => {
		const lost = after('a', [kept(30), { type: 'broken', gravity: 0.5 }]);
		const stalled = after('a', [kept(30), broken]);
		const odds = (known: Known) => expected(heard('a'), ANNOUNCED, knowing(known)).odds;
		expect(odds(lost)).toBeGreaterThan(odds(stalled));
		expect(odds(stalled)).toBeGreaterThan(odds(after('a', [{ type: 'broken', gravity: 4 }])));
	});
});

describe('many names', () => {
	const failed = (n: number, addresses: readonly string[] = []) =>
		Array.from({ length: n }, (_, i) => after(`sybil${i}`, [broken], addresses));
	it('a new name is worth no more than the newcomers before it were: they are judged together, for a while', () => {
		const fresh = (knowledge: Knowledge) => expected(heard('fresh'), ANNOUNCED, knowledge).odds;
		const before = fresh(NOTHING_KNOWN);
		const now = fresh(knowing(...failed(6)));
		expect(now).toBeLessThan(before / 2);
		// Tomorrow newcomers are welcome again.
		expect(fresh(knowledgeOf(failed(6), NOW + 24 * HOUR))).toBeGreaterThan(0.9 * before);
	});
	it('then even a slow one that is known goes first', () => {
		const slow = after('slow', [kept(8), kept(8)]);
		const bids = [
			...Array.from({ length: 20 }, (_, i) => heard(`x${i}`, { pricePer1k: 1 })),
			heard('slow', { milliTokensPerSecond: 8_000 })
		];
		expect(order(bids, knowing(slow, ...failed(8)))[0]).toBe('slow');
	});
	it('newcomers of another kind are not as bad as those who share relay or network with whoever failed', () => {
		const knowledge = knowing(...failed(6, ['/ip4/6.6.6.1/udp/1']));
		expect(newcomersOdds(knowledge, 'net 6.6.6')).toBeLessThan(newcomersOdds(knowledge, 'net 7.7.7'));
		const bids = [heard('a', { addresses: ['/ip4/6.6.6.9/udp/1'] }), heard('b', { addresses: ['/ip4/7.7.7.1/udp/1'] })];
		expect(order(bids, knowledge)).toEqual(['b', 'a']);
	});
	it('are not tried in a row: kinds and accounts take turns', () => {
		const sybils = Array.from({ length: 6 }, (_, i) => heard(`s${i}`, { addresses: ['/ip4/6.6.6.1/udp/1'] }));
		const bids = [...sybils, heard('t', { addresses: ['/ip4/7.7.7.1/udp/1'] })];
		expect(order(bids).indexOf('t')).toBeLessThanOrEqual(1);
		const oneAccount = Array.from({ length: 6 }, (_, i) => heard(`s${i}`, { account: 'did:one' }));
		expect(order([...oneAccount, heard('t')]).indexOf('t')).toBeLessThanOrEqual(1);
	});
	it('an account’s other nodes vouch for it half, and drag it down half', () => {
		const row = (id: string, outcome: Outcome) => ({ ...after(id, [outcome, outcome, outcome]), account: 'did:one' });
		const odds = (knowledge: Knowledge) => expected(heard('new', { account: 'did:one' }), ANNOUNCED, knowledge).odds;
		const neutral = odds(NOTHING_KNOWN);
		expect(odds(knowing(row('old', kept(30))))).toBeGreaterThan(neutral);
		expect(odds(knowing(row('old', broken)))).toBeLessThan(neutral);
	});
});

describe('newcomers', () => {
	const known = after('known', [kept(30), kept(30), kept(30)]);
	const bids = [heard('known'), heard('a'), heard('b')];
	it('go first in a bounded share of jobs, with somebody known behind them', () => {
		const counts = firsts(bids, knowing(known), 4_000);
		const tried = (counts.get('a') ?? 0) + (counts.get('b') ?? 0);
		expect(tried).toBeGreaterThan(EXPLORED / 4);
		expect(tried).toBeLessThanOrEqual(EXPLORED);
		const once = select(bids, ANNOUNCED, DEFAULT_POLICY, 1, knowing(known), { explore: true });
		expect(once[0]?.reason).toBe('new here, tried so that it can show what it does');
		expect(once[1]?.heard.executor).toBe('known');
	});
	it('seldomer, when newcomers failed lately; never when they are much slower; never before one’s own device', () => {
		const failing = Array.from({ length: 10 }, (_, i) => after(`s${i}`, [broken]));
		const share = (knowledge: Knowledge) => 1 - (firsts(bids, knowledge, 4_000).get('known') ?? 0);
		expect(share(knowing(known, ...failing))).toBeLessThan(share(knowing(known)) / 2);
		const slow = [heard('known'), heard('slow', { milliTokensPerSecond: 2_000 })];
		expect(firsts(slow, knowing(known)).get('known')).toBeCloseTo(1, 9);
		const own = [...bids, heard('own', { own: true, milliTokensPerSecond: 5_000 })];
		expect(firsts(own, knowing(known)).get('own')).toBeCloseTo(1, 9);
	});
});

describe('the choice', () => {
	it('weighs time, risk and price: a known cheap one before a known dear one that is hardly faster', () => {
		const rows = [after('cheap', [kept(30), kept(30)]), after('dear', [kept(31), kept(31)])];
		const bids = [heard('dear', { pricePer1k: 2_000_000, milliTokensPerSecond: 31_000 }), heard('cheap')];
		expect(order(bids, knowing(...rows))).toEqual(['cheap', 'dear']);
		const fast = after('dear', [kept(300), kept(300)]);
		const faster = [heard('dear', { pricePer1k: 200_000, milliTokensPerSecond: 300_000 }), heard('cheap')];
		expect(order(faster, knowing(rows[0] as Known, fast))).toEqual(['dear', 'cheap']);
	});
	it('who has work before it stands behind who is free', () => {
		const rows = [after('busy', [kept(40), kept(40)]), after('free', [kept(30), kept(30)])];
		const bids = [heard('busy', { firstTokenMs: 9_000, waitMs: 8_700 }), heard('free')];
		expect(order(bids, knowing(...rows))).toEqual(['free', 'busy']);
		const why = select(bids, ANNOUNCED, DEFAULT_POLICY, 1, knowing(...rows)).map(({ reason }) => reason);
		expect(why[1]).toBe('measured 40 tokens a second here, answered twice, free in 9 s');
	});
	it('depends on nothing but its arguments, also in ties', () => {
		const bids = ['c', 'a', 'b'].map((id) => heard(id));
		expect(order(bids)).toEqual(['a', 'b', 'c']);
		expect(order([...bids].reverse())).toEqual(['a', 'b', 'c']);
		expect(order(bids, NOTHING_KNOWN, lots('x'))).toEqual(order([...bids], NOTHING_KNOWN, lots('x')));
	});
	it('says why, in words for a person', () => {
		const rows = [after('a', [kept(31), kept(31), kept(31), kept(31)]), after('b', [kept(4.26)]), after('c', [broken])];
		const reasons = (...names: string[]) =>
			select(
				names.map((name) => heard(name)),
				ANNOUNCED,
				DEFAULT_POLICY,
				1,
				knowing(...rows)
			).map(({ reason }) => reason);
		expect(reasons('a')).toEqual(['measured 31 tokens a second here, answered 4 times, free now']);
		expect(reasons('b')).toEqual(['measured 4.3 tokens a second here, answered once, free now']);
		expect(reasons('d')).toEqual(['the only offer']);
		expect(reasons('c')).toEqual(['the only offer']);
		expect(reasons('c', 'e')).toEqual([
			'new here, one of 2 offers',
			'did not always answer here, but the best of 2 offers'
		]);
		const own = select([heard('x', { own: true })], ANNOUNCED, DEFAULT_POLICY, 1);
		expect(own[0]?.reason).toBe('your own device');
	});
	it('also of who goes on when an executor is lost', () => {
		const job = {
			...{ announcement: ANNOUNCED, policy: DEFAULT_POLICY, model: BID.model, spent: 0 },
			...{ struckOff: new Set<string>(), accounts: new Set<string>() }
		};
		const bids = [heard('a'), heard('known', { milliTokensPerSecond: 25_000 })];
		const first = (knowledge: Knowledge) =>
			successors(bids, job, 1, (each, wanted, policy, now) => select(each, wanted, policy, now, knowledge))[0]?.heard
				.executor;
		expect(first(NOTHING_KNOWN)).toBe('a');
		expect(first(knowing(after('known', [kept(25)])))).toBe('known');
	});
});

/** What a node remembers of executors over its tries, and that neither a full disk nor its own lost network makes it unjust. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HALF_LIFE_MS, MAX_KNOWN_BAD, type Known, type Outcome } from '#lib/market/known.ts';
import { EXPLORED, select, type BidHeard } from '#lib/market/select.ts';
import { Registry } from '#lib/node/registry.ts';
import { jobAnnouncement, type JobAnnouncement } from '#lib/protocol/announcement.ts';
import { jobBid, type JobBid } from '#lib/protocol/bid.ts';
import { CODES, Refusal, type Code } from '#lib/protocol/errors.ts';
import { DEFAULT_POLICY } from '#lib/protocol/policy.ts';
import { VirtualClock } from '../doubles/clock.ts';
import { SAMPLES } from '../fixtures/messages.ts';

const BID = SAMPLES.find(({ kind }) => kind === jobBid)?.body as JobBid;
const ANNOUNCED = {
	...(SAMPLES.find(({ kind }) => kind === jobAnnouncement)?.body as JobAnnouncement),
	...{ model: BID.model.id, maxTokens: 200 }
};
const who = (id: string) => ({ id, account: `did:${id}`, addresses: [] });
const kept: Outcome = {
	...{ type: 'kept', model: BID.model.id, tokensPerSecond: 30, firstMs: 400, promised: { tokensPerSecond: 30 } }
};
const broken: Outcome = { type: 'broken', gravity: 1 };

/** A registry over a table that a test can break, and a lot that always falls the same way. */
function registry({ bytes = [0, 0, 0], rows = [] }: { bytes?: readonly number[]; rows?: readonly Known[] } = {}) {
	const clock = new VirtualClock();
	const state: { online: boolean; refuses?: Code } = { online: true };
	const table = new Map(rows.map((row) => [row.id, row]));
	const [log, asked]: [unknown[], number[]] = [[], []];
	const guarded = async <T>(work: () => T): Promise<T> => {
		if (state.refuses !== undefined) throw new Refusal(state.refuses);
		return work();
	};
	const known = {
		list: () => guarded(() => [...table.values()]),
		put: (row: Known) => guarded(() => void table.set(row.id, row)),
		delete: (id: string) => guarded(() => void table.delete(id))
	};
	const registry = new Registry({
		store: { known: known as never },
		clock,
		random: { bytes: (length) => (asked.push(length), Uint8Array.from(bytes)) },
		log: (...line) => void log.push(line),
		online: () => state.online
	});
	const rowOf = (id: string) => registry.knowledge().executors.get(id);
	return { clock, state, table, log, asked, registry, known: rowOf };
}

describe('what was kept', () => {
	const row = (id: string) => {
		const { registry: one, table } = registry();
		one.learn(who(id), kept);
		return table.get(id) as Known;
	};

	test('is known again, and does not undo what was learnt meanwhile', async () => {
		const { clock, state, registry: one, known } = registry({ rows: [row('a'), row('b')] });
		state.refuses = 'storage-full';
		one.learn(who('b'), broken);
		await clock.pass(0);
		delete state.refuses;
		await one.load();
		expect(known('a')).toMatchObject({ id: 'a', kept: 1, jobs: 1 });
		expect(known('b')).toMatchObject({ kept: 0, broken: 1 });
	});

	test('and cannot be read any more leaves it with strangers', async () => {
		const { registry: one, state, known } = registry({ rows: [row('a')] });
		state.refuses = 'storage-unavailable';
		await expect(one.load()).resolves.toBeUndefined();
		expect([known('a'), one.knowledge().executors.size]).toEqual([undefined, 0]);
	});
});

describe('learning', () => {
	test('takes in how a try ended, at its time, and keeps it', () => {
		const { clock, registry: one, table, known } = registry();
		one.learn(who('a'), kept);
		one.learn(who('a'), broken);
		expect(known('a')).toMatchObject({ account: 'did:a', kept: 0.5, broken: 1, jobs: 1, at: clock.now() });
		expect(table.get('a')).toEqual(known('a'));
	});

	test('fades with time', async () => {
		const { clock, registry: one, known } = registry();
		one.learn(who('a'), kept);
		await clock.pass(HALF_LIFE_MS);
		expect(known('a')?.kept).toBe(0.5);
	});

	test('what cannot be kept is known for this visit, and said once for each row', async () => {
		const { clock, state, registry: one, known, log } = registry();
		state.refuses = 'storage-full';
		one.learn(who('a'), kept);
		await clock.pass(0);
		expect(known('a')?.jobs).toBe(1);
		expect(log).toEqual([['not-kept', { code: 'storage-full' }]]);
	});

	test('whoever is one too many is forgotten, here and on the disk, and how long it was heard too', async () => {
		const { clock, registry: one, table, known } = registry();
		for (let n = 0; n < MAX_KNOWN_BAD; n++) {
			one.learn(who(`bad ${n}`), broken);
			if (n === 0) one.heard('bad 0');
			await clock.pass(1);
		}
		expect([known('bad 0')?.broken !== undefined, table.size]).toEqual([true, MAX_KNOWN_BAD]);
		one.learn(who('one more'), broken);
		expect([known('bad 0'), table.has('bad 0'), table.size]).toEqual([undefined, false, MAX_KNOWN_BAD]);
		expect(one.knowledge().executors.size).toBe(MAX_KNOWN_BAD);
		// Met again it is somebody new, who was never heard before.
		one.learn(who('bad 0'), kept);
		one.heard('bad 0');
		expect(known('bad 0')).toMatchObject({ upMs: 0, downMs: 0, broken: 0 });
	});
});

describe('a try that failed', () => {
	const against = (code: Code, stage: 'hiring' | 'answering', online = true) => {
		const { state, registry: one, known } = registry();
		state.online = online;
		one.failed(who('a'), code, stage);
		return known('a')?.broken ?? 0;
	};

	test('weighs as much as its code says at that stage', () => {
		expect(against('stalled', 'hiring')).toBe(1);
		expect(against('unreachable', 'hiring')).toBe(0.5);
		expect(against('wrong-signer', 'answering')).toBe(4);
		expect(against('aborted', 'answering')).toBe(0.5);
	});

	test('says nothing of anybody who was busy or was stopped in time', () => {
		for (const code of ['busy', 'aborted'] as const) {
			const { registry: one, known, table } = registry();
			one.failed(who('a'), code, 'hiring');
			expect([known('a'), table.size]).toEqual([undefined, 0]);
		}
	});

	test('of a node that has lost its own network, silence is nobody’s fault, and everything else still is', () => {
		const silent = new Set<Code>(['unreachable', 'peer-lost', 'channel-closed', 'stalled']);
		for (const code of Object.keys(CODES) as Code[])
			expect([code, against(code, 'answering', false)]).toEqual([
				code,
				silent.has(code) ? 0 : against(code, 'answering', true)
			]);
		expect([...silent].map((code) => against(code, 'answering'))).toEqual([0.5, 0.5, 0.5, 1]);
	});
});

describe('presence', () => {
	test('is counted from one statement to the next, of those who are known alone', async () => {
		const { clock, registry: one, known, table } = registry();
		one.heard('a');
		await clock.pass(60_000);
		one.learn(who('a'), kept);
		const written = table.get('a');
		one.heard('a');
		expect(known('a')).toMatchObject({ upMs: 0, downMs: 0 });
		await clock.pass(12_000);
		one.heard('a');
		await clock.pass(40_000);
		one.heard('a');
		expect(known('a')).toMatchObject({ upMs: 42_000, downMs: 10_000 });
		// Kept with what is learnt next.
		expect(table.get('a')).toBe(written);
		one.learn(who('a'), kept);
		expect(table.get('a')).toMatchObject({ upMs: 42_000, downMs: 10_000, jobs: 2 });
	});
});

describe('a good record', () => {
	test('is what somebody did well here, as long as it has not faded and nothing worse came', async () => {
		const { clock, registry: one } = registry();
		expect(one.proven('a')).toBe(false);
		one.learn(who('a'), kept);
		one.learn(who('b'), broken);
		expect([one.proven('a'), one.proven('b')]).toEqual([true, false]);
		await clock.pass(HALF_LIFE_MS);
		expect(one.proven('a')).toBe(true);
		await clock.pass(60_000);
		expect(one.proven('a')).toBe(false);
		one.learn(who('a'), kept);
		one.learn(who('a'), broken);
		expect(one.proven('a')).toBe(false);
	});
});

describe('choosing', () => {
	test('a lot is a number from 0 to below 1 out of three bytes', () => {
		const { registry: one, asked } = registry({ bytes: [1, 2, 3] });
		expect(one.chance()).toBe((65_536 + 2 * 256 + 3) / 16_777_216);
		expect(asked).toEqual([3]);
		expect(registry({ bytes: [255, 255, 255] }).registry.chance()).toBe(1 - 2 ** -24);
		expect(registry({ bytes: [] }).registry.chance()).toBe(0);
		fc.assert(
			fc.property(fc.uint8Array({ minLength: 3, maxLength: 3 }), (bytes) => {
				const chance = registry({ bytes: [...bytes] }).registry.chance();
				expect(chance).toBeGreaterThanOrEqual(0);
				expect(chance).toBeLessThan(1);
			})
		);
	});

	test('a job is one to explore in by lot, and seldomer when newcomers did badly', () => {
		// Just within the part of jobs that explore while nothing is known: two newcomers in three are expected to do well.
		const bytes = [255 - Math.floor((EXPLORED * 256 * 2) / 3) + 1, 0, 0];
		expect(registry({ bytes }).registry.explores()).toBe(true);
		expect(registry({ bytes: [0, 0, 0] }).registry.explores()).toBe(false);
		const { registry: one } = registry({ bytes });
		for (let n = 0; n < 20; n++) one.learn(who(`bad ${n}`), broken);
		expect(one.explores()).toBe(false);
	});

	const bid = (executor: string, milliTokensPerSecond = 30_000): BidHeard => ({
		bid: { ...BID, milliTokensPerSecond, pricePer1k: 0, addresses: [] },
		...{ executor, account: `did:${executor}`, sameAccount: false, heardAt: 0 }
	});

	test('ranks by what it knows, its lots and the time it is given', () => {
		const bytes = [128, 0, 0];
		const { registry: one } = registry({ bytes });
		for (let n = 0; n < 3; n++) one.learn(who('good'), kept);
		one.learn(who('bad'), broken);
		const heard = [bid('bad'), bid('new'), bid('good'), { ...bid('late'), heardAt: -1e9 }];
		const names = (explore?: boolean) =>
			one.rank(heard, ANNOUNCED, DEFAULT_POLICY, 1, explore).map((choice) => choice.heard.executor);
		expect(names()).toEqual(['good', 'new', 'bad']);
		expect(names(true)).toEqual(['new', 'good', 'bad']);
		const chosen = (explore: boolean) =>
			select(heard, ANNOUNCED, DEFAULT_POLICY, 1, one.knowledge(), { chance: () => 0.5, explore });
		for (const explore of [false, true])
			expect(one.rank(heard, ANNOUNCED, DEFAULT_POLICY, 1, explore)).toEqual(chosen(explore));
	});

	test('the lots of newcomers who look alike decide among them', () => {
		let next = 0;
		const { registry: one } = registry();
		const lots = [200, 0];
		const drawn = new Registry({
			store: { known: {} as never },
			clock: new VirtualClock(),
			random: { bytes: () => Uint8Array.of(lots[next++ % 2] ?? 0, 0, 0) },
			log: () => undefined,
			online: () => true
		});
		const first = (by: Registry) => by.rank([bid('a'), bid('b')], ANNOUNCED, DEFAULT_POLICY, 1)[0]?.heard.executor;
		expect([first(one), first(drawn)]).toEqual(['a', 'b']);
	});
});

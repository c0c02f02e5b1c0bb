/** What is remembered of one executor, figure by figure: how it fades, what each try changes, what each end weighs, and who is forgotten. */
import { describe, expect, it } from 'vitest';
import {
	faded,
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
import { CODES, type Code } from '#lib/protocol/errors.ts';
import { NOW, row } from '../fixtures/market.ts';

const DAY = 24 * 3_600_000;
const who = { id: 'a', account: 'did:a', addresses: ['/ip4/1.2.3.4/udp/1'] };
type Kept = Extract<Outcome, { type: 'kept' }>;
const kept = (change: Partial<Kept> = {}): Outcome => ({
	...{ type: 'kept', model: 'm', tokensPerSecond: 20, firstMs: 500, promised: { tokensPerSecond: 20 } },
	...change
});
const broken = (gravity: number): Outcome => ({ type: 'broken', gravity });
const before = (change: Partial<Known> = {}) => row('a', { model: 'm', kind: 'net 1.2.3', ...change });
const after = (outcome: Outcome, change: Partial<Known> = {}) => learn(before(change), who, outcome, NOW);

describe('what was seen', () => {
	it('weighs half after three days and a quarter after six, good and bad alike, and is then as of that time', () => {
		const seen = before({ kept: 4, broken: 2 });
		expect(HALF_LIFE_MS).toBe(3 * DAY);
		expect(faded(seen, NOW)).toEqual(seen);
		expect(faded(seen, NOW + 3 * DAY)).toEqual({ ...seen, kept: 2, broken: 1, at: NOW + 3 * DAY });
		expect(faded(seen, NOW + 6 * DAY)).toEqual({ ...seen, kept: 1, broken: 0.5, at: NOW + 6 * DAY });
	});

	it('does not grow when the clock goes back', () => {
		expect(faded(before(), NOW - 3 * DAY)).toEqual(before({ at: NOW - 3 * DAY }));
	});
});

describe('a first try', () => {
	const stranger = {
		...{ id: 'a', account: 'did:a', kind: 'net 1.2.3', kept: 0, broken: 0, jobs: 0, model: undefined },
		...{ tokensPerSecond: 0, firstMs: 0, honesty: 1, upMs: 0, downMs: 0, firstAt: NOW, at: NOW }
	};
	it('done well is a job, its measures, and a good beginning', () => {
		expect(learn(undefined, who, kept(), NOW)).toEqual({
			...stranger,
			...{ kept: 1, jobs: 1, first: 1, model: 'm', tokensPerSecond: 20, firstMs: 500 }
		});
	});

	it('that failed is a bad beginning, at worst one whole', () => {
		expect(learn(undefined, who, broken(0.5), NOW)).toEqual({ ...stranger, broken: 0.5, first: -0.5 });
		expect(learn(undefined, who, broken(1), NOW)).toEqual({ ...stranger, broken: 1, first: -1 });
		expect(learn(undefined, who, broken(4), NOW)).toEqual({ ...stranger, broken: 4, first: -1 });
	});
});

describe('a further try', () => {
	it('fades what was, and keeps how and when it began', () => {
		const old = before({ kept: 2, broken: 2, first: -0.5, firstAt: NOW - 9 * DAY, at: NOW - 3 * DAY });
		expect(learn(old, who, broken(0.5), NOW)).toEqual({ ...old, kept: 1 * 0.5 ** 0.5, broken: 1.5, at: NOW });
		expect(learn(old, who, kept(), NOW)).toEqual({ ...old, kept: 2, broken: 1, jobs: 2, at: NOW });
	});

	it('says anew whose it is and where it stands', () => {
		const moved = learn(before(), { ...who, account: 'did:b', addresses: ['/ip4/9.9.9.9/udp/1'] }, broken(1), NOW);
		expect(moved).toMatchObject({ id: 'a', account: 'did:b', kind: 'net 9.9.9' });
	});

	it('done well counts up to eight; a failure halves that, a broken rule leaves a sixteenth', () => {
		expect(after(kept(), { kept: 6.5 }).kept).toBe(7.5);
		expect(after(kept(), { kept: 7.5, jobs: 20 })).toMatchObject({ kept: 8, jobs: 21 });
		expect(after(broken(1), { kept: 8, jobs: 20 })).toMatchObject({ kept: 4, broken: 1, jobs: 20 });
		expect(after(broken(4), { kept: 8 })).toMatchObject({ kept: 0.5, broken: 4 });
	});

	it('moves the measures two fifths of the way to the new ones', () => {
		expect(after(kept({ tokensPerSecond: 30, firstMs: 1_000 }))).toMatchObject({ tokensPerSecond: 24, firstMs: 700 });
		expect(after(kept({ tokensPerSecond: 10, firstMs: 0 }))).toMatchObject({ tokensPerSecond: 16, firstMs: 300 });
	});

	it('leaves measures as they were when nothing was measured', () => {
		const unmeasured = kept({ tokensPerSecond: undefined, firstMs: undefined });
		expect(after(unmeasured, { honesty: 0.7 })).toMatchObject({ tokensPerSecond: 20, firstMs: 500, honesty: 0.7 });
		// And the first that is measured counts whole.
		expect(after(kept({ tokensPerSecond: 30 }), { tokensPerSecond: 0, firstMs: 0 })).toMatchObject({
			...{ tokensPerSecond: 30, firstMs: 500 }
		});
	});

	it('with another model begins its measures anew, also when there are none', () => {
		const other = { model: 'n' };
		expect(after(kept({ ...other, tokensPerSecond: 5, firstMs: 90 }))).toMatchObject({
			...other,
			...{ tokensPerSecond: 5, firstMs: 90 }
		});
		expect(after(kept({ ...other, tokensPerSecond: undefined, firstMs: undefined }))).toMatchObject({
			...other,
			...{ tokensPerSecond: 0, firstMs: 0 }
		});
	});

	it('holds speeds between one token in a hundred seconds and ten thousand in one', () => {
		const speed = (tokensPerSecond: number) => learn(undefined, who, kept({ tokensPerSecond }), NOW).tokensPerSecond;
		expect([speed(-3), speed(0.02), speed(9_999), speed(1e9)]).toEqual([0.01, 0.02, 9_999, 10_000]);
	});

	it('remembers a boast: two fifths of what the speed fell short of the promise, and never more than was promised', () => {
		const honesty = (speed: number, promised: number, was = 1) =>
			after(kept({ tokensPerSecond: speed, promised: { tokensPerSecond: promised } }), { honesty: was }).honesty;
		expect(honesty(10, 20)).toBeCloseTo(0.8, 12);
		expect(honesty(40, 20)).toBe(1);
		expect(honesty(40, 20, 0.5)).toBeCloseTo(0.7, 12);
		// A promise of next to nothing is no boast, and not kept by less.
		expect(honesty(0.5, 0.1)).toBeCloseTo(0.8, 12);
	});
});

describe('presence', () => {
	it('counts half a minute of a pause as being there and the rest as absence, ten minutes at most', () => {
		const heard = (ms: number) => {
			const { upMs, downMs } = heardAgain(before({ upMs: 1_000, downMs: 2_000 }), ms);
			return [upMs, downMs];
		};
		expect(heard(1)).toEqual([1_001, 2_000]);
		expect(heard(30_000)).toEqual([31_000, 2_000]);
		expect(heard(40_000)).toEqual([31_000, 12_000]);
		expect(heard(630_000)).toEqual([31_000, 602_000]);
		expect(heard(DAY)).toEqual([31_000, 602_000]);
	});

	it('is not changed by a clock that stood still or went back', () => {
		const known = before();
		for (const ms of [0, -1, Number.NaN]) expect(heardAgain(known, ms)).toBe(known);
	});

	it('makes room for the new beyond a day, in proportion', () => {
		const { upMs, downMs } = heardAgain(before({ upMs: DAY - 30_000, downMs: DAY - 10_000 }), 40_000);
		expect([upMs, downMs]).toEqual([DAY / 2, DAY / 2]);
		const whole = heardAgain(before({ upMs: DAY / 2 - 30_000, downMs: DAY / 2 }), 30_000);
		expect([whole.upMs, whole.downMs]).toEqual([DAY / 2, DAY / 2]);
	});

	it('is half of the time while there is nothing to tell by', () => {
		expect(steadiness({ upMs: 0, downMs: 0 })).toBe(0.5);
		expect(steadiness({ upMs: 60_000, downMs: 30_000 })).toBe(0.6);
		expect(steadiness({ upMs: 0, downMs: 240_000 })).toBe(0.1);
	});
});

describe('an end', () => {
	it('weighs what its code says of the executor, and a broken rule when it says nothing else', () => {
		const weights: Partial<Record<Code, number>> = {
			...{ busy: 0, expired: 0, 'rate-limited': 0, aborted: 0, 'limited-connection': 0, 'relay-unavailable': 0 },
			...{ 'prompt-too-long': 0, 'deadline-passed': 0, locked: 0, internal: 0 },
			...{ unreachable: 0.5, 'peer-lost': 0.5, 'channel-closed': 0.5, declined: 0.5, 'engine-not-ready': 0.5 },
			...{ stalled: 1, 'no-acknowledgement': 1, 'engine-busy': 1, 'engine-failed': 1, 'engine-load-failed': 1 },
			...{ 'out-of-memory': 1, 'device-lost': 1 }
		};
		for (const code of Object.keys(CODES) as Code[]) {
			const weight = weights[code] ?? 4;
			expect([code, gravityOf(code, 'hiring')]).toEqual([code, weight]);
			expect([code, gravityOf(code, 'answering')]).toEqual([code, code === 'aborted' ? 0.5 : weight]);
		}
	});
});

describe('a kind', () => {
	it('is the last letters of the relay that comes before the circuit', () => {
		expect(kindOf(['/ip4/9.9.9.9/tcp/1/p2p/12D3KooWabcdefghijkl/p2p-circuit/webrtc'])).toBe('relay abcdefghijkl');
		expect(kindOf(['/short/p2p-circuit'])).toBe('relay short');
		expect(kindOf(['/p2p-circuit', 'p2p-circuit'])).toBe('');
	});

	it('else is the network: three numbers of an address of four, three groups of a long one', () => {
		expect(kindOf(['/ip4/1.2.3.4/udp/1'])).toBe('net 1.2.3');
		expect(kindOf(['/ip6/2001:db8:1:2::7/udp/1'])).toBe('net 2001:db8:1');
		expect(kindOf(['/dns4/a.example/tcp/443', '/memory/1.2.3', '', 'ip4'])).toBe('');
		expect(kindOf([])).toBe('');
		expect(kindOf(['/ip4'])).toBe('net ');
	});

	it('of several addresses is all they say, each once, in one order, at most 64 letters', () => {
		const several = ['/ip4/9.9.9.1/udp/1', '/dns4/x/tcp/1', '/ip4/1.2.3.4/udp/1', '/ip4/9.9.9.2/udp/7'];
		expect(kindOf(several)).toBe('net 1.2.3 net 9.9.9');
		expect(kindOf([...several].reverse())).toBe('net 1.2.3 net 9.9.9');
		expect(kindOf(Array.from({ length: 9 }, (_, i) => `/ip4/${i}.2.3.4/x`))).toBe(
			'net 0.2.3 net 1.2.3 net 2.2.3 net 3.2.3 net 4.2.3 net 5.2.3 net '
		);
	});
});

describe('who is forgotten', () => {
	const some = (n: number, name: string, change: Partial<Known>) =>
		Array.from({ length: n }, (_, i) => row(`${name}${i}`, { at: NOW + i, ...change }));
	const good = (n: number) => some(n, 'good', {});
	const bad = (n: number, change: Partial<Known> = {}) => some(n, 'bad', { jobs: 0, ...change });
	const ids = (rows: readonly Known[]) => tooMany(rows).map(({ id }) => id);

	it('is nobody while there is room: 512 in all, of them 256 that never did anything well', () => {
		expect([MAX_KNOWN, MAX_KNOWN_BAD]).toEqual([512, 256]);
		expect(ids([...good(256), ...bad(256)])).toEqual([]);
		expect(ids(good(512))).toEqual([]);
	});

	it('is the oldest of those that never did well when they are one too many, and nobody else', () => {
		expect(ids(bad(258))).toEqual(['bad0', 'bad1']);
		expect(ids([...good(256), ...bad(257).reverse()])).toEqual(['bad0']);
	});

	it('is of more than 512 first who never did well, however new, then the oldest', () => {
		const late = bad(1, { at: NOW + DAY });
		expect(ids([...late, ...good(512)])).toEqual(['bad0']);
		expect(ids([...late, ...good(513)])).toEqual(['bad0', 'good0']);
		expect(ids([...bad(1, { at: NOW - DAY }), ...good(513).reverse()])).toEqual(['bad0', 'good0']);
		expect(ids([...good(300), ...bad(256)])).toEqual(Array.from({ length: 44 }, (_, i) => `bad${i}`));
	});

	it('is of those of one age the one whose name comes first', () => {
		const alike = some(514, 'x', { at: NOW }).map((known) => ({ ...known, id: known.id.padStart(5, '0') }));
		const first = [...alike].map(({ id }) => id).sort();
		expect(ids(alike)).toEqual(first.slice(0, 2));
		expect(ids([...alike].reverse())).toEqual(first.slice(0, 2));
	});
});

/** What is noted of the times that others sign, for how long, of how many, and what is not worth the looking. */
import { describe, expect, test } from 'vitest';
import { ClockWatch, FORGET_MS, MAX_ACCOUNTS, MAX_NEIGHBOURS, STEADY_MS } from '#lib/node/clock-watch.ts';
import type { Identity } from '#lib/ports/keys.ts';
import { capabilityAdvertisement, type CapabilityAdvertisement } from '#lib/protocol/capability.ts';
import { CERTIFICATE_LIFE_MS } from '#lib/protocol/certificate.ts';
import { seal } from '#lib/protocol/envelope.ts';
import { statement } from '../doubles/contributor.ts';
import { Seals } from '../doubles/seals.ts';
import { SAMPLES } from '../fixtures/messages.ts';

const START = 1_800_000_000_000;
const HOUR = 3_600_000;
const STEP_MS = 10_000;
const UNSTEADY_MS = 30_000;
const LOOKS_AT_ONCE = 64;
const A_LOOK_COMES_BACK_MS = 100;
const OWN = 250;

interface How {
	readonly from?: string;
	/** How long before it is heard it was signed. */
	readonly lateMs?: number;
}

/** A watch on a device whose wall clock is wrong by `aheadMs`; monotonic time begins somewhere. */
async function device(aheadMs = HOUR) {
	const state = { passed: 777, aheadMs };
	const seals = new Seals();
	const made = new Map<number, Promise<Identity>>();
	const identity = (n: number) => {
		const one = made.get(n) ?? seals.identity(new Uint8Array(32).fill(n), new Uint8Array(32).fill(n).with(0, 1), START);
		made.set(n, one);
		return one;
	};
	const own = await identity(OWN);
	const clock = { now: () => START + state.passed + state.aheadMs, monotonic: () => state.passed };
	const watch = new ClockWatch({ crypto: seals, clock, own: own.account });
	const say = async (n: number, { from = 'relay', lateMs = 0 }: How = {}) =>
		watch.hear(await statement(await identity(n), START + state.passed - lateMs), from);
	/** How many statements were looked at while `work` ran; each costs two signatures. */
	const looks = async (work: () => Promise<unknown>) => {
		const before = seals.checked;
		await work();
		return (seals.checked - before) / 2;
	};
	const all = async (who: readonly number[], how?: How) => {
		for (const n of who) await say(n, how);
	};
	/** All of them, twice, as far apart as it takes. */
	const twice = async (who: readonly number[], how?: How) => {
		await all(who, how);
		state.passed += STEADY_MS;
		await all(who, how);
	};
	return { state, seals, watch, say, looks, all, twice, identity };
}
const upTo = (n: number, first = 1) => Array.from({ length: n }, (_, i) => first + i);

describe('who counts', () => {
	test('is heard twice, so far apart and no nearer', async () => {
		const { state, watch, all, twice, looks } = await device();
		await all([1, 2, 3]);
		state.passed += STEADY_MS - 1;
		expect(await looks(() => all([1, 2, 3]))).toBe(0);
		expect(watch.error()).toBeUndefined();
		state.passed += 1;
		expect(await looks(() => all([1, 2, 3]))).toBe(3);
		expect(watch.error()).toBe(HOUR);
		await twice([1, 2, 3]);
		expect(watch.error()).toBe(HOUR);
	});

	test('by what was signed last, as it stands by this clock now', async () => {
		const { state, watch, all, twice } = await device(-HOUR);
		await twice([1, 2, 3]);
		expect(watch.error()).toBe(-HOUR);
		state.passed += STEADY_MS;
		// It took a while to come.
		await all([1, 2, 3], { lateMs: 4_000 });
		expect(watch.error()).toBe(-HOUR + 4_000);
	});

	test.each([1, -1])('goes at the pace of this device, up to thirty seconds (sign %i)', async (sign) => {
		for (const [off, counts] of [
			[UNSTEADY_MS, true],
			[UNSTEADY_MS + 1, false]
		] as const) {
			const { state, watch, all } = await device();
			await all([1, 2, 3], { lateMs: sign * off });
			state.passed += STEADY_MS;
			await all([1, 2, 3]);
			expect([off, watch.error()]).toEqual([off, counts ? HOUR : undefined]);
			// Whose clock has jumped is known anew from there.
			state.passed += STEADY_MS;
			await all([1, 2, 3]);
			expect(watch.error()).toBe(HOUR);
		}
	});

	test('is no tab of this account, which costs no look either', async () => {
		const { watch, twice, looks } = await device();
		expect(await looks(() => twice([OWN]))).toBe(0);
		await twice([1, 2, OWN]);
		expect(watch.error()).toBeUndefined();
	});

	test('has a certificate that was good when it signed, whatever this clock says of it', async () => {
		const ahead = 2 * CERTIFICATE_LIFE_MS;
		const { watch, twice } = await device(ahead);
		await twice([1, 2, 3]);
		expect(watch.error()).toBe(ahead);
		const other = await device(-ahead);
		await other.twice([1, 2, 3], { lateMs: -2 * CERTIFICATE_LIFE_MS });
		expect(other.watch.error()).toBeUndefined();
	});

	test('what is no statement of a certified node is passed over without a look', async () => {
		const { watch, looks, identity, state } = await device();
		const { node } = await identity(1);
		const body = SAMPLES.find(({ kind }) => kind === capabilityAdvertisement)?.body as CapabilityAdvertisement;
		const bare = await seal(capabilityAdvertisement, { ...body, issuedAt: START + state.passed }, node);
		const spoilt = await statement({ node, certificate: Uint8Array.of(1) }, START + state.passed);
		const junk = [new Uint8Array(), Uint8Array.of(1), bare.bytes, spoilt];
		expect(
			await looks(async () => {
				for (const message of junk) await expect(watch.hear(message, 'relay')).resolves.toBeUndefined();
			})
		).toBe(0);
	});

	test('who was not heard of for three minutes is forgotten', async () => {
		const { state, watch, twice } = await device();
		await twice([1, 2, 3]);
		state.passed += FORGET_MS;
		expect(watch.error()).toBe(HOUR);
		state.passed += 1;
		expect(watch.error()).toBeUndefined();
	});

	test('who goes on is remembered while others are forgotten', async () => {
		const { state, watch, twice, say } = await device();
		await twice([1, 2, 3, 4]);
		state.passed += FORGET_MS;
		for (const n of [1, 2, 3]) await say(n);
		state.passed += 1;
		expect(watch.error()).toBe(HOUR);
	});
});

describe('a clock that is set, or a device that slept', () => {
	test.each([1, -1])('voids what was noted, from more than ten seconds on (sign %i)', async (sign) => {
		for (const [step, stays] of [
			[STEP_MS, true],
			[STEP_MS + 1, false]
		] as const) {
			const { state, watch, twice } = await device(sign * HOUR);
			await twice([1, 2, 3]);
			state.aheadMs += sign * step;
			expect(watch.error()).toBe(stays ? state.aheadMs : undefined);
		}
	});

	test('a clock that is set right little by little voids nothing', async () => {
		const { state, watch, twice } = await device();
		await twice([1, 2, 3]);
		for (let n = 0; n < 5; n++) {
			state.aheadMs -= STEP_MS;
			expect(watch.error()).toBe(state.aheadMs);
		}
	});

	test('is noticed at the next statement too, without anybody asking', async () => {
		const { state, watch, twice, all } = await device();
		await twice([1, 2, 3]);
		state.aheadMs -= HOUR / 2;
		await all([4]);
		state.aheadMs += HOUR / 2;
		await all([4]);
		expect(watch.error()).toBeUndefined();
	});
});

describe('room', () => {
	const LOOK_PAUSE = LOOKS_AT_ONCE * A_LOOK_COMES_BACK_MS;

	test('is for so many accounts of a neighbour; whoever is known stays, and of another neighbour there is room', async () => {
		const { state, all, looks } = await device();
		await all(upTo(MAX_ACCOUNTS));
		expect(await looks(() => all([100]))).toBe(0);
		expect(await looks(() => all([100], { from: 'other' }))).toBe(1);
		state.passed += LOOK_PAUSE;
		expect(await looks(() => all(upTo(MAX_ACCOUNTS)))).toBe(MAX_ACCOUNTS);
	});

	test('is for so many neighbours, whose accounts may become more', async () => {
		const { all, looks } = await device();
		const neighbours = upTo(MAX_NEIGHBOURS).map((n) => ({ from: `neighbour ${n}` }));
		for (const how of neighbours) expect(await looks(() => all([1], how))).toBe(1);
		expect(await looks(() => all([1], { from: 'one more' }))).toBe(0);
		expect(await looks(() => all([2], neighbours[0]))).toBe(1);
	});

	test('is made by time alone, also while nobody asks', async () => {
		const { state, all, looks } = await device();
		for (const n of upTo(MAX_NEIGHBOURS)) await all([1], { from: `neighbour ${n}` });
		state.passed += FORGET_MS + 1;
		expect(await looks(() => all([1], { from: 'one more' }))).toBe(1);
	});

	test('the last place is given once, though two were looked at in the same moment', async () => {
		const { state, say, all, looks } = await device();
		await all(upTo(MAX_ACCOUNTS - 1));
		expect(await looks(() => Promise.all([say(100), say(101)]))).toBe(2);
		state.passed += LOOK_PAUSE;
		expect(await looks(() => all([100, 101]))).toBe(1);
		for (const n of upTo(MAX_NEIGHBOURS - 2)) await all([1], { from: `neighbour ${n}` });
		const last = [{ from: 'a' }, { from: 'b' }];
		expect(await looks(() => Promise.all(last.map((how) => say(1, how))))).toBe(2);
		state.passed += STEADY_MS;
		expect(await looks(() => Promise.all(last.map((how) => say(1, how))))).toBe(1);
	});

	test('sixty-four looks at once, and ten more each second', async () => {
		const { state, say, looks } = await device();
		const many = async () => {
			for (let n = 0; n < 3; n++) for (const account of upTo(24)) await say(account, { from: `neighbour ${n}` });
		};
		expect(await looks(many)).toBe(LOOKS_AT_ONCE);
		state.passed += A_LOOK_COMES_BACK_MS - 1;
		expect(await looks(() => say(200))).toBe(0);
		state.passed += 1;
		expect(await looks(() => say(200))).toBe(1);
		expect(await looks(() => say(201))).toBe(0);
		state.passed += 10 * A_LOOK_COMES_BACK_MS;
		expect(
			await looks(async () => {
				for (const n of upTo(20, 201)) await say(n);
			})
		).toBe(10);
	});
});

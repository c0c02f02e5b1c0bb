/** The doer that keeps asking whether this device may be lent. */
import { expect, it } from 'vitest';
import { DEFAULT_LIMITS, type PauseCause } from '#lib/market/lending.ts';
import { Lending, type Surroundings } from '#lib/node/lending.ts';
import { Watchable } from '#lib/node/watched.ts';
import type { AssignedJob, Store } from '#lib/ports/store.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import { openStore } from '#lib/store/store.ts';
import { VirtualClock } from '../doubles/clock.ts';

const job = (id: string, createdAt: number, sameAccount = false): AssignedJob => ({
	...{ id, createdAt, sameAccount, endedAt: createdAt, model: 'm', state: 'success', tokens: 1, price: 0 },
	...{ receipt: undefined, code: undefined }
});

async function device() {
	const clock = new VirtualClock();
	const store = await openStore({ pathname: '/', now: () => clock.now(), keep: 'memory' });
	const surroundings = new Watchable<Surroundings>({ pluggedIn: true, hidden: false });
	const lending = new Lending({ store, clock, surroundings });
	const said: (PauseCause | undefined)[] = [];
	const follow = () => clock.until(lending.follow((cause) => said.push(cause)));
	return { clock, store, surroundings, lending, said, follow };
}

it('says at once that it may, and each change once', async () => {
	const { clock, lending, surroundings, said, follow } = await device();
	await follow();
	expect(said).toEqual([undefined]);
	surroundings.set({ pluggedIn: false, hidden: false });
	await clock.pass(1);
	surroundings.set({ pluggedIn: false, hidden: true });
	await clock.pass(60_000);
	expect(said).toEqual([undefined, 'battery']);
	lending.pause(true);
	await clock.pass(1);
	surroundings.set({ pluggedIn: undefined, hidden: false });
	lending.pause(false);
	await clock.pass(1);
	expect(said).toEqual([undefined, 'battery', 'person', undefined]);
});

it('notices by the clock alone that the hours are over and have come again', async () => {
	const { clock, lending, said, follow } = await device();
	const now = new Date(clock.now());
	const minute = 60 * now.getHours() + now.getMinutes();
	await clock.until(lending.set({ ...DEFAULT_LIMITS, hours: { from: minute, to: (minute + 10) % 1440 } }));
	await follow();
	await clock.pass(11 * 60_000);
	expect(said).toEqual([undefined, 'hours']);
	await clock.pass(1430 * 60_000);
	expect(said).toEqual([undefined, 'hours', undefined]);
});

it('counts the jobs of others since midnight, not one’s own and not yesterday’s', async () => {
	const { clock, store, lending, said, follow } = await device();
	const midnight = new Date(clock.now()).setHours(0, 0, 0, 0);
	await clock.until(lending.set({ ...DEFAULT_LIMITS, jobsPerDay: 2 }));
	await store.assigned.put(job('yesterday', midnight - 1));
	await store.assigned.put(job('own', midnight, true));
	await store.assigned.put(job('first', midnight));
	await follow();
	expect(said).toEqual([undefined]);
	await store.assigned.put(job('second', midnight + 1));
	await clock.pass(1);
	expect(said).toEqual([undefined, 'jobs']);
	await clock.pass(86_400_000);
	expect(said).toEqual([undefined, 'jobs', undefined]);
});

it('keeps the limits for the next visit, and what was set meanwhile wins over what is read late', async () => {
	const { clock, store, surroundings, lending } = await device();
	const limits = { ...DEFAULT_LIMITS, whileHidden: false };
	await clock.until(lending.set(limits));
	const later = new Lending({ store, clock, surroundings });
	await clock.until(later.follow(() => undefined));
	expect(later.limits.value).toEqual(limits);
	const hasty = new Lending({ store, clock, surroundings });
	await clock.until(hasty.set(DEFAULT_LIMITS));
	await clock.until(hasty.follow(() => undefined));
	expect(hasty.limits.value).toEqual(DEFAULT_LIMITS);
});

it('says nothing more once it was stopped', async () => {
	const { clock, surroundings, said, follow } = await device();
	(await follow())();
	surroundings.set({ pluggedIn: false, hidden: false });
	await clock.pass(60_000);
	expect(said).toEqual([undefined]);
});

it('a limit set in another tab holds here at once, and what is set here does not undo it', async () => {
	const { clock, store, surroundings, lending, said, follow } = await device();
	await follow();
	const other = new Lending({ store, clock, surroundings });
	await clock.until(other.set({ ...DEFAULT_LIMITS, onlyPeople: true, whileHidden: false }));
	expect(lending.limits.value).toEqual({ ...DEFAULT_LIMITS, onlyPeople: true, whileHidden: false });
	await clock.until(lending.set({ ...lending.limits.value, jobsPerDay: 3 }));
	expect(other.limits.value).toMatchObject({ onlyPeople: true, whileHidden: false, jobsPerDay: 3 });
	surroundings.set({ pluggedIn: true, hidden: true });
	await clock.pass(1);
	expect(said).toEqual([undefined, 'hidden']);
});

it('limits that cannot be read let no strangers in', async () => {
	const { clock, store, surroundings } = await device();
	const refuses = { ...store.settings, get: () => Promise.reject(new Refusal('storage-unavailable')) };
	const ports: Pick<Store, 'settings' | 'assigned'> = { settings: refuses, assigned: store.assigned };
	const lending = new Lending({ store: ports, clock, surroundings });
	await clock.until(lending.follow(() => undefined));
	expect(lending.limits.value.onlyPeople).toBe(true);
});

/** A store whose list of answered jobs is a test's own. */
const listing = (store: Store, list: () => Promise<readonly AssignedJob[]>): Pick<Store, 'settings' | 'assigned'> => ({
	settings: store.settings,
	assigned: { ...store.assigned, list, observe: (listener) => store.assigned.observe(listener) }
});

it('looks at the clock every fifteen seconds', async () => {
	const { clock, lending, said, follow } = await device();
	const now = new Date(clock.now());
	const minute = 60 * now.getHours() + now.getMinutes();
	await clock.until(lending.set({ ...DEFAULT_LIMITS, hours: { from: (minute + 1) % 1440, to: minute } }));
	await clock.pass(51_000);
	await follow();
	// The hour began in between: it is seen at the next look.
	await clock.pass(14_999);
	expect(said).toEqual(['hours']);
	await clock.pass(1);
	expect(said).toEqual(['hours', undefined]);
});

it('knows the minute of the day by this device’s own time', async () => {
	for (const atHour of [0, 1, 13, 23]) {
		const { clock, lending, said, follow } = await device();
		await clock.pass(new Date(clock.now()).setHours(24 + atHour, 37, 59, 999) - clock.now());
		const minute = 60 * atHour + 37;
		await clock.until(lending.set({ ...DEFAULT_LIMITS, hours: { from: minute, to: minute + 1 } }));
		await follow();
		await clock.until(lending.set({ ...DEFAULT_LIMITS, hours: { from: minute + 1, to: minute } }));
		await clock.pass(0);
		expect(said).toEqual([undefined, 'hours']);
	}
});

it('a day begins at midnight, to the millisecond', async () => {
	const { clock, store, lending, said, follow } = await device();
	await clock.until(lending.set({ ...DEFAULT_LIMITS, jobsPerDay: 1 }));
	await clock.pass(new Date(clock.now()).setHours(24, 1, 2, 3) - clock.now());
	const midnight = clock.now() - 62_003;
	await store.assigned.put(job('yesterday', midnight - 1));
	await follow();
	await store.assigned.put(job('today', midnight));
	await clock.pass(1);
	expect(said).toEqual([undefined, 'jobs']);
});

it('looks up the day’s jobs only where they are limited, and counts none where they cannot be read', async () => {
	const { clock, store, surroundings } = await device();
	let looks = 0;
	const unreadable = listing(store, () => {
		looks++;
		return Promise.reject(new Refusal('storage-unavailable'));
	});
	const lending = new Lending({ store: unreadable, clock, surroundings });
	const said: (PauseCause | undefined)[] = [];
	await clock.until(lending.follow((cause) => said.push(cause)));
	expect(looks).toBe(0);
	await clock.until(lending.set({ ...DEFAULT_LIMITS, jobsPerDay: 1 }));
	await clock.pass(1);
	expect([looks > 0, said]).toEqual([true, [undefined]]);
});

it('a slow look at the day’s jobs does not overtake a later pause, and says nothing once it was stopped', async () => {
	const { clock, store, surroundings } = await device();
	const slow = listing(store, async () => {
		await clock.sleep(1_000);
		return [job('today', clock.now())];
	});
	const lending = new Lending({ store: slow, clock, surroundings });
	await clock.until(lending.set({ ...DEFAULT_LIMITS, jobsPerDay: 2 }));
	const said: (PauseCause | undefined)[] = [];
	const stop = await clock.until(lending.follow((cause) => said.push(cause)));
	await clock.until(lending.set({ ...DEFAULT_LIMITS, jobsPerDay: 1 }));
	lending.pause(true);
	await clock.pass(5_000);
	expect(said).toEqual([undefined, 'jobs', 'person']);
	lending.pause(false);
	await clock.pass(500);
	stop();
	await clock.pass(60_000);
	expect(said).toEqual([undefined, 'jobs', 'person']);
	expect(clock.waiting).toBe(0);
});

it('each reason is told of, and the same one only once', async () => {
	const { clock, lending, said, follow } = await device();
	await follow();
	lending.pause(true);
	await clock.pass(60_000);
	lending.pause(true);
	await clock.pass(60_000);
	expect(said).toEqual([undefined, 'person']);
});

it('a pause ends with the lending; before it, one holds from the start', async () => {
	const { clock, lending, said, follow } = await device();
	lending.pause(true);
	const stop = await follow();
	expect(said).toEqual(['person']);
	stop();
	await follow();
	expect(said).toEqual(['person', undefined]);
	await clock.pass(1);
});

it('stopped, it asks nobody any more', async () => {
	const { clock, store, surroundings } = await device();
	let asked = 0;
	const counted = listing(store, async () => (asked++, []));
	const lending = new Lending({ store: counted, clock, surroundings });
	await clock.until(lending.set({ ...DEFAULT_LIMITS, jobsPerDay: 2 }));
	const stop = await clock.until(lending.follow(() => undefined));
	stop();
	const before = asked;
	surroundings.set({ pluggedIn: true, hidden: true });
	await store.assigned.put(job('a', clock.now()));
	await clock.until(lending.set({ ...DEFAULT_LIMITS, jobsPerDay: 3 }));
	lending.pause(false);
	await clock.pass(60_000);
	expect([asked, clock.waiting]).toEqual([before, 0]);
});

it('keeps limits as they can be read again, with their time', async () => {
	const { clock, store, lending } = await device();
	await clock.pass(1_234);
	const odd = { ...DEFAULT_LIMITS, jobsPerDay: 0.5, more: 1 };
	await clock.until(lending.set(odd));
	expect(lending.limits.value).toStrictEqual(DEFAULT_LIMITS);
	expect(await store.settings.get('lending-limits')).toMatchObject({ id: 'lending-limits', savedAt: clock.now() });
});

it('of limits that cannot be read the others are the usual ones', async () => {
	const { clock, store, surroundings } = await device();
	const refuses = { ...store.settings, get: () => Promise.reject(new Refusal('storage-unavailable')) };
	const lending = new Lending({ store: { settings: refuses, assigned: store.assigned }, clock, surroundings });
	expect(lending.limits.value).toStrictEqual(DEFAULT_LIMITS);
	await clock.until(lending.follow(() => undefined));
	expect(lending.limits.value).toStrictEqual({ ...DEFAULT_LIMITS, onlyPeople: true });
});

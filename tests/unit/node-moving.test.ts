/** Restoring is all or nothing: which step follows which, and what undoes what when one of them fails. */
import { describe, expect, test } from 'vitest';
import { backUp, openRestore, refuseUnkept, type MovingPorts } from '#lib/node/moving.ts';
import type { MovableKeys } from '#lib/ports/keys.ts';
import type { Merge, MovableStore, Snapshot } from '#lib/ports/store.ts';
import { codeOf, Refusal } from '#lib/protocol/errors.ts';

const HERE = 'did:here';
const FILE = Uint8Array.of(1, 2, 3);
const RECORDS = { messages: ['a message'] };
const REPORT = { conversations: 1, messages: 2, receipts: 3, jobs: 4, copied: 5, same: 6, unreadable: 7 };

/** Steps of keys and store in the order in which they are taken; those of `fails` are refused when they are. */
function house({
	account = 'did:there',
	kept = 'device' as 'device' | 'session',
	alone = false,
	fails = [] as readonly string[]
} = {}) {
	const steps: unknown[] = [];
	const step = async <T>(name: string, value: T, ...facts: readonly unknown[]): Promise<T> => {
		steps.push(facts.length === 0 ? name : [name, ...facts]);
		if (fails.includes(name)) throw new Refusal('storage-full', name);
		return value;
	};
	const keys = {
		identity: async () => ({ account: HERE, kept }),
		backUp: (passphrase: string, all: unknown) => step('seal', FILE, passphrase, all),
		openBackup: async (file: Uint8Array, passphrase: string) => {
			await step('open', undefined, file, passphrase);
			return {
				...{ account, madeAt: 77, records: alone ? undefined : RECORDS, forget: () => void steps.push('forget') },
				stage: () =>
					step('stage', { use: () => step('use', undefined), undo: () => step('take the account back', undefined) })
			};
		}
	} as unknown as MovableKeys;
	const store: Pick<MovableStore, 'snapshot' | 'merge'> = {
		snapshot: async () => RECORDS as unknown as Snapshot,
		merge: (all, how, signal) => {
			const merge: Merge = { report: REPORT, undo: () => step('take the records back', undefined) };
			return step(how, merge, all, signal);
		}
	};
	const ports: MovingPorts = { keys, store };
	/** Opens and forgets what that took. */
	const open = async () => {
		const offer = await openRestore(ports, FILE, 'pass');
		steps.length = 0;
		return offer;
	};
	return { ports, steps, open };
}

test('a backup is everything here, sealed under the passphrase', async () => {
	const { ports, steps } = house();
	expect(await backUp(ports, 'pass')).toBe(FILE);
	expect(steps).toEqual([['seal', 'pass', RECORDS]]);
});

describe('opening', () => {
	test('looks and changes nothing', async () => {
		const { ports, steps } = house();
		const { accept, cancel, ...facts } = await openRestore(ports, FILE, 'pass');
		expect([typeof accept, typeof cancel]).toEqual(['function', 'function']);
		expect(facts).toStrictEqual({ account: 'did:there', accountIs: 'other', madeAt: 77, report: REPORT });
		expect(steps).toEqual([
			['open', FILE, 'pass'],
			['look', RECORDS, undefined]
		]);
	});

	test('tells whose account it is, and where no keys are kept that it stays out', async () => {
		for (const [how, accountIs] of [
			[{ account: HERE }, 'same'],
			[{ account: HERE, kept: 'session' }, 'same'],
			[{ kept: 'session' }, 'left'],
			[{}, 'other']
		] as const)
			expect((await house(how).open()).accountIs).toBe(accountIs);
	});

	test('a file that holds the account alone brings no records', async () => {
		const { ports, steps } = house({ alone: true });
		await openRestore(ports, FILE, 'pass');
		expect(steps[1]).toEqual(['look', {}, undefined]);
	});

	test('cancelled, the file is forgotten', async () => {
		const { steps, open } = house();
		(await open()).cancel();
		expect(steps).toEqual(['forget']);
	});
});

describe('accepting', () => {
	test('keeps the account, then the records, then puts the account in use, and forgets the file', async () => {
		const { steps, open } = house();
		const { signal } = new AbortController();
		await (await open()).accept(signal);
		expect(steps).toEqual(['stage', ['add', RECORDS, signal], 'use', 'forget']);
	});

	test.each([{ account: HERE }, { kept: 'session' as const }])('of %j only the records come', async (how) => {
		const { steps, open } = house(how);
		await (await open()).accept();
		expect(steps).toEqual([['add', RECORDS, undefined], 'forget']);
	});

	test('stopped before it began, it does nothing', async () => {
		const { steps, open } = house();
		const offer = await open();
		expect(await offer.accept(AbortSignal.abort()).catch(codeOf)).toBe('aborted');
		expect(steps).toEqual([]);
	});

	test.each([
		['stage', ['stage']],
		['add', ['stage', ['add', RECORDS, undefined], 'take the account back']],
		['use', ['stage', ['add', RECORDS, undefined], 'use', 'take the records back', 'take the account back']]
	])(
		'when it fails at “%s”, what was done before it is undone, and the file is not forgotten',
		async (at, expected) => {
			const { steps, open } = house({ fails: [at] });
			const refused = await (await open()).accept().catch((error: unknown) => error);
			expect(refused).toMatchObject({ code: 'storage-full' });
			expect(steps).toEqual(expected);
		}
	);

	test('where no account comes, there is none to take back', async () => {
		const { steps, open } = house({ account: HERE, fails: ['add'] });
		expect(await (await open()).accept().catch(codeOf)).toBe('storage-full');
		expect(steps).toEqual([['add', RECORDS, undefined]]);
	});
});

test('a place that forgets with its tab takes nobody in', () => {
	for (const kept of ['device', 'session'] as const) {
		for (const durability of ['kept', 'memory'] as const) {
			const refuse = () => refuseUnkept({ kept }, { durability });
			if (kept === 'device' && durability === 'kept') expect(refuse).not.toThrow();
			else expect(refuse).toThrow(expect.objectContaining({ code: 'storage-unavailable' }) as Error);
		}
	}
});

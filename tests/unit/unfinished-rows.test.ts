/** Which jobs of this profile are unfinished: found by their messages, named to whoever comes, and forgotten when they are hopelessly old. */
import { describe, expect, it } from 'vitest';
import { unfinishedMessages, unfinishedOf } from '#lib/node/unfinished.ts';
import type { OriginatedJob, Unfinished } from '#lib/ports/store.ts';
import { Papers } from '../doubles/papers.ts';

describe('unfinished jobs', () => {
	const row = (id: string, message: string | undefined, unfinished?: Partial<Unfinished>): OriginatedJob => ({
		...{ id, createdAt: 0, model: '', state: 'running', executor: 'e', receipt: 'r', code: undefined, message },
		...(unfinished === undefined ? {} : { unfinished: { deadlineAt: 0, ...unfinished } as Unfinished })
	});

	it('are found by their message, the newest of several', async () => {
		const { ports, store } = await Papers.of();
		for (const each of [row('1', 'm', {}), row('2', 'm', {}), row('3', 'm'), row('4', 'n', {})])
			await store.jobs.put(each);
		expect((await unfinishedOf('m', ports))?.id).toBe('2');
		expect((await unfinishedOf('n', ports))?.id).toBe('4');
		expect(await unfinishedOf('o', ports)).toBeUndefined();
	});

	it('are looked for among the sixty-four newest', async () => {
		const { ports, store } = await Papers.of();
		await store.jobs.put(row('first', 'm', {}));
		for (let i = 0; i < 63; i++) await store.jobs.put(row(`${i}`, undefined));
		expect((await unfinishedOf('m', ports))?.id).toBe('first');
		await store.jobs.put(row('last', undefined));
		expect(await unfinishedOf('m', ports)).toBeUndefined();
	});

	it('are named by their messages, and forgotten ten minutes after their deadline', async () => {
		const { ports, store, clock } = await Papers.of();
		const now = clock.now();
		const old = row('old', 'o', { deadlineAt: now - 600_000 });
		const rows = [
			row('1', 'm', { deadlineAt: now - 599_999 }),
			old,
			row('3', undefined, { deadlineAt: now }),
			row('4', 'n')
		];
		for (const each of rows) await store.jobs.put(each);
		expect(await unfinishedMessages(ports)).toEqual(['m']);
		expect(await store.jobs.get('old')).toStrictEqual({
			...old,
			state: 'lost',
			code: 'expired',
			unfinished: undefined
		});
		for (const each of rows) if (each !== old) expect(await store.jobs.get(each.id)).toBe(each);
	});
});

/** Backup and restore: the file itself, what joins what, and that a refusal anywhere leaves everything as it was. */
import 'fake-indexeddb/auto';
import { encode } from '@ipld/dag-cbor';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { isBackup, MAX_BACKUP_BYTES, openBackup, paddedLength, sealBackup } from '#lib/keys/backup.ts';
import { browserPlatform, openKeys, type DeviceKeys } from '#lib/keys/keys.ts';
import { backUp, openRestore, refuseUnkept } from '#lib/node/moving.ts';
import type { Conversation, Message, Snapshot } from '#lib/ports/store.ts';
import { accountRevocation } from '#lib/protocol/account-end.ts';
import { formatDid, formatPeerId } from '#lib/protocol/did.ts';
import { read } from '#lib/protocol/envelope.ts';
import { codeOf, Refusal } from '#lib/protocol/errors.ts';
import { planMerge } from '#lib/store/merge.ts';
import { openStore, type DeviceStore } from '#lib/store/store.ts';
import { refusalOf, sample } from '../compliance/store.ts';

const { subtle } = globalThis.crypto;
const random = (bytes: Uint8Array<ArrayBuffer>) => globalThis.crypto.getRandomValues(bytes);
const PASSPHRASE = 'correct horse battery staple';
const NOTHING: Snapshot = { conversations: [], messages: [], jobs: [], bids: [], assigned: [], receipts: [] };
const places = (function* () {
	for (let n = 1; ; n++) yield `/moving-${n}/`;
})();

interface House {
	readonly keys: DeviceKeys;
	readonly store: DeviceStore;
}

async function house(): Promise<House> {
	const pathname = places.next().value;
	const keys = await openKeys({ pathname, now: Date.now }, { ...browserPlatform(), tabMemory: undefined });
	return { keys, store: await openStore({ pathname, now: Date.now }) };
}
const leave = async ({ keys, store }: House) => {
	await keys.close();
	await store.close();
};
const talk = (conversation: string, ...texts: string[]): Message[] =>
	texts.map((text, order) => ({
		...{ id: `${conversation}-${order}`, conversation, text, order, createdAt: 1_000 + order },
		role: order % 2 === 0 ? 'user' : 'assistant'
	}));
const head = (id: string): Conversation => ({ id, title: id, createdAt: 1, updatedAt: 2 });
async function fill({ store }: House): Promise<void> {
	await store.conversations.put(head('rivers'));
	for (const message of talk('rivers', 'Which is longest?', 'The Nile.')) await store.messages.put(message);
	await store.receipts.put(sample('receipts'));
	await store.jobs.put(sample('jobs'));
	await store.settings.put(sample('settings'));
}

test('a place that forgets with its tab takes nobody in', () => {
	const refused = (kept: 'device' | 'session', durability: 'kept' | 'memory') => {
		try {
			refuseUnkept({ kept }, { durability });
		} catch (error) {
			return codeOf(error);
		}
	};
	expect(refused('device', 'kept')).toBeUndefined();
	expect(refused('session', 'kept')).toBe('storage-unavailable');
	expect(refused('device', 'memory')).toBe('storage-unavailable');
});

describe('the file', () => {
	const secret = { seed: new Uint8Array(32).fill(7), createdAt: 5 };
	const seal = (records: unknown) =>
		sealBackup({ secret, revocation: Uint8Array.of(1), madeAt: 9, records }, PASSPHRASE, { subtle, random });

	test('says nothing of what stands in it: everything small has one length', async () => {
		const [empty, full] = [await seal({}), await seal({ messages: talk('a', 'x'.repeat(900)) })];
		expect(full.length).toBe(empty.length);
		expect(isBackup(empty)).toBe(true);
		fc.assert(
			fc.property(fc.integer({ min: 1, max: MAX_BACKUP_BYTES }), (length) => {
				const padded = paddedLength(length);
				expect(padded).toBeGreaterThanOrEqual(length);
				expect(padded).toBeLessThanOrEqual(Math.max(16_384, length * 1.12));
				// The lengths in use between two powers of two can be counted on two hands, so one says little.
				expect(paddedLength(padded)).toBe(padded);
			})
		);
		const used = new Set(Array.from({ length: 32_768 }, (_, i) => paddedLength(32_768 + i)));
		expect(used.size).toBeLessThanOrEqual(17);
	});

	test('gives back what was put in, fields that are not there included', async () => {
		const records = { messages: [{ id: 'a', answer: undefined, tokens: [1, 2] }], receipts: [sample('receipts')] };
		const opened = await openBackup(await seal(records), PASSPHRASE, subtle);
		expect(opened.secret.seed).toEqual(secret.seed);
		expect(opened.madeAt).toBe(9);
		const { counterpart, document, ...rest } = sample('receipts');
		delete (rest as { terms?: unknown }).terms;
		expect(opened.records).toEqual({
			messages: [{ id: 'a', tokens: [1, 2] }],
			receipts: [{ ...rest, counterpart, document }]
		});
	});

	test('refusals are named', async () => {
		const file = await seal({});
		const open = (bytes: Uint8Array, passphrase = PASSPHRASE) => refusalOf(openBackup(bytes, passphrase, subtle));
		expect(await open(file, 'another passphrase')).toBe('wrong-passphrase');
		expect(await open(file.slice(0, -1))).toBe('malformed');
		expect(await open(file.with(500, (file[500] ?? 0) ^ 1))).toBe('wrong-passphrase');
		expect(await open(new Uint8Array(MAX_BACKUP_BYTES + 1))).toBe('oversized');
		const head = { salt: new Uint8Array(16), nonce: new Uint8Array(12), box: new Uint8Array(99) };
		expect(await open(encode({ type: 'fireweed-backup', version: 2, ...head }))).toBe('unknown-version');
		expect(await open(encode({ type: 'fireweed-other', version: 1, ...head }))).toBe('malformed');
		expect(await refusalOf(openBackup(file, PASSPHRASE, undefined))).toBe('insecure-context');
		expect(
			await refusalOf(sealBackup({ secret, revocation: file, madeAt: 1, records: {} }, 'short', { subtle, random }))
		).toBe('malformed');
	});

	test('no changed byte opens, and no bytes crash the door', async () => {
		const file = await seal({});
		const codes = ['malformed', 'not-canonical', 'oversized', 'unknown-version', 'wrong-passphrase'];
		// Only the head is cheap to try: every change behind it costs one derivation.
		await fc.assert(
			fc.asyncProperty(fc.nat(90), fc.integer({ min: 1, max: 255 }), async (at, by) => {
				const changed = file.with(at, (file[at] ?? 0) ^ by);
				expect(codes).toContain(await refusalOf(openBackup(changed, PASSPHRASE, subtle)));
			}),
			{ numRuns: 20 }
		);
		await fc.assert(
			fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
				expect(codes).toContain(await refusalOf(openBackup(bytes, PASSPHRASE, subtle)));
			}),
			{ numRuns: 2_000 }
		);
	});

	test('a small file that unpacks to more than memory is left in time', async () => {
		vi.stubGlobal(
			'DecompressionStream',
			class {
				readonly #endless = new TransformStream<Uint8Array, Uint8Array>({
					transform: (chunk, controller) => {
						for (let i = 0; i < 40; i++) controller.enqueue(new Uint8Array(8 * 1024 * 1024));
						controller.enqueue(chunk);
					}
				});
				readonly readable = this.#endless.readable;
				readonly writable = this.#endless.writable;
			}
		);
		try {
			expect(await refusalOf(openBackup(await seal({}), PASSPHRASE, subtle))).toBe('oversized');
		} finally {
			vi.unstubAllGlobals();
		}
	});
});

describe('what joins what', () => {
	const here: Snapshot = {
		...NOTHING,
		conversations: [head('same'), head('longer'), head('forked')],
		messages: [...talk('same', 'a', 'b'), ...talk('longer', 'a'), ...talk('forked', 'a', 'mine')]
	};
	const file: Snapshot = {
		...NOTHING,
		conversations: [head('same'), head('longer'), head('forked'), head('new')],
		messages: [
			...[...talk('same', 'a', 'b'), ...talk('longer', 'a', 'b', 'c')],
			...[...talk('forked', 'a', 'theirs'), ...talk('new', 'x')]
		]
	};

	test('new comes, longer goes on, a fork stands beside, and what is here stays', () => {
		const { add, report } = planMerge(here, file);
		expect(report).toEqual({ conversations: 2, messages: 5, receipts: 0, jobs: 0, copied: 1, same: 1, unreadable: 0 });
		expect(add.messages.slice(0, 2).map(({ text }) => text)).toEqual(['b', 'c']);
		const copy = add.conversations.find(({ title }) => title === 'forked (from the backup)');
		expect(copy?.id).not.toBe('forked');
		expect(add.messages.filter(({ conversation }) => conversation === copy?.id).map(({ text }) => text)).toEqual([
			'a',
			'theirs'
		]);
	});

	test('branches: what the file adds to a tree joins it, and a copy is a whole tree of its own', () => {
		const [question, answer] = talk('tree', 'Why?', 'Because.') as [Message, Message];
		const edited: Message = { ...question, id: 'edited', text: 'Why not?', createdAt: 2_000 };
		const reply: Message = { ...answer, id: 'reply', text: 'Because not.', parent: 'edited', createdAt: 2_001 };
		const tree = {
			...NOTHING,
			conversations: [{ ...head('tree'), leaf: 'reply' }],
			messages: [question, answer, edited, reply]
		};
		const behind = planMerge({ ...NOTHING, conversations: [head('tree')], messages: [question, answer] }, tree);
		expect([behind.report.copied, behind.add.messages.map(({ id }) => id)]).toEqual([0, ['edited', 'reply']]);
		const elsewhere = [question, { ...answer, text: 'Another end.' }];
		const { add } = planMerge({ ...NOTHING, conversations: [head('tree')], messages: elsewhere }, tree);
		const [copy] = add.conversations;
		const parentOf = (text: string) => add.messages.find((one) => one.text === text)?.parent;
		expect(add.messages).toHaveLength(4);
		expect(parentOf('Because not.')).toBe(add.messages.find((one) => one.text === 'Why not?')?.id);
		expect(copy?.leaf).toBe(add.messages.find((one) => one.text === 'Because not.')?.id);
	});

	test('a second time nothing comes', () => {
		const once = planMerge(here, file).add;
		const after = {
			...NOTHING,
			conversations: [...here.conversations, ...once.conversations],
			messages: [...here.messages, ...once.messages]
		};
		expect(planMerge(after, file).report).toMatchObject({ conversations: 0, messages: 0, copied: 0, same: 4 });
	});

	test('a file never changes or takes the name of what is here', () => {
		const words = fc.array(fc.string({ maxLength: 3 }), { maxLength: 4 });
		const side = fc.dictionary(fc.constantFrom('a', 'b', 'c'), words).map((talks) => ({
			...NOTHING,
			conversations: Object.keys(talks).map(head),
			messages: Object.entries(talks).flatMap(([id, texts]) => talk(id, ...texts))
		}));
		fc.assert(
			fc.property(side, side, (mine, theirs) => {
				const { add } = planMerge(mine, theirs);
				const taken = new Set([...mine.messages, ...mine.conversations].map(({ id }) => id));
				const added = [...add.messages, ...add.conversations].map(({ id }) => id);
				expect(added.filter((id) => taken.has(id))).toEqual([]);
				expect(new Set(added).size).toBe(added.length);
				// Every word of the file can be read afterwards.
				const all = [...mine.messages, ...add.messages];
				for (const { conversation, text } of theirs.messages)
					expect(all.some((one) => one.conversation.startsWith(conversation) && one.text === text)).toBe(true);
			})
		);
	});

	test('whatever stands in a file: nothing but records comes out, and nothing is thrown', () => {
		fc.assert(
			fc.property(
				fc.oneof(
					fc.anything(),
					fc.record({
						conversations: fc.array(fc.anything()),
						messages: fc.array(fc.anything()),
						receipts: fc.anything()
					})
				),
				(anything) => {
					const { add } = planMerge(here, anything);
					for (const { id, text } of add.messages) expect([typeof id, typeof text]).toEqual(['string', 'string']);
				}
			),
			{ numRuns: 500 }
		);
		expect(planMerge(NOTHING, { messages: [{ id: 1 }, null], receipts: [sample('receipts')] }).report).toMatchObject({
			unreadable: 2,
			receipts: 1
		});
	});
});

describe('moving', () => {
	test('everything arrives in another browser: same account, another node key; settings stay behind', async () => {
		const [old, fresh] = [await house(), await house()];
		await fill(old);
		const before = await old.keys.identity();
		const own = await fresh.keys.identity();
		const offer = await openRestore(fresh, await backUp(old, PASSPHRASE), PASSPHRASE);
		expect(offer).toMatchObject({
			account: before.account,
			accountIs: 'other',
			report: { conversations: 1, messages: 2, receipts: 1 }
		});
		expect(await fresh.store.messages.list()).toEqual([]);
		expect((await fresh.keys.identity()).account).toBe(own.account);
		await offer.accept();
		const after = await fresh.keys.identity();
		expect(after.account).toBe(before.account);
		expect(formatPeerId(after.node.publicKey)).not.toBe(formatPeerId(before.node.publicKey));
		expect(await fresh.store.snapshot()).toEqual(await old.store.snapshot());
		expect(await fresh.store.settings.list()).toEqual([]);
		const again = await openRestore(fresh, await backUp(old, PASSPHRASE), PASSPHRASE);
		expect(again).toMatchObject({ accountIs: 'same', report: { conversations: 0, messages: 0, receipts: 0, same: 2 } });
		await Promise.all([leave(old), leave(fresh)]);
	});

	test('the backup holds a revocation that its account signed when it was made', async () => {
		const old = await house();
		const { account } = await old.keys.identity();
		const { revocation } = await openBackup(await backUp(old, PASSPHRASE), PASSPHRASE, subtle);
		expect(formatDid(read(accountRevocation, revocation).signer)).toBe(account);
		await leave(old);
	});

	test.each([
		[
			'the disk fills up while the records come',
			'storage-full',
			(fresh: House) =>
				vi
					.spyOn(fresh.store, 'merge')
					.mockImplementation((_file, how) =>
						how === 'look'
							? Promise.resolve({ report: {} as never, undo: async () => undefined })
							: Promise.reject(new Refusal('storage-full'))
					)
		],
		['it is stopped while the records come', 'aborted', undefined]
	] as const)('when %s, nothing has changed', async (_name, code, plant) => {
		const [old, fresh] = [await house(), await house()];
		await fill(old);
		const own = (await fresh.keys.identity()).account;
		await fresh.store.conversations.put(head('mine'));
		plant?.(fresh);
		const offer = await openRestore(fresh, await backUp(old, PASSPHRASE), PASSPHRASE);
		const stop = new AbortController();
		const accepted = offer.accept(stop.signal);
		if (code === 'aborted') stop.abort();
		expect(await refusalOf(accepted)).toBe(code);
		expect((await fresh.keys.identity()).account).toBe(own);
		expect((await fresh.store.snapshot()).conversations.map(({ id }) => id)).toEqual(['mine']);
		expect((await fresh.store.snapshot()).messages).toEqual([]);
		vi.restoreAllMocks();
		// The same offer again goes through: the file was not forgotten.
		await offer.accept();
		expect((await fresh.keys.identity()).account).not.toBe(own);
		await Promise.all([leave(old), leave(fresh)]);
	});

	test('when the account cannot be put in use at last, the records go again', async () => {
		const [old, fresh] = [await house(), await house()];
		await fill(old);
		const own = (await fresh.keys.identity()).account;
		const file = await backUp(old, PASSPHRASE);
		const { openBackup: real } = fresh.keys;
		vi.spyOn(fresh.keys, 'openBackup').mockImplementation(async (...args) => {
			const opened = await real.apply(fresh.keys, args);
			const stage = async () => ({ ...(await opened.stage()), use: () => Promise.reject(new Refusal('storage-full')) });
			return { ...opened, stage };
		});
		const offer = await openRestore(fresh, file, PASSPHRASE);
		expect(await refusalOf(offer.accept())).toBe('storage-full');
		vi.restoreAllMocks();
		expect(await fresh.store.snapshot()).toEqual(NOTHING);
		expect((await fresh.keys.identity()).account).toBe(own);
		await Promise.all([leave(old), leave(fresh)]);
	});

	test('where no keys are kept the account is left out, and that is said before', async () => {
		const old = await house();
		await fill(old);
		const pathname = `/ipfs/bafy/${places.next().value}`;
		const keys = await openKeys({ pathname, now: Date.now }, { ...browserPlatform(), tabMemory: undefined });
		const shared = { keys, store: await openStore({ pathname, now: Date.now }) };
		const own = (await keys.identity()).account;
		const offer = await openRestore(shared, await backUp(old, PASSPHRASE), PASSPHRASE);
		expect(offer.accountIs).toBe('left');
		await offer.accept();
		expect((await keys.identity()).account).toBe(own);
		expect((await shared.store.snapshot()).messages).toHaveLength(2);
		await Promise.all([leave(old), leave(shared)]);
	});
});

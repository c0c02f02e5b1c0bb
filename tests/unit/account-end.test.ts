/** How one would cheat with the end of an account, and what follows for those who hear of one. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Accounts, REPEAT_MS } from '#lib/node/accounts.ts';
import type { KeptEnd, Signer } from '#lib/ports/keys.ts';
import {
	accountSuccession,
	fateOf,
	MAX_ENDED_ACCOUNTS,
	note,
	openAccountEnd,
	revoke,
	succeed,
	type AccountBook,
	type AccountEnd
} from '#lib/protocol/account-end.ts';
import { certify, openCertificate } from '#lib/protocol/certificate.ts';
import { encodeCanonical } from '#lib/protocol/encode.ts';
import { read, seal } from '#lib/protocol/envelope.ts';
import { judgeGossip } from '#lib/protocol/gossip.ts';
import { publicKeyOfSeed, signWithSeed, verifySignature } from '#lib/protocol/signature.ts';
import { refusalOf } from '../compliance/store.ts';
import { VirtualClock } from '../doubles/clock.ts';
import { SeededRandom } from '../doubles/chance.ts';
import { Network } from '../doubles/network.ts';

const signer = (n: number): Signer => {
	const seed = new Uint8Array(32).fill(n);
	return { publicKey: publicKeyOfSeed(seed), sign: async (preimage) => signWithSeed(seed, preimage) };
};
const crypto = {
	verify: async (key: Uint8Array, preimage: Uint8Array, signature: Uint8Array) =>
		verifySignature(key, preimage, signature)
};
const [owner, heir, thief, node] = [signer(1), signer(2), signer(3), signer(4)] as const;
const open = (bytes: Uint8Array) => openAccountEnd(bytes, crypto);

describe('the door', () => {
	test('takes what the account said, and the heir consented to', async () => {
		expect(await open(await revoke(owner, 5))).toMatchObject({ kind: 'revocation', account: owner.publicKey });
		const end = await open(await succeed(owner, heir, 5));
		expect(end).toMatchObject({ kind: 'succession', account: owner.publicKey, successor: heir.publicKey });
	});

	test('refuses heirs who did not consent, to this account, this heir and this day', async () => {
		const good = read(accountSuccession, await succeed(owner, heir, 5)).body;
		const forged = async (change: Partial<typeof good>, by = owner) =>
			refusalOf(open((await seal(accountSuccession, { ...good, ...change }, by)).bytes));
		expect(await forged({ successor: thief.publicKey })).toBe('wrong-signer');
		expect(await forged({ issuedAt: 6 })).toBe('wrong-signer');
		expect(await forged({}, thief)).toBe('wrong-signer');
		expect(await forged({ account: thief.publicKey }, thief)).toBe('wrong-signer');
		const others = read(accountSuccession, await succeed(owner, thief, 5)).body;
		expect(await forged({ consent: others.consent })).toBe('wrong-signer');
		expect(await forged({ consent: await revoke(heir, 5) })).toBe('unknown-type');
		expect(await refusalOf(open(await succeed(owner, owner, 5)))).toBe('wrong-signer');
	});

	test('no bytes break it, and gossip judges by the signature alone, whatever the clock says', async () => {
		const bytes = await succeed(owner, heir, 5);
		expect(await judgeGossip('fireweed/1/accounts', bytes, crypto, 1e13)).toBe('accept');
		for (let at = 0; at < bytes.length; at += 7) {
			const verdict = await judgeGossip('fireweed/1/accounts', bytes.with(at, (bytes[at] ?? 0) ^ 1), crypto, 5);
			expect(['ignore', 'reject']).toContain(verdict);
		}
		const later = encodeCanonical({
			...{ type: 'AccountHolidayPlan', version: 1, body: new Uint8Array(1) },
			...{ key: owner.publicKey, signature: new Uint8Array(64) }
		});
		expect(await judgeGossip('fireweed/1/accounts', later, crypto, 5)).toBe('ignore');
		await fc.assert(
			fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (noise) => {
				expect(await judgeGossip('fireweed/1/accounts', noise, crypto, 5)).toBe('reject');
			})
		);
	});
});

describe('the book', () => {
	test('says the same of the same statements in any order', async () => {
		const ends = await Promise.all(
			[succeed(owner, heir, 5), succeed(owner, thief, 6), revoke(owner, 1), succeed(heir, node, 7)].map(async (bytes) =>
				open(await bytes)
			)
		);
		const write = (some: readonly AccountEnd[]) => some.reduce<AccountBook>(note, new Map());
		fc.assert(
			fc.property(fc.shuffledSubarray(ends, { minLength: 1 }), (some) => {
				const [one, other] = [write(some), write([...some].reverse())];
				for (const { publicKey } of [owner, heir, thief])
					expect(fateOf(one, publicKey).state).toBe(fateOf(other, publicKey).state);
			})
		);
		const [moved, stolen, revoked] = ends as [AccountEnd, AccountEnd, AccountEnd];
		expect(fateOf(new Map(), owner.publicKey)).toEqual({ state: 'valid' });
		expect(fateOf(write([moved]), owner.publicKey)).toEqual({ state: 'moved', successor: heir.publicKey });
		expect(fateOf(write([moved, stolen]), owner.publicKey)).toEqual({ state: 'disputed' });
		expect(fateOf(write([stolen, revoked]), owner.publicKey)).toEqual({ state: 'revoked' });
		// The heir of a disputed account is nobody's, and is no less itself.
		expect(fateOf(write([moved, stolen]), heir.publicKey)).toEqual({ state: 'valid' });
	});

	test('is bounded, and what says nothing new changes nothing', async () => {
		const end = await open(await revoke(owner, 1));
		let book: AccountBook = note(new Map(), end);
		expect(note(book, end)).toBe(book);
		for (let n = 0; n < MAX_ENDED_ACCOUNTS; n++) {
			const account = Uint8Array.from({ length: 32 }, (_, i) => (n >> (8 * (i % 2))) & 255);
			book = note(book, { kind: 'revocation', account, bytes: new Uint8Array() });
		}
		expect(book.size).toBe(MAX_ENDED_ACCOUNTS);
		expect(fateOf(book, owner.publicKey).state).toBe('valid');
	});
});

describe('a node that hears', () => {
	const clock = new VirtualClock();
	const network = new Network({ clock, random: new SeededRandom('accounts') });
	function hearing(peer: string, kept: KeptEnd[] = []) {
		const mesh = network.join(peer);
		const changed: Uint8Array[] = [];
		const keys = { ends: async () => kept, keepEnd: async (end: KeptEnd) => void kept.push(end) };
		const accounts = new Accounts({ keys, crypto, clock, log: () => undefined }, (account) => changed.push(account));
		return { mesh, accounts, kept, changed };
	}

	test('takes no certificate of the account any more, remembers it, and tells those who were not there', async () => {
		const [one, two] = [hearing('one'), hearing('two')];
		await clock.until(Promise.all([one.mesh.start(), two.mesh.start()]));
		one.accounts.follow(one.mesh);
		two.accounts.follow(two.mesh);
		const message = { signer: node.publicKey, certificate: await certify(owner, node.publicKey, clock.now()) };
		const accepts = ({ accounts }: { accounts: Accounts }) =>
			openCertificate(message, accounts.guard(), clock.now()).then(
				() => true,
				() => false
			);
		expect([await accepts(one), await accepts(two)]).toEqual([true, true]);
		await one.accounts.say(await revoke(owner, 1));
		await clock.pass(1_000);
		expect([await accepts(one), await accepts(two)]).toEqual([false, false]);
		expect(two.changed).toEqual([owner.publicKey]);
		expect([one.kept.map(({ own }) => own), two.kept.map(({ own }) => own)]).toEqual([[true], [false]]);

		// After a reload it is still known; nothing else of the account is refused, so that its statements can be checked.
		const again = hearing('two again', two.kept);
		await again.accounts.load();
		expect(await accepts(again)).toBe(false);
		expect(await refusalOf(openAccountEnd(await revoke(owner, 2), again.accounts.guard()))).toBe('accepted');

		// Whoever comes later and is met by its node hears it from those who refuse, once in a while and not each time.
		const late = hearing('late');
		await clock.until(late.mesh.start());
		late.accounts.follow(late.mesh);
		const said = network.gossip.length;
		await clock.pass(REPEAT_MS);
		for (let n = 0; n < 5; n++) await accepts(two);
		await clock.pass(1_000);
		expect(network.gossip.length - said).toBe(1);
		expect(await accepts(late)).toBe(false);
	});
});

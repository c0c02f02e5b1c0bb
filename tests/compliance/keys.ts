/** What every Keys must do, as cases that need no test runner (tests/unit/keys.test.ts, tests/interop/keys.browser.test.ts). */
import { openCertificate } from '#lib/protocol/certificate.ts';
import type { Crypto } from '#lib/ports/crypto.ts';
import type { Signer } from '#lib/ports/keys.ts';
import { formatDid, formatPeerId } from '#lib/protocol/did.ts';
import { isAcceptableKey, verifySignature } from '#lib/protocol/signature.ts';
import type { DeviceKeys } from '#lib/keys/keys.ts';
import { refusalOf, same } from './store.ts';

/** Where keys are opened; two open at once are two tabs of one profile when `shared`. */
export interface KeysPlace {
	open(): Promise<DeviceKeys>;
	readonly shared: boolean;
	/** `insecure` has no WebCrypto, so that no account file can be made or read. */
	readonly secure: boolean;
}

export interface KeysCase {
	readonly name: string;
	readonly shared?: boolean;
	readonly secure?: boolean;
	run(place: KeysPlace): Promise<void>;
}

const rule: Crypto = { verify: (key, message, signature) => Promise.resolve(verifySignature(key, message, signature)) };
const message = new TextEncoder().encode('what is signed');
const PASSPHRASE = 'correct horse battery staple';

async function signsByTheRule(signer: Signer): Promise<void> {
	same(isAcceptableKey(signer.publicKey), true);
	const signature = await signer.sign(message);
	same(signature.length, 64);
	same(verifySignature(signer.publicKey, message, signature), true);
	same(verifySignature(signer.publicKey, message.slice(1), signature), false);
	same((await signer.sign(new Uint8Array())).length, 64);
}

/** Everything an object leads to, looked at for a private key in the clear. */
function extractable(value: unknown, seen = new Set<unknown>()): boolean {
	if (value instanceof CryptoKey) return value.extractable && value.type === 'private';
	if (typeof value !== 'object' || value === null || seen.has(value)) return false;
	seen.add(value);
	return Object.values(value).some((field) => extractable(field, seen));
}

export const KEYS_CASES: readonly KeysCase[] = [
	{
		name: 'the identity is whole: account, node key, certificate of one by the other',
		run: async (place) => {
			const keys = await place.open();
			const identity = await keys.identity();
			same(identity.account, formatDid(identity.accountKey));
			await signsByTheRule(identity.node);
			const signed = { signer: identity.node.publicKey, certificate: identity.certificate };
			const { account } = await openCertificate(signed, rule, Date.now());
			same(account, identity.accountKey);
			same(identity.kept, place.shared ? 'device' : 'session');
			same(identity.peer, formatPeerId(identity.node.publicKey));
			// Made for this very case, by the machine's own clock.
			same(Math.abs(identity.nodeSince - Date.now()) < 60_000, true);
			same(extractable(identity), false);
			await keys.close();
		}
	},
	{
		name: 'asked again, or twice at once, the identity is the same',
		run: async (place) => {
			const keys = await place.open();
			const [one, two] = await Promise.all([keys.identity(), keys.identity()]);
			same(one === two && one === (await keys.identity()), true);
			await keys.close();
			await keys.close();
		}
	},
	{
		name: 'every job has a key of its own',
		run: async (place) => {
			const keys = await place.open();
			const identity = await keys.identity();
			const jobs = [await keys.jobKey(), await keys.jobKey()];
			for (const job of jobs) await signsByTheRule(job);
			const all = [identity.node, ...jobs].map((signer) => formatPeerId(signer.publicKey));
			same(new Set([...all, formatPeerId(identity.accountKey)]).size, 4);
			await keys.close();
		}
	},
	{
		name: 'the key of a running job is found again by the next page, until it is dropped; others are not',
		shared: true,
		run: async (place) => {
			const keys = await place.open();
			const [kept, other] = [await keys.jobKey(), await keys.jobKey()];
			await keys.keepJobKey(kept);
			await keys.close();
			const next = await place.open();
			const again = await next.keptJobKey(kept.publicKey);
			if (again === undefined) throw new Error('the key is gone');
			await signsByTheRule(again);
			same(again.publicKey, kept.publicKey);
			same(extractable(again), false);
			same(await next.keptJobKey(other.publicKey), undefined);
			await next.dropJobKey(kept.publicKey);
			same(await next.keptJobKey(kept.publicKey), undefined);
			await next.close();
		}
	},
	{
		name: 'of the keys of running jobs only the newest stay',
		shared: true,
		run: async (place) => {
			const keys = await place.open();
			const all = await Promise.all(Array.from({ length: 66 }, () => keys.jobKey()));
			for (const key of all) await keys.keepJobKey(key);
			const found = await Promise.all(all.map(({ publicKey }) => keys.keptJobKey(publicKey)));
			same(found.filter((key) => key !== undefined).length, 64);
			for (const { publicKey } of all) await keys.dropJobKey(publicKey);
			await keys.close();
		}
	},
	{
		name: 'an exported account opens elsewhere with its passphrase only, under a node key of its own',
		secure: true,
		run: async (place) => {
			const from = await place.open();
			const account = (await from.identity()).account;
			same(await refusalOf(from.exportAccount('short')), 'malformed');
			const file = await from.exportAccount(PASSPHRASE);
			await from.close();
			const to = await place.open();
			const before = await to.identity();
			same(await refusalOf(to.openBackup(file, `${PASSPHRASE}!`)), 'wrong-passphrase');
			same(await refusalOf(to.openBackup(file.slice(1), PASSPHRASE)), 'malformed');
			same((await to.identity()) === before, true);
			const opened = await to.openBackup(file, PASSPHRASE);
			same([opened.account, opened.records], [account, undefined]);
			await (await opened.stage()).use();
			const after = await to.identity();
			same(after.account, account);
			await signsByTheRule(after.node);
			const signed = { signer: after.node.publicKey, certificate: after.certificate };
			same((await openCertificate(signed, rule, Date.now())).account, after.accountKey);
			// It can be exported again from here.
			same((await to.exportAccount(PASSPHRASE)).length, file.length);
			await to.close();
		}
	},
	{
		name: 'two tabs: one account, two node keys; a tab that comes later takes the one that is free',
		shared: true,
		run: async (place) => {
			const [one, two] = await Promise.all([place.open(), place.open()]);
			const [first, second] = await Promise.all([one.identity(), two.identity()]);
			same(first.account, second.account);
			const name = (signer: Signer): string => formatPeerId(signer.publicKey);
			same(name(first.node) === name(second.node), false);
			await one.close();
			const three = await place.open();
			const third = await three.identity();
			same([third.account, name(third.node)], [first.account, name(first.node)]);
			same(third.certificate, first.certificate);
			await two.close();
			await three.close();
		}
	}
];

/**
 * How an account key ends: AccountRevocationV1 (nobody may use it any more) and AccountSuccessionV1 (another key takes its place), both
 * signed by the key that ends (protocol.md 1). The book of those heard decides what an account is worth, the same on every node.
 *
 * Attacks answered. A stranger names you as heir to pass their bad standing on: the heir must consent, under a tag of its own. A thief of
 * the key names himself the heir: two heirs are a proof of theft, and a revocation undoes any succession, so he gains nothing; what he can do is end the
 * account, which a thief of the key could always do. The order in which statements are heard must not matter, or a thief would race: the book is a set.
 */
import type { Crypto } from '#lib/ports/crypto.ts';
import type { Signer } from '#lib/ports/keys.ts';
import { equalBytes, toHex } from './encode.ts';
import { kind, open, peek, seal, type BodyOf } from './envelope.ts';
import { Refusal } from './errors.ts';
import { MAX_GOSSIP_MESSAGE } from './limits.ts';
import { blob, bytes, extensions, fields, stamp } from './shape.ts';

export const accountRevocation = kind(
	'AccountRevocation',
	1,
	fields({ account: bytes(32), issuedAt: stamp, extensions }),
	256
);

/** The heir's word, signed by the heir, that it takes the account's place. */
export const accountSuccessionConsent = kind(
	'AccountSuccessionConsent',
	1,
	fields({ account: bytes(32), successor: bytes(32), issuedAt: stamp, extensions }),
	256
);

export const accountSuccession = kind(
	'AccountSuccession',
	1,
	fields({ account: bytes(32), successor: bytes(32), issuedAt: stamp, consent: blob(1_280), extensions }),
	1_792
);

export type AccountRevocation = BodyOf<typeof accountRevocation>;
export type AccountSuccession = BodyOf<typeof accountSuccession>;

/** A statement that was opened and found sound. */
export type AccountEnd =
	| { readonly kind: 'revocation'; readonly account: Uint8Array; readonly bytes: Uint8Array }
	| {
			readonly kind: 'succession';
			readonly account: Uint8Array;
			readonly successor: Uint8Array;
			readonly bytes: Uint8Array;
	  };

/** Signed ahead of time: it has no date of use, and ends the key from when it is heard. `now` in Unix ms. */
export async function revoke(account: Signer, now: number): Promise<Uint8Array> {
	return (await seal(accountRevocation, { account: account.publicKey, issuedAt: now, extensions: {} }, account)).bytes;
}

/** `successor` takes the place of `account`; both sign. `now` in Unix ms. */
export async function succeed(account: Signer, successor: Signer, now: number): Promise<Uint8Array> {
	const terms = { account: account.publicKey, successor: successor.publicKey, issuedAt: now, extensions: {} };
	const consent = (await seal(accountSuccessionConsent, terms, successor)).bytes;
	return (await seal(accountSuccession, { ...terms, consent }, account)).bytes;
}

/** The door for statements of strangers. Refusals of `open`, and `wrong-signer` when not both keys signed the same terms. */
export async function openAccountEnd(encoded: Uint8Array, crypto: Crypto): Promise<AccountEnd> {
	if (peek(encoded, MAX_GOSSIP_MESSAGE).type === accountRevocation.type) {
		const { body, signer } = await open(accountRevocation, encoded, crypto);
		if (!equalBytes(body.account, signer)) throw new Refusal('wrong-signer', 'not the account itself');
		return { kind: 'revocation', account: body.account, bytes: encoded };
	}
	const { body, signer } = await open(accountSuccession, encoded, crypto);
	if (!equalBytes(body.account, signer)) throw new Refusal('wrong-signer', 'not the account itself');
	const consent = await open(accountSuccessionConsent, body.consent, crypto);
	const agrees =
		equalBytes(consent.signer, body.successor) &&
		equalBytes(consent.body.successor, body.successor) &&
		equalBytes(consent.body.account, body.account) &&
		consent.body.issuedAt === body.issuedAt;
	if (!agrees || equalBytes(body.account, body.successor))
		throw new Refusal('wrong-signer', 'the heir did not consent');
	return { kind: 'succession', account: body.account, successor: body.successor, bytes: encoded };
}

/** What is known to have become of an account. `disputed`: two heirs were named, so the key is in two hands. */
export type AccountFate =
	| { readonly state: 'valid' }
	| { readonly state: 'moved'; readonly successor: Uint8Array }
	| { readonly state: 'revoked' }
	| { readonly state: 'disputed' };

/** Statements heard, by account: at most three of each, which is all that can change its fate. */
export type AccountBook = ReadonlyMap<string, readonly AccountEnd[]>;

/** How many accounts the book holds; the one heard of longest ago goes first. 512 bytes each, two megabytes at most. */
export const MAX_ENDED_ACCOUNTS = 4_096;

/** The book with one more statement, or the very same book when it says nothing new. */
export function note(book: AccountBook, end: AccountEnd): AccountBook {
	const name = toHex(end.account);
	const known = book.get(name) ?? [];
	const says = (one: AccountEnd) => (one.kind === 'succession' ? toHex(one.successor) : '');
	if (known.some((one) => one.kind === end.kind && says(one) === says(end))) return book;
	// A third heir proves nothing that two did not.
	if (end.kind === 'succession' && known.filter((one) => one.kind === 'succession').length >= 2) return book;
	const next = new Map(book);
	next.delete(name);
	next.set(name, [...known, end]);
	const oldest = next.size > MAX_ENDED_ACCOUNTS ? next.keys().next().value : undefined;
	if (oldest !== undefined) next.delete(oldest);
	return next;
}

/** What the book says of an account; the same for the same set of statements, in whatever order they came. */
export function fateOf(book: AccountBook, account: Uint8Array): AccountFate {
	const ends = book.get(toHex(account)) ?? [];
	if (ends.some((end) => end.kind === 'revocation')) return { state: 'revoked' };
	const [first, second] = ends.filter((end) => end.kind === 'succession');
	if (first === undefined) return { state: 'valid' };
	return second === undefined ? { state: 'moved', successor: first.successor } : { state: 'disputed' };
}

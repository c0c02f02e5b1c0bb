/**
 * A document under several signatures: `{type, version, body, signatures: [{key, signature}]}` in canonical DAG-CBOR.
 *
 * The preimage is that of every signed message (envelope.ts), so a kind's name separates the roles: a signature made for one kind fits no
 * other. Keys stand in ascending order, each once: one set of signatures has one form, and nobody is counted twice.
 */
import type { CID } from 'multiformats/cid';
import type { Crypto } from '#lib/ports/crypto.ts';
import type { Signer } from '#lib/ports/keys.ts';
import { cidOf, decodeCanonical, encodeCanonical, equalBytes, toHex } from './encode.ts';
import { preimage, type Kind } from './envelope.ts';
import { Refusal } from './errors.ts';
import { blob, bytes, fields, integer, list, text } from './shape.ts';

/** Most keys a role may have, and so most signatures a document may carry: two sets when keys are changed. */
export const MAX_ROLE_KEYS = 16;
const MAX_SIGNATURES = 2 * MAX_ROLE_KEYS;

/** One key's word for a document. */
export interface Cosignature {
	readonly key: Uint8Array;
	readonly signature: Uint8Array;
}

/** A document as read: its shape holds, its signatures are not checked yet. */
export interface CoSigned<T> {
	readonly body: T;
	readonly bodyBytes: Uint8Array;
	readonly signatures: readonly Cosignature[];
	/** Of the body alone: one more signature does not change the name. */
	readonly cid: CID;
	/** The whole document. */
	readonly bytes: Uint8Array;
}

const shape = (maxBody: number) =>
	fields({
		type: text(40, 1),
		version: integer(1, 255),
		body: blob(maxBody),
		signatures: list(fields({ key: bytes(32), signature: bytes(64) }), MAX_SIGNATURES)
	});

/** Largest document of a kind in bytes, for readers that must stop somewhere. */
export function largestCoSigned(kind: Kind<unknown>): number {
	return kind.maxBytes + MAX_SIGNATURES * 128;
}

/** A document nobody has signed yet. Refusal `malformed` when the body does not fit its own shape. */
export function draft<T>(kind: Kind<T>, body: T): CoSigned<T> {
	return readCoSigned(kind, assemble(kind, encodeCanonical(body), []));
}

/** The same document with `signer`'s signature added, or made anew. */
export async function cosign<T>(kind: Kind<T>, document: CoSigned<T>, signer: Signer): Promise<CoSigned<T>> {
	const signature = await signer.sign(preimage(kind.type, kind.version, document.bodyBytes));
	const others = document.signatures.filter(({ key }) => !equalBytes(key, signer.publicKey));
	return readCoSigned(kind, assemble(kind, document.bodyBytes, [...others, { key: signer.publicKey, signature }]));
}

/** Reads without believing: refusals `oversized`, `malformed`, `not-canonical`, `unknown-type`, `unknown-version`. */
export function readCoSigned<T>(kind: Kind<T>, encoded: Uint8Array): CoSigned<T> {
	const max = largestCoSigned(kind);
	const { type, version, body, signatures } = shape(kind.maxBytes).check(decodeCanonical(encoded, max), kind.name);
	if (type !== kind.type) throw new Refusal('unknown-type', type.slice(0, 40));
	if (version !== kind.version) throw new Refusal('unknown-version', `${kind.type} ${version}`);
	const names = signatures.map(({ key }) => toHex(key));
	if (names.some((name, i) => i > 0 && name <= (names[i - 1] ?? '')))
		throw new Refusal('malformed', `${kind.name}.signatures: not in ascending order of keys`);
	return {
		body: kind.shape.check(decodeCanonical(body, kind.maxBytes), kind.name),
		bodyBytes: body,
		signatures,
		cid: cidOf(body),
		bytes: encoded
	};
}

/**
 * The keys that signed, in hexadecimal. Every signature must be by one of `allowed` and must hold: refusals `wrong-role` and
 * `bad-signature`. A document that carries anything else was touched by somebody after its signers, so it is not counted but refused.
 */
export async function signersOf<T>(
	kind: Kind<T>,
	document: CoSigned<T>,
	allowed: readonly Uint8Array[],
	crypto: Crypto
): Promise<ReadonlySet<string>> {
	const known = new Set(allowed.map(toHex));
	const signed = preimage(kind.type, kind.version, document.bodyBytes);
	const signers = new Set<string>();
	for (const { key, signature } of document.signatures) {
		if (!known.has(toHex(key))) throw new Refusal('wrong-role', kind.name);
		if (!(await crypto.verify(key, signed, signature))) throw new Refusal('bad-signature', kind.name);
		signers.add(toHex(key));
	}
	return signers;
}

function assemble(kind: Kind<unknown>, body: Uint8Array, signatures: readonly Cosignature[]): Uint8Array {
	const sorted = signatures.map(({ key, signature }) => ({ key, signature, name: toHex(key) }));
	sorted.sort((a, b) => (a.name < b.name ? -1 : 1));
	return encodeCanonical({
		type: kind.type,
		version: kind.version,
		body,
		signatures: sorted.map(({ key, signature }) => ({ key, signature }))
	});
}

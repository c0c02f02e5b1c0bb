/**
 * The envelope around every signed message: `{type, version, body, key, signature, certificate?}` in canonical DAG-CBOR.
 *
 * `body` is a byte string, so that the signature is checked over the bytes received and never over re-encoded ones. The preimage is
 * `"fireweed/" ‖ type ‖ 0x00 ‖ version ‖ body`; the CID is that of the body alone, so a second signature does not change the name
 * (protocol.md 2). A message kind is declared where its noun lives; nothing here knows them all, which keeps sealed kinds out of the
 * relay's import graph.
 */
import type { CID } from 'multiformats/cid';
import type { Crypto } from '#lib/ports/crypto.ts';
import type { Signer } from '#lib/ports/keys.ts';
import { cidOf, concat, decodeCanonical, encodeCanonical, utf8 } from './encode.ts';
import { Refusal } from './errors.ts';
import { blob, bytes, fields, integer, optional, text, type Infer, type Shape } from './shape.ts';

/** One kind of signed message. */
export interface Kind<T> {
	readonly type: string;
	readonly version: number;
	readonly shape: Shape<T>;
	/** Largest envelope in bytes. */
	readonly maxBytes: number;
	/** Name in the RFC and the spec, e.g. `JobBidV1`. */
	readonly name: string;
}

/** A message whose signature was verified over the bytes received. */
export interface Signed<T> {
	readonly body: T;
	readonly bodyBytes: Uint8Array;
	/** Key that signed, 32 bytes. */
	readonly signer: Uint8Array;
	readonly signature: Uint8Array;
	/** Encoded NodeCertificateV1 as it came; not yet opened. */
	readonly certificate: Uint8Array | undefined;
	readonly cid: CID;
	/** The whole envelope. */
	readonly bytes: Uint8Array;
}

/** Room for the envelope's own fields beside the body. */
const OVERHEAD = 1024;
const MAX_CERTIFICATE = 512;

const envelopeShape = (maxBody: number) =>
	fields({
		type: text(40, 1),
		version: integer(1, 255),
		body: blob(maxBody),
		key: bytes(32),
		signature: bytes(64),
		certificate: optional(blob(MAX_CERTIFICATE))
	});

/** Declares a kind; `maxBody` bounds its body in bytes. */
export function kind<T>(type: string, version: number, shape: Shape<T>, maxBody: number): Kind<T> {
	return { type, version, shape, maxBytes: maxBody + OVERHEAD, name: `${type}V${version}` };
}

/** What is signed. */
export function preimage(type: string, version: number, body: Uint8Array): Uint8Array {
	return concat(utf8(`fireweed/${type}`), Uint8Array.of(0, version), body);
}

/** Checks, encodes and signs a body. Refusal `malformed` when it does not fit its own shape: better here than at a stranger's door. */
export async function seal<T>(of: Kind<T>, body: T, signer: Signer, certificate?: Uint8Array): Promise<Signed<T>> {
	return sealBytes(of, encodeCanonical(body), signer, certificate);
}

/** Signs bytes that are already a canonical body of this kind (countersigning: the same bytes under another domain tag). */
export async function sealBytes<T>(
	of: Kind<T>,
	bodyBytes: Uint8Array,
	signer: Signer,
	certificate?: Uint8Array
): Promise<Signed<T>> {
	const body = of.shape.check(decodeCanonical(bodyBytes, of.maxBytes), of.name);
	const signature = await signer.sign(preimage(of.type, of.version, bodyBytes));
	const envelope = {
		type: of.type,
		version: of.version,
		body: bodyBytes,
		key: signer.publicKey,
		signature,
		...(certificate === undefined ? {} : { certificate })
	};
	const encoded = encodeCanonical(envelope);
	if (encoded.length > of.maxBytes) throw new Refusal('oversized', of.name);
	return { body, bodyBytes, signer: signer.publicKey, signature, certificate, cid: cidOf(bodyBytes), bytes: encoded };
}

/** Type and version an envelope claims, without believing anything else in it. Refusals as `decodeCanonical`, or `malformed`. */
export function peek(encoded: Uint8Array, max: number): { readonly type: string; readonly version: number } {
	const { type, version } = envelopeShape(max).check(decodeCanonical(encoded, max), 'envelope');
	return { type, version };
}

/** Opens without checking the signature: for a cheap look before `open`, and for records this device verified when it stored them. */
export function read<T>(of: Kind<T>, encoded: Uint8Array): Signed<T> {
	const envelope = envelopeShape(of.maxBytes).check(decodeCanonical(encoded, of.maxBytes), of.name);
	if (envelope.type !== of.type) throw new Refusal('unknown-type', envelope.type);
	if (envelope.version !== of.version) throw new Refusal('unknown-version', `${envelope.type} ${envelope.version}`);
	return {
		body: of.shape.check(decodeCanonical(envelope.body, of.maxBytes), of.name),
		bodyBytes: envelope.body,
		signer: envelope.key,
		signature: envelope.signature,
		certificate: envelope.certificate,
		cid: cidOf(envelope.body),
		bytes: encoded
	};
}

/**
 * The door for strangers' bytes. Refusals: `oversized`, `malformed`, `not-canonical`, `unknown-type`, `unknown-version` (both to be
 * ignored, not punished) and `bad-signature`.
 */
export async function open<T>(of: Kind<T>, encoded: Uint8Array, crypto: Crypto): Promise<Signed<T>> {
	const message = read(of, encoded);
	if (!(await crypto.verify(message.signer, preimage(of.type, of.version, message.bodyBytes), message.signature))) {
		throw new Refusal('bad-signature', of.name);
	}
	return message;
}

export type BodyOf<K> = K extends Kind<infer T> ? T : never;
export type { Infer };

/**
 * NodeCertificateV1: an account vouches, until a date, for one node key (protocol.md 1).
 *
 * Attack answered: two tabs with one key would steal each other's relay reservation and look like a double-spender; a stolen node key
 * must not be the account.
 */
import type { Crypto } from '#lib/ports/crypto.ts';
import type { Signer } from '#lib/ports/keys.ts';
import { equalBytes } from './encode.ts';
import { kind, open, seal, type BodyOf, type Signed } from './envelope.ts';
import { Refusal } from './errors.ts';
import { CLOCK_SKEW_MS } from './limits.ts';
import { bytes, extensions, fields, stamp } from './shape.ts';

export const nodeCertificate = kind(
	'NodeCertificate',
	1,
	fields({
		account: bytes(32),
		node: bytes(32),
		issuedAt: stamp,
		expiresAt: stamp,
		extensions
	}),
	256
);
export type NodeCertificate = BodyOf<typeof nodeCertificate>;

/** How long a fresh certificate lasts. A year: tabs sleep for months; renewal is offered well before. */
export const CERTIFICATE_LIFE_MS = 365 * 24 * 3600 * 1000;

/** Encoded certificate of `node` by `account`, valid for CERTIFICATE_LIFE_MS from `now` (Unix ms). */
export async function certify(account: Signer, node: Uint8Array, now: number): Promise<Uint8Array> {
	const body = {
		account: account.publicKey,
		node,
		issuedAt: now,
		expiresAt: now + CERTIFICATE_LIFE_MS,
		extensions: {}
	};
	return (await seal(nodeCertificate, body, account)).bytes;
}

/**
 * The certificate that makes `message.signer` a node of an account. Refusal `bad-certificate` when it is missing, forged, for another
 * key, expired, or from the future beyond the skew window.
 */
export async function openCertificate(
	message: Pick<Signed<unknown>, 'signer' | 'certificate'>,
	crypto: Crypto,
	now: number
): Promise<NodeCertificate> {
	if (message.certificate === undefined) throw new Refusal('bad-certificate', 'missing');
	const certificate = await open(nodeCertificate, message.certificate, crypto).catch((error: unknown) => {
		throw new Refusal('bad-certificate', error instanceof Error ? error.message : undefined);
	});
	const { account, node, issuedAt, expiresAt } = certificate.body;
	if (!equalBytes(account, certificate.signer)) throw new Refusal('bad-certificate', 'not signed by its account');
	if (!equalBytes(node, message.signer)) throw new Refusal('bad-certificate', 'for another node key');
	if (expiresAt <= now || issuedAt > now + CLOCK_SKEW_MS) throw new Refusal('bad-certificate', 'not valid now');
	return certificate.body;
}

/**
 * NodeManifestV1: where a node can be found again, in its own words and under its own key. Whoever met it keeps the statement and dials
 * it at the next start, so that finding others needs no single door (docs/spec/doors.md).
 *
 * Attacks answered: a stranger naming somebody else's machine as its own (every address must end at the signer, and the connection is
 * authenticated as that signer before anything is believed); a statement that is kept for ever (an expiry with a longest life).
 */
import type { Crypto } from '#lib/ports/crypto.ts';
import { openCertificate } from './certificate.ts';
import { formatDid, formatPeerId } from './did.ts';
import { kind, open, type BodyOf } from './envelope.ts';
import { Refusal } from './errors.ts';
import { CLOCK_SKEW_MS, MAX_ADDRESS, MAX_ADDRESSES, MAX_MANIFEST_LIFE_MS } from './limits.ts';
import { extensions, fields, flag, integer, list, stamp, text, word } from './shape.ts';

export const nodeManifest = kind(
	'NodeManifest',
	1,
	fields({
		/** A tab is certified by an account; a relay belongs to nobody and signs with its own key alone. */
		role: word('tab', 'relay'),
		/** Each ends in `/p2p/<signer>`. */
		addresses: list(text(MAX_ADDRESS, 1), MAX_ADDRESSES, 1),
		/** Schema versions spoken, as in a capability. */
		versions: list(text(40, 1), 8, 1),
		/** Whether those it meets may hand this statement on; a node that only asks is nobody's business but theirs who met it. */
		handOn: flag,
		/** Grows with every statement of this node; an older one never replaces a newer one. */
		sequence: integer(0, Number.MAX_SAFE_INTEGER),
		issuedAt: stamp,
		expiresAt: stamp,
		extensions
	}),
	5120
);
export type NodeManifest = BodyOf<typeof nodeManifest>;

/** How long a tab's statement holds: people come back within a week, and a tab renews it every time it is met. */
export const TAB_MANIFEST_LIFE_MS = 7 * 24 * 3600 * 1000;

/** A manifest whose every claim was checked, as far as a signature can tell. */
export interface KnownNode {
	readonly peer: string;
	/** did:key of the account; undefined for a relay. */
	readonly account: string | undefined;
	readonly manifest: NodeManifest;
	/** The envelope as it came. */
	readonly bytes: Uint8Array;
}

/**
 * Opens a stranger's manifest at wall time `now` (Unix ms). Refusals: those of `open`; `bad-certificate` for a tab without a valid one;
 * `wrong-signer` when an address ends at somebody else; `expired`; `clock-skew` when it is from the future; `malformed` when it means
 * to live longer than MAX_MANIFEST_LIFE_MS.
 */
export async function openNodeManifest(encoded: Uint8Array, crypto: Crypto, now: number): Promise<KnownNode> {
	const signed = await open(nodeManifest, encoded, crypto);
	const manifest = signed.body;
	const peer = formatPeerId(signed.signer);
	if (!manifest.addresses.every((address) => address.endsWith(`/p2p/${peer}`))) throw new Refusal('wrong-signer', peer);
	checkLife(manifest, now);
	const account =
		manifest.role === 'relay' ? undefined : formatDid((await openCertificate(signed, crypto, now)).account);
	return { peer, account, manifest, bytes: encoded };
}

/** Refusals `expired`, `clock-skew`, `malformed` for a statement that does not hold at `now`. */
export function checkLife(statement: { readonly issuedAt: number; readonly expiresAt: number }, now: number): void {
	const { issuedAt, expiresAt } = statement;
	if (expiresAt - issuedAt > MAX_MANIFEST_LIFE_MS || expiresAt <= issuedAt) throw new Refusal('malformed', 'its life');
	if (expiresAt <= now) throw new Refusal('expired');
	if (issuedAt > now + CLOCK_SKEW_MS) throw new Refusal('clock-skew');
}

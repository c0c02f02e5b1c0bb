/** The answer to "whom do you know?": a list of encoded node manifests, bounded before anything in it is opened. */
import { decodeCanonical, encodeCanonical } from './encode.ts';
import { MAX_PEERS_ANSWER } from './limits.ts';
import { nodeManifest } from './node-manifest.ts';
import { blob, list } from './shape.ts';

/** Most bytes of one answer. */
export const MAX_ACQUAINTANCES = MAX_PEERS_ANSWER * (nodeManifest.maxBytes + 8) + 8;

const shape = list(blob(nodeManifest.maxBytes), MAX_PEERS_ANSWER);

/** Encodes the first MAX_PEERS_ANSWER of them. */
export function encodeAcquaintances(manifests: readonly Uint8Array[]): Uint8Array {
	return encodeCanonical(manifests.slice(0, MAX_PEERS_ANSWER));
}

/** Encoded manifests, none of them opened yet. Refusals: `oversized`, `malformed`, `not-canonical`. */
export function decodeAcquaintances(bytes: Uint8Array): readonly Uint8Array[] {
	return shape.check(decodeCanonical(bytes, MAX_ACQUAINTANCES), 'acquaintances');
}

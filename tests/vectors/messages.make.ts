/** Makes messages.json: every kind sealed with one fixed key. Run: node tests/vectors/messages.make.ts > tests/vectors/messages.json */
import * as ed from '@noble/ed25519';
import { sha512 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { seal } from '#lib/protocol/envelope.ts';
import { SAMPLES } from '../fixtures/messages.ts';

ed.hashes.sha512 = sha512;
const secret = Uint8Array.from({ length: 32 }, (_, i) => i);
const signer = { publicKey: ed.getPublicKey(secret), sign: async (preimage: Uint8Array) => ed.sign(preimage, secret) };
const vectors = [];
for (const { kind, body } of SAMPLES) {
	const signed = await seal(kind, body, signer);
	vectors.push({
		name: kind.name,
		cid: signed.cid.toString(),
		body: bytesToHex(signed.bodyBytes),
		envelope: bytesToHex(signed.bytes)
	});
}
console.log(
	JSON.stringify({ secret: bytesToHex(secret), publicKey: bytesToHex(signer.publicKey), vectors }, null, '\t')
);

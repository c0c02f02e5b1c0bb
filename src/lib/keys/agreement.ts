/** The key agreement of a move, by the browser's own P-256: the private half never leaves it. */
import type { Agreement } from '#lib/ports/agreement.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import { owned } from './native.ts';

const CURVE = { name: 'ECDH', namedCurve: 'P-256' };
const SHARED_BITS = 256;

/** `subtle` is undefined in an insecure context. */
export function createAgreement(subtle: SubtleCrypto | undefined): Agreement {
	return {
		pair: async () => {
			if (subtle === undefined) throw new Refusal('insecure-context');
			const { publicKey, privateKey } = await subtle.generateKey(CURVE, false, ['deriveBits']);
			return {
				publicKey: new Uint8Array(await subtle.exportKey('raw', publicKey)),
				shared: async (theirs) => {
					try {
						const key = await subtle.importKey('raw', owned(theirs), CURVE, false, []);
						return new Uint8Array(await subtle.deriveBits({ name: 'ECDH', public: key }, privateKey, SHARED_BITS));
					} catch {
						// The browser checks that it is a point of the curve, and says no more than that it is none.
						throw new Refusal('malformed', 'no point of the curve');
					}
				}
			};
		}
	};
}

/** The simulator's signatures are cheap, and still nobody can forge one. */
import { expect, it } from 'vitest';
import { SeededRandom } from '../doubles/chance.ts';
import { Seals } from '../doubles/seals.ts';

const seals = new Seals();
const random = new SeededRandom('seals');
const signer = seals.signer(random.bytes(32));
const other = seals.signer(random.bytes(32));
const preimage = random.bytes(200);

it('accepts a signature over those bytes by that key', async () => {
	expect(await seals.verify(signer.publicKey, preimage, await signer.sign(preimage))).toBe(true);
});

it('refuses every changed bit of the signature and of what was signed', async () => {
	const signature = await signer.sign(preimage);
	for (const [what, bytes] of [
		['signature', signature],
		['preimage', preimage]
	] as const) {
		for (let bit = 0; bit < 8 * bytes.length; bit++) {
			const changed = bytes.slice();
			changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
			const [signed, mark] = what === 'preimage' ? [changed, signature] : [preimage, changed];
			expect(await seals.verify(signer.publicKey, signed, mark)).toBe(false);
		}
	}
});

it('refuses a signature by another key, by an unknown one, cut short, and of bytes with something added', async () => {
	const signature = await signer.sign(preimage);
	expect(await seals.verify(other.publicKey, preimage, signature)).toBe(false);
	expect(await seals.verify(random.bytes(32), preimage, signature)).toBe(false);
	expect(await seals.verify(signer.publicKey, preimage, signature.slice(0, 63))).toBe(false);
	expect(await seals.verify(signer.publicKey, Uint8Array.of(...preimage, 0), signature)).toBe(false);
	expect(await seals.verify(signer.publicKey, new Uint8Array(), signature)).toBe(false);
});

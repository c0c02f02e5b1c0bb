/** What two tabs of a move say, and the code: every door takes what was made for it and refuses the rest by name. */
import { encode } from '@ipld/dag-cbor';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatPeerId } from '#lib/protocol/did.ts';
import { codeOf, type Code } from '#lib/protocol/errors.ts';
import { agree, answerTag, commitTo, helloTag, sameTag, type MoveTranscript } from '#lib/protocol/move-agreement.ts';
import { addressesOf, formatMoveCode, readMoveCode, type MoveCode } from '#lib/protocol/move-code.ts';
import {
	decodeMove,
	encodeMove,
	MAX_MOVED_BYTES,
	MOVE_KEY_BYTES,
	PIECE_BYTES,
	whyStopped,
	type MoveMessage
} from '#lib/protocol/move.ts';

const RELAYS = [
	'/dns4/relay.example/tcp/443/wss/p2p/12D3KooWEC5hTP72TCKRr5ybEk3dupSkvzSdgPyTZ7AEENGXpxVZ',
	'/ip4/127.0.0.1/tcp/40123/ws/p2p/12D3KooWEC5hTP72TCKRr5ybEk3dupSkvzSdgPyTZ7AEENGXpxVZ'
];
const refusalOf = (work: () => unknown): Code | 'none' => {
	try {
		work();
		return 'none';
	} catch (error) {
		return codeOf(error);
	}
};
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const messages: fc.Arbitrary<MoveMessage> = fc.oneof(
	fc.record({ type: fc.constant('hello'), version: fc.constant(1), commitment: bytes(32), tag: bytes(32) }),
	fc.record({ type: fc.constant('answer'), key: bytes(MOVE_KEY_BYTES), tag: bytes(32) }),
	fc.record({ type: fc.constant('reveal'), key: bytes(MOVE_KEY_BYTES) }),
	fc.record({ type: fc.constant('confirm'), tag: bytes(32) }),
	fc.record({ type: fc.constant('file'), length: fc.integer({ min: 1, max: MAX_MOVED_BYTES }) }),
	fc.record({ type: fc.constant('piece'), at: fc.nat(MAX_MOVED_BYTES), data: fc.uint8Array({ maxLength: 2_000 }) }),
	fc.record({ type: fc.constant('kept') }),
	fc.record({ type: fc.constant('stop'), why: fc.constantFrom('aborted', 'declined') })
) as fc.Arbitrary<MoveMessage>;

describe('messages of a move', () => {
	test('come back as they were', () => {
		fc.assert(fc.property(messages, (message) => void expect(decodeMove(encodeMove(message))).toEqual(message)));
		const largest: MoveMessage = { type: 'piece', at: MAX_MOVED_BYTES, data: new Uint8Array(PIECE_BYTES) };
		expect(decodeMove(encodeMove(largest))).toEqual(largest);
	});

	test('refusals are named', () => {
		const door = (value: unknown) => refusalOf(() => decodeMove(encode(value)));
		expect(door({ type: 'hello', version: 2, commitment: new Uint8Array(32), tag: new Uint8Array(32) })).toBe(
			'unknown-version'
		);
		expect(door({ type: 'welcome' })).toBe('unknown-type');
		expect(door({ type: 'toString' })).toBe('unknown-type');
		expect(door({ type: 'kept', more: 1 })).toBe('malformed');
		expect(door({ type: 'file', length: MAX_MOVED_BYTES + 1 })).toBe('malformed');
		expect(door({ type: 'file', length: 1.5 })).toBe('malformed');
		expect(door({ type: 'piece', at: 0, data: new Uint8Array(PIECE_BYTES + 1) })).toBe('malformed');
		expect(door({ type: 'piece', at: 0, data: new Uint8Array(PIECE_BYTES + 1_000) })).toBe('oversized');
		expect(door({ type: 'stop', why: 'x'.repeat(600) })).toBe('oversized');
		for (const value of [null, 1, 'kept', [], [{ type: 'kept' }], {}]) expect(door(value)).toBe('malformed');
		// A map whose keys stand in another order.
		const [at, data] = [Uint8Array.of(0x62, 0x61, 0x74, 0), Uint8Array.of(0x64, 0x64, 0x61, 0x74, 0x61, 0x40)];
		const type = Uint8Array.of(0x64, 0x74, 0x79, 0x70, 0x65, 0x65, ...new TextEncoder().encode('piece'));
		expect(refusalOf(() => decodeMove(Uint8Array.of(0xa3, ...at, ...data, ...type)))).toBe('none');
		expect(refusalOf(() => decodeMove(Uint8Array.of(0xa3, ...at, ...type, ...data)))).toBe('not-canonical');
		expect(whyStopped({ type: 'stop', why: 'constructor' })).toBe('internal');
	});

	test('no bytes crash the door', () => {
		const codes = ['none', 'malformed', 'not-canonical', 'oversized', 'unknown-type', 'unknown-version'];
		fc.assert(
			fc.property(
				fc.uint8Array({ maxLength: 300 }),
				(noise) => void expect(codes).toContain(refusalOf(() => decodeMove(noise)))
			),
			{ numRuns: 1_000 }
		);
		fc.assert(
			fc.property(messages, fc.nat(), fc.integer({ min: 1, max: 255 }), (message, where, by) => {
				const whole = encodeMove(message);
				const changed = whole.with(where % whole.length, (whole[where % whole.length] ?? 0) ^ by);
				expect(codes).toContain(refusalOf(() => decodeMove(changed)));
				expect(codes).toContain(refusalOf(() => decodeMove(whole.subarray(0, where % whole.length))));
			}),
			{ numRuns: 1_000 }
		);
	});
});

describe('the code', () => {
	const codes: fc.Arbitrary<MoveCode> = fc.record({
		peer: bytes(32).map(formatPeerId),
		relays: fc.subarray(RELAYS, { minLength: 1 }),
		secret: bytes(16)
	});

	test('is read from whatever stands around it, in capitals or not, with broken lines', () => {
		fc.assert(
			fc.property(codes, fc.nat(), (code, at) => {
				const text = formatMoveCode(code);
				expect(text).toMatch(/^[A-Z0-9:]+$/);
				const cut = 6 + (at % (text.length - 6));
				for (const pasted of [
					text,
					text.toLowerCase(),
					`Take this:\n${text}\nand hurry.`,
					`${text.slice(0, cut)}\n  ${text.slice(cut)}`
				])
					expect(readMoveCode(pasted)).toEqual(code);
			})
		);
		const code = { peer: formatPeerId(new Uint8Array(32).fill(1)), relays: RELAYS, secret: new Uint8Array(16) };
		// A picture that phones read: below the longest part of a backup's pictures.
		expect(formatMoveCode(code).length).toBeLessThan(500);
		expect(addressesOf(code)[0]).toBe(`${RELAYS[0]}/p2p-circuit/webrtc/p2p/${code.peer}`);
	});

	test('with a letter changed or lost is refused for that', () => {
		fc.assert(
			fc.property(codes, fc.nat(), fc.constantFrom(...'ABCZ27'), (code, at, letter) => {
				const text = formatMoveCode(code);
				const where = 5 + (at % (text.length - 5));
				const other = text.slice(0, where) + letter + text.slice(where + 1);
				// The last letter holds bits that belong to no byte.
				if (other !== text && where < text.length - 1) expect(refusalOf(() => readMoveCode(other))).toBe('malformed');
				expect(refusalOf(() => readMoveCode(text.slice(0, where)))).toBe('malformed');
			})
		);
	});

	test('other texts are refused by name, and none crashes the door', () => {
		expect(refusalOf(() => readMoveCode('FWM2:AAAAAAAAAAAAAAAAAAAAAAAAAAAAA'))).toBe('unknown-version');
		expect(refusalOf(() => readMoveCode('x'.repeat(5_000)))).toBe('oversized');
		const named = { peer: formatPeerId(new Uint8Array(32)), secret: new Uint8Array(16) };
		for (const relays of [[], ['/ip4/1.2.3.4/tcp/1'], ['/dns4/x/tcp/1/ws/p2p/short'], [...RELAYS, ...RELAYS]])
			expect(refusalOf(() => readMoveCode(formatMoveCode({ ...named, relays })))).toBe('malformed');
		fc.assert(
			fc.property(
				fc.oneof(
					fc.string({ maxLength: 400 }),
					fc.stringMatching(/^FWM1:[A-Z2-7]{0,300}$/),
					fc.uint8Array({ maxLength: 200 }).map((noise) => `FWM1:${Buffer.from(noise).toString('hex')}`)
				),
				(text) => void expect(['malformed', 'unknown-version']).toContain(refusalOf(() => readMoveCode(text)))
			),
			{ numRuns: 2_000 }
		);
	});
});

describe('the agreement', () => {
	const transcript: MoveTranscript = {
		oldPeer: 'old',
		newPeer: 'new',
		commitment: new Uint8Array(32).fill(1),
		newKey: new Uint8Array(65).fill(2),
		oldKey: new Uint8Array(65).fill(3)
	};
	const [shared, secret] = [new Uint8Array(32).fill(4), new Uint8Array(16).fill(5)];

	test('is bound to everything that was said: another word anywhere, other figures, tags and file key', () => {
		const same = agree(shared, secret, transcript);
		expect(agree(shared, secret, { ...transcript })).toEqual(same);
		const others = [
			agree(shared.with(0, 9), secret, transcript),
			agree(shared, secret.with(0, 9), transcript),
			agree(shared, secret, { ...transcript, oldPeer: 'odl' }),
			agree(shared, secret, { ...transcript, newPeer: 'old', oldPeer: 'new' }),
			agree(shared, secret, { ...transcript, commitment: transcript.commitment.with(31, 9) }),
			agree(shared, secret, { ...transcript, newKey: transcript.newKey.with(64, 9) }),
			agree(shared, secret, { ...transcript, oldKey: transcript.oldKey.with(64, 9) })
		];
		for (const other of others) {
			expect(other.digits).not.toBe(same.digits);
			expect(sameTag(other.oldTag, same.oldTag) || sameTag(other.newTag, same.newTag)).toBe(false);
			expect(other.passphrase).not.toBe(same.passphrase);
		}
		expect(sameTag(same.oldTag, same.newTag)).toBe(false);
		expect(sameTag(same.oldTag.subarray(0, 0), same.oldTag)).toBe(false);
		expect(sameTag(same.oldTag.subarray(0, 31), same.oldTag)).toBe(false);
	});

	test('figures are six, and every one of them comes as often as another', () => {
		const counts = Array.from({ length: 10 }, () => 0);
		for (let n = 0; n < 2_000; n++) {
			const key = new Uint8Array(32);
			new DataView(key.buffer).setUint32(0, n);
			const { digits } = agree(key, secret, transcript);
			expect(digits).toMatch(/^\d{6}$/);
			for (const digit of digits) counts[Number(digit)]! += 1;
		}
		// 1,200 each; six standard deviations are 200.
		for (const count of counts) expect(Math.abs(count - 1_200)).toBeLessThan(200);
	});

	test('vectors', () => {
		const hex = (value: Uint8Array) => Buffer.from(value).toString('hex');
		const ends = { oldPeer: 'old', newPeer: 'new' };
		const { digits, oldTag, passphrase } = agree(shared, secret, transcript);
		expect({
			commitment: hex(commitTo(transcript.oldKey)).slice(0, 16),
			hello: hex(helloTag(secret, ends, transcript.commitment)).slice(0, 16),
			answer: hex(answerTag(secret, ends, transcript.commitment, transcript.newKey)).slice(0, 16),
			...{ digits, passphrase: passphrase.slice(0, 16), confirm: hex(oldTag).slice(0, 16) }
		}).toMatchInlineSnapshot(`
			{
			  "answer": "bc74046c11cf9c38",
			  "commitment": "741404fd002bb186",
			  "confirm": "bc55e3c08dc17a86",
			  "digits": "575900",
			  "hello": "3ea59f02243c3c6c",
			  "passphrase": "rhdc4pdr4gqyh72e",
			}
		`);
	});
});

/** The old tab's side of a move, step by step: what it says, in which order, and what it does not say before both people agreed. */
import { describe, expect, test } from 'vitest';
import { MOVE_PATIENCE_MS, PERSON_PATIENCE_MS } from '#lib/node/move-line.ts';
import { moveOut } from '#lib/node/move-out.ts';
import { formatPeerId } from '#lib/protocol/did.ts';
import { codeOf, Refusal } from '#lib/protocol/errors.ts';
import { agree, answerTag, commitTo, helloTag } from '#lib/protocol/move-agreement.ts';
import { addressesOf, formatMoveCode, readMoveCode } from '#lib/protocol/move-code.ts';
import { PIECE_BYTES, type MoveMessage } from '#lib/protocol/move.ts';
import { VirtualClock } from '../doubles/clock.ts';
import { agreementOf, keyOf, sharedOf, Wire } from '../doubles/wire.ts';

const [OLD, NEW] = [formatPeerId(new Uint8Array(32).fill(1)), formatPeerId(new Uint8Array(32).fill(2))];
const RELAY = '/dns4/relay.example/tcp/443/wss/p2p/12D3KooWEC5hTP72TCKRr5ybEk3dupSkvzSdgPyTZ7AEENGXpxVZ';
const SECRET = new Uint8Array(16).fill(9);
const CODE = formatMoveCode({ peer: NEW, relays: [RELAY], secret: SECRET });
const [OLD_PAIR, NEW_PAIR] = [11, 12];
const ENDS = { oldPeer: OLD, newPeer: NEW };
const COMMITMENT = commitTo(keyOf(OLD_PAIR));
const AGREED = agree(sharedOf(NEW_PAIR, keyOf(OLD_PAIR)), SECRET, {
	...{ ...ENDS, commitment: COMMITMENT, newKey: keyOf(NEW_PAIR), oldKey: keyOf(OLD_PAIR) }
});
const HELLO = { type: 'hello', version: 1, commitment: COMMITMENT, tag: helloTag(SECRET, ENDS, COMMITMENT) };
const ANSWER: MoveMessage = {
	...{ type: 'answer', key: keyOf(NEW_PAIR), tag: answerTag(SECRET, ENDS, COMMITMENT, keyOf(NEW_PAIR)) }
};
const REVEAL = { type: 'reveal', key: keyOf(OLD_PAIR) };
const YES_HERE = { type: 'confirm', tag: AGREED.oldTag };
const YES_THERE: MoveMessage = { type: 'confirm', tag: AGREED.newTag };

/** An old tab that was given the code, and its person. */
function leaving({ file = Uint8Array.of(1, 2, 3), says = true, self = OLD } = {}) {
	const clock = new VirtualClock();
	const wire = new Wire(NEW);
	const stop = new AbortController();
	const opened: unknown[] = [];
	const seen = { digits: [] as string[], progress: [] as (readonly number[])[], passphrases: [] as string[] };
	const ports = {
		mesh: {
			self,
			open: async (...given: unknown[]) => {
				opened.push(given);
				return wire;
			}
		},
		agreement: agreementOf(OLD_PAIR),
		clock,
		backUp: async (passphrase: string) => {
			seen.passphrases.push(passphrase);
			return file;
		}
	};
	const person = {
		compare: async (digits: string) => (seen.digits.push(digits), says),
		progress: (...facts: number[]) => void seen.progress.push(facts)
	};
	let end: unknown = 'open';
	const work = moveOut(`my code: ${CODE}`, ports, person, stop.signal);
	work.then(
		() => (end = 'done'),
		(error: unknown) => (end = codeOf(error))
	);
	/** The other side says this, and whatever follows from it happens. */
	const hears = async (...messages: MoveMessage[]) => {
		wire.say(...messages);
		await clock.pass(0);
	};
	return { clock, wire, stop, opened, seen, hears, ended: () => end, ports, person };
}

test('an honest move, word by word', async () => {
	const file = new Uint8Array(2 * PIECE_BYTES + 5).map((_, i) => i & 255);
	const { wire, opened, seen, hears, ended, stop } = leaving({ file });
	await hears();
	expect(opened).toEqual([[NEW, addressesOf(readMoveCode(CODE)), stop.signal, 'move']]);
	expect(wire.did).toEqual([HELLO]);
	await hears(ANSWER);
	expect(wire.did.slice(1)).toEqual([REVEAL, YES_HERE]);
	expect([seen.digits, seen.passphrases]).toEqual([[AGREED.digits], []]);
	await hears(YES_THERE);
	expect(seen.passphrases).toEqual([AGREED.passphrase]);
	expect(wire.did.slice(3)).toEqual([
		{ type: 'file', length: file.length },
		{ type: 'piece', at: 0, data: file.subarray(0, PIECE_BYTES) },
		{ type: 'piece', at: PIECE_BYTES, data: file.subarray(PIECE_BYTES, 2 * PIECE_BYTES) },
		{ type: 'piece', at: 2 * PIECE_BYTES, data: file.subarray(2 * PIECE_BYTES) }
	]);
	expect(seen.progress).toEqual([PIECE_BYTES, 2 * PIECE_BYTES, file.length].map((bytes) => [bytes, file.length]));
	expect(ended()).toBe('open');
	await hears({ type: 'kept' });
	expect([ended(), wire.did.at(-1)]).toEqual(['done', 'close']);
});

test('a file that fills its pieces has no empty one at its end', async () => {
	const { wire, hears } = leaving({ file: new Uint8Array(PIECE_BYTES) });
	await hears(ANSWER, YES_THERE);
	expect(wire.said.filter(({ type }) => type === 'piece')).toHaveLength(1);
});

test('each piece goes only when the one before was taken', async () => {
	const { wire, hears, seen, clock, ended } = leaving({ file: new Uint8Array(2 * PIECE_BYTES) });
	await hears(ANSWER);
	const { promise, resolve } = Promise.withResolvers<void>();
	const pieces = () => wire.said.filter(({ type }) => type === 'piece').length;
	wire.takes = promise;
	await hears(YES_THERE);
	expect([pieces(), wire.said.at(-1)?.type]).toEqual([0, 'file']);
	wire.takes = new Promise(() => undefined);
	resolve();
	await clock.pass(0);
	expect([pieces(), seen.progress]).toEqual([1, []]);
	await clock.pass(MOVE_PATIENCE_MS);
	expect(ended()).toBe('stalled');
});

describe('it does not go on', () => {
	const stopped = (why: string) => [{ type: 'stop', why }, 'close'];

	test('with a code that is none, or its own', async () => {
		const own = leaving({ self: NEW });
		await own.hears();
		expect([own.ended(), own.opened]).toEqual(['malformed', []]);
		const { ports, person, opened } = leaving();
		const { signal } = new AbortController();
		opened.length = 0;
		expect(await moveOut('no code', ports, person, signal).catch(codeOf)).toBe('malformed');
		expect(opened).toEqual([]);
	});

	test('where the new tab cannot be reached', async () => {
		const { ports, person } = leaving();
		const mesh = { self: OLD, open: () => Promise.reject(new Refusal('unreachable')) };
		const { signal } = new AbortController();
		expect(await moveOut(CODE, { ...ports, mesh }, person, signal).catch(codeOf)).toBe('unreachable');
	});

	test('with somebody who does not know the secret: its key stays hidden', async () => {
		const { wire, hears, ended } = leaving();
		await hears({ ...ANSWER, tag: new Uint8Array(32) } as MoveMessage);
		expect([ended(), wire.did]).toEqual(['not-agreed', [HELLO, ...stopped('not-agreed')]]);
	});

	test('after a no here, or a stop there', async () => {
		const no = leaving({ says: false });
		await no.hears(ANSWER, YES_THERE);
		expect([no.ended(), no.wire.did.slice(2), no.seen.passphrases]).toEqual(['declined', stopped('declined'), []]);
		const there = leaving();
		await there.hears(ANSWER, { type: 'stop', why: 'declined' });
		expect([there.ended(), there.seen.passphrases, there.wire.did.at(-1)]).toEqual(['declined', [], 'abort']);
	});

	test('with a confirmation of its own side', async () => {
		const { hears, ended, seen } = leaving();
		await hears(ANSWER, { type: 'confirm', tag: AGREED.oldTag });
		expect([ended(), seen.passphrases]).toEqual(['not-agreed', []]);
	});

	test('without a backup', async () => {
		const { wire, hears, ended, ports } = leaving();
		ports.backUp = () => Promise.reject(new Refusal('oversized'));
		await hears(ANSWER, YES_THERE);
		expect([ended(), wire.did.slice(3)]).toEqual(['oversized', stopped('oversized')]);
	});

	test('for longer than a person takes to see that all was kept', async () => {
		const { clock, hears, ended } = leaving();
		await hears(ANSWER, YES_THERE);
		await clock.pass(PERSON_PATIENCE_MS - 1);
		expect(ended()).toBe('open');
		await clock.pass(1);
		expect(ended()).toBe('stalled');
	});

	test('once its person stops it', async () => {
		const { wire, stop, hears, ended } = leaving();
		await hears(ANSWER);
		stop.abort();
		await hears();
		expect([ended(), wire.did.slice(3)]).toEqual(['aborted', stopped('aborted')]);
	});
});

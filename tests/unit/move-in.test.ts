/** The new tab's side of a move, step by step: who is let in, in which order it must be said, and how long it waits for each. */
import { describe, expect, test } from 'vitest';
import { CODE_LIFE_MS } from '#lib/node/move-in.ts';
import { MOVE_PATIENCE_MS } from '#lib/node/move-line.ts';
import { readMoveCode } from '#lib/protocol/move-code.ts';
import { PIECE_BYTES, type MoveMessage } from '#lib/protocol/move.ts';
import { arriving, HONEST, NEW, OLD, OUR_KEY, relay, SECRET, up, wordsOf } from '../doubles/arriving.ts';
import { keyOf, type Wire } from '../doubles/wire.ts';

const KNOCK_MS = 5_000;
const SEALING_MS = 120_000;
const PARTING_MS = 3_000;
const RELAY_MS = 15_000;

describe('the code', () => {
	test('says who waits, at which relays, with a fresh secret', async () => {
		const { clock, seen, state } = arriving();
		await clock.pass(0);
		expect(seen.codes.map(readMoveCode)).toEqual([{ peer: NEW, relays: [relay()], secret: SECRET }]);
		expect([state.asked, state.unobserved]).toEqual([[16], 1]);
	});

	test('names two relays that are up and short enough for a picture', async () => {
		const [long, longest, third] = [relay(201), relay(200), relay(95)];
		const { clock, seen } = arriving({
			relays: [up(long), { address: relay(), up: false }, ...[longest, third, relay(100)].map(up)]
		});
		await clock.pass(0);
		expect(seen.codes.map((code) => readMoveCode(code).relays)).toEqual([[longest, third]]);
	});

	test('waits for a relay to come up', async () => {
		const { clock, seen, state, look } = arriving({ relays: [] });
		await clock.pass(RELAY_MS - 1);
		look();
		await clock.pass(0);
		expect(seen.codes).toEqual([]);
		state.relays = [up(relay())];
		look();
		await clock.pass(0);
		expect([seen.codes.length, state.unobserved]).toEqual([1, 1]);
	});

	test('is not shown where no relay comes up in fifteen seconds', async () => {
		const { clock, seen, state, ended } = arriving({ relays: [] });
		await clock.pass(RELAY_MS - 1);
		expect(ended()).toBe('open');
		await clock.pass(1);
		expect([ended(), seen.codes, state.unobserved]).toEqual(['relay-unavailable', [], 1]);
	});

	test('is good for ten minutes; then whoever still knocks is sent away', async () => {
		const { clock, knock, state, ended } = arriving();
		await clock.pass(CODE_LIFE_MS - 1_000);
		const late = await knock(OLD);
		await clock.pass(999);
		expect(ended()).toBe('open');
		await clock.pass(1);
		expect([CODE_LIFE_MS, ended(), state.unheard, late.did]).toEqual([600_000, 'expired', 1, ['abort']]);
	});

	test('ends when its person stops waiting', async () => {
		const { clock, stop, knock, ended, state } = arriving();
		await clock.pass(0);
		const there = await knock(OLD);
		stop.abort();
		await clock.pass(0);
		expect([ended(), state.unheard, there.did[0], there.said]).toEqual(['aborted', 1, 'abort', []]);
		const early = arriving({ relays: [] });
		early.stop.abort();
		await early.clock.pass(0);
		expect(early.ended()).toBe('aborted');
	});
});

describe('whoever knocks', () => {
	test('says who they are within five seconds, and is sent away without a word else', async () => {
		const { clock, knock, ended } = arriving();
		await clock.pass(0);
		const silent = await knock('silent');
		await clock.pass(KNOCK_MS - 1);
		expect(silent.did).toEqual([]);
		await clock.pass(1);
		expect(silent.did).toEqual(['abort']);
		const guess = await knock('guess', { ...wordsOf('guess').hello, tag: new Uint8Array(32) });
		const replay = await knock('replay', HONEST.hello);
		expect([guess.did, replay.did, ended()]).toEqual([['abort'], ['abort'], 'open']);
	});

	test('is one of four; the newest pushes out the oldest, whose word then comes too late', async () => {
		const { clock, knock } = arriving();
		await clock.pass(0);
		const wires: Wire[] = [];
		for (const name of ['a', 'b', 'c', 'd']) wires.push(await knock(name));
		expect(wires.map(({ did }) => did)).toEqual([[], [], [], []]);
		wires.push(await knock('e'));
		expect(wires.map(({ did }) => did.length)).toEqual([1, 0, 0, 0, 0]);
		wires[0]?.say(wordsOf('a').hello);
		await clock.pass(0);
		expect(wires[0]?.said).toEqual([]);
		wires[1]?.say(wordsOf('b').hello);
		await clock.pass(0);
		// The right one is answered, and everybody else is sent away.
		expect(wires[1]?.said.map(({ type }) => type)).toEqual(['answer']);
		expect(wires.map(({ did }) => did.includes('abort'))).toEqual([true, false, true, true, true]);
	});

	test('has one channel: another of the same node takes its place, and nobody else’s', async () => {
		const { clock, knock } = arriving();
		await clock.pass(0);
		const others = [await knock('a'), await knock('b'), await knock('c')];
		const first = await knock(OLD);
		const second = await knock(OLD);
		expect([first.did, second.did, others.map(({ did }) => did)]).toEqual([['abort'], [], [[], [], []]]);
		// What becomes of the first does not touch the second.
		first.end('channel-closed');
		await clock.pass(0);
		second.say(HONEST.hello);
		await clock.pass(0);
		expect(second.said.map(({ type }) => type)).toEqual(['answer']);
	});

	test('and left makes room: the oldest who still waits is not pushed out', async () => {
		const { clock, knock } = arriving();
		await clock.pass(0);
		const first = await knock('a');
		for (const name of ['b', 'c', 'd']) (await knock(name)).end('peer-lost');
		await clock.pass(0);
		for (const name of ['e', 'f', 'g']) await knock(name);
		expect(first.did).toEqual([]);
	});

	test('second with the right word, in the same moment, is sent away', async () => {
		const { clock, knock, ended } = arriving();
		await clock.pass(0);
		const [one, other] = [await knock(OLD), await knock('other')];
		one.say(HONEST.hello);
		other.say(wordsOf('other').hello);
		await clock.pass(0);
		expect([one.said.length, other.did, ended()]).toEqual([1, ['abort'], 'open']);
	});
});

describe('agreeing', () => {
	test('answers with its key, shows the figures, and confirms when its person did', async () => {
		const { clock, knock, seen, state } = arriving();
		await clock.pass(0);
		const wire = await knock(OLD, HONEST.hello);
		expect(wire.did).toEqual([{ type: 'answer', key: OUR_KEY, tag: HONEST.tag }]);
		expect([seen.digits, state.unheard]).toEqual([[], 1]);
		wire.say(HONEST.reveal);
		await clock.pass(0);
		expect(wire.did.slice(1)).toEqual([{ type: 'confirm', tag: HONEST.agreed.newTag }]);
		expect(seen.digits).toEqual([HONEST.agreed.digits]);
	});

	test.each([
		['another key than was chosen', 'not-agreed', [{ type: 'reveal', key: keyOf(99) }]],
		['its own confirmation said back', 'not-agreed', [HONEST.reveal, { type: 'confirm', tag: HONEST.agreed.newTag }]],
		['a file before anybody compared', 'out-of-order', [{ type: 'file', length: 1 }]],
		['no more than a hello', 'stalled', []]
	] as const)('%s ends it', async (_, code, messages) => {
		const { clock, knock, ended } = arriving();
		await clock.pass(0);
		const wire = await knock(OLD, HONEST.hello, ...messages);
		await clock.pass(code === 'stalled' ? MOVE_PATIENCE_MS : 0);
		expect([ended(), wire.did.slice(-2)]).toEqual([code, [{ type: 'stop', why: code }, 'close']]);
	});

	test('a no takes nothing', async () => {
		const { atTheFile, clock, ended } = arriving({ says: false });
		const wire = await atTheFile({ type: 'file', length: 1 });
		await clock.pass(0);
		expect([ended(), wire.said.slice(1)]).toEqual(['declined', [{ type: 'stop', why: 'declined' }]]);
	});
});

describe('the file', () => {
	const file = new Uint8Array(PIECE_BYTES + 7).map((_, i) => (i * 7) & 255);
	const [head, rest] = [file.subarray(0, PIECE_BYTES), file.subarray(PIECE_BYTES)];
	const length: MoveMessage = { type: 'file', length: file.length };
	const pieces: MoveMessage[] = [
		{ type: 'piece', at: 0, data: head },
		{ type: 'piece', at: PIECE_BYTES, data: rest }
	];

	test('comes piece by piece, under what both agreed on', async () => {
		const { atTheFile, seen, whole } = arriving();
		await atTheFile(length, ...pieces);
		const { file: came, passphrase } = await whole();
		expect([came, passphrase]).toEqual([file, HONEST.agreed.passphrase]);
		expect(seen.progress).toEqual([PIECE_BYTES, file.length].map((bytes) => [bytes, file.length]));
	});

	test.each([
		['from elsewhere', 'out-of-order', { type: 'piece', at: 1, data: head }],
		['too short', 'malformed', { type: 'piece', at: 0, data: head.subarray(1) }],
		['of nothing', 'malformed', { type: 'piece', at: 0, data: new Uint8Array() }],
		['that is none', 'out-of-order', { type: 'kept' }]
	] as const)('a piece %s is refused', async (_, code, piece) => {
		const { atTheFile, ended } = arriving();
		await atTheFile(length, piece);
		expect(ended()).toBe(code);
	});

	test.each([
		['the last piece too long', 'malformed', new Uint8Array(8)],
		['the last piece too short', 'malformed', new Uint8Array(6)]
	] as const)('%s is refused', async (_, code, data) => {
		const { atTheFile, ended } = arriving();
		await atTheFile(length, pieces[0] as MoveMessage, { type: 'piece', at: PIECE_BYTES, data });
		expect(ended()).toBe(code);
	});

	test('has two minutes to be sealed, and half a minute for each piece', async () => {
		for (const [messages, patienceMs] of [
			[[], SEALING_MS],
			[[length], MOVE_PATIENCE_MS],
			[[length, pieces[0] as MoveMessage], MOVE_PATIENCE_MS]
		] as const) {
			const { atTheFile, clock, ended } = arriving();
			await atTheFile(...messages);
			await clock.pass(patienceMs - 1);
			expect(ended()).toBe('open');
			await clock.pass(1);
			expect(ended()).toBe('stalled');
		}
	});

	test('kept, the old tab is told, and has three seconds to leave', async () => {
		const { atTheFile, clock, whole } = arriving();
		const wire = await atTheFile(length, ...pieces);
		const { kept } = await whole();
		const before = wire.did.length;
		let parted = false;
		void kept().then(() => (parted = true));
		await clock.pass(PARTING_MS - 1);
		expect([wire.did.slice(before), parted]).toEqual([[{ type: 'kept' }, 'close'], false]);
		await clock.pass(1);
		expect([wire.did.at(-1), parted]).toEqual(['abort', true]);
	});

	test('kept is kept, though nobody hears of it', async () => {
		const { atTheFile, clock, whole } = arriving();
		const wire = await atTheFile(length, ...pieces);
		const { kept } = await whole();
		wire.takes = new Promise(() => undefined);
		await expect(clock.until(kept())).resolves.toBeUndefined();
	});

	test('not taken, the old tab is told that too', async () => {
		const { atTheFile, clock, whole } = arriving();
		const wire = await atTheFile(length, ...pieces);
		(await whole()).leave();
		await clock.pass(0);
		expect(wire.did.slice(-2)).toEqual([{ type: 'stop', why: 'declined' }, 'close']);
	});
});

/** One channel of a move: each message within its time, one word about why it ended, and nothing left behind. */
import { describe, expect, test } from 'vitest';
import { MOVE_PATIENCE_MS, MoveLine, PERSON_PATIENCE_MS } from '#lib/node/move-line.ts';
import { codeOf, Refusal, type Code } from '#lib/protocol/errors.ts';
import type { MoveMessage } from '#lib/protocol/move.ts';
import { VirtualClock } from '../doubles/clock.ts';
import { keyOf, Wire } from '../doubles/wire.ts';

const TAG = new Uint8Array(32).fill(1);
const OTHER_TAG = new Uint8Array(32).fill(2);
const KEPT: MoveMessage = { type: 'kept' };
const never = () => new Promise<never>(() => undefined);

function line() {
	const clock = new VirtualClock();
	const wire = new Wire('other');
	const stop = new AbortController();
	const made = new MoveLine(wire, clock, stop.signal);
	/** How it ended by now, without any time passing. */
	const end = async (work: Promise<unknown>): Promise<unknown> => {
		let how: unknown = 'open';
		work.then(
			(value) => (how = value ?? 'done'),
			(error: unknown) => (how = codeOf(error))
		);
		await clock.pass(0);
		return how;
	};
	/** That it is open until this time is over, and how it ends then. */
	const endsAfter = async (ms: number, work: Promise<unknown>): Promise<unknown> => {
		await clock.pass(ms - 1);
		expect(await end(work)).toBe('open');
		await clock.pass(1);
		return end(work);
	};
	return { clock, wire, stop, line: made, end, endsAfter };
}

describe('saying', () => {
	test('is done when the message is taken, and is given up after half a minute', async () => {
		const { wire, line: at, end, endsAfter, clock } = line();
		expect(await end(at.send(KEPT))).toBe('done');
		wire.takes = never();
		expect(await endsAfter(MOVE_PATIENCE_MS, at.send(KEPT))).toBe('stalled');
		expect(wire.did).toEqual([KEPT, KEPT]);
		expect([MOVE_PATIENCE_MS, clock.waiting]).toEqual([30_000, 0]);
	});

	test('ends with the channel, or when the person stops it', async () => {
		const { wire, line: at, end, stop } = line();
		wire.takes = Promise.reject(new Refusal('peer-lost'));
		expect(await end(at.send(KEPT))).toBe('peer-lost');
		wire.takes = never();
		const saying = at.send(KEPT);
		stop.abort();
		expect(await end(saying)).toBe('aborted');
	});
});

describe('expecting', () => {
	test('gives the message of that type, for which it waits so long', async () => {
		const { wire, line: at, endsAfter, end } = line();
		wire.say({ type: 'reveal', key: keyOf(7) });
		expect(await end(at.expect('reveal'))).toEqual({ type: 'reveal', key: keyOf(7) });
		expect(await endsAfter(MOVE_PATIENCE_MS, at.expect('kept'))).toBe('stalled');
		const other = line();
		expect(await other.endsAfter(1_000, other.line.expect('kept', 1_000))).toBe('stalled');
	});

	test.each([
		['another message than the next', 'out-of-order', (wire: Wire) => wire.say({ type: 'confirm', tag: TAG })],
		['bytes that are no message', 'malformed', (wire: Wire) => wire.say(Uint8Array.of(0x60))],
		['an end', 'channel-closed', (wire: Wire) => wire.end()],
		['a broken channel', 'peer-lost', (wire: Wire) => wire.end('peer-lost')],
		['a reason to stop', 'storage-full', (wire: Wire) => wire.say({ type: 'stop', why: 'storage-full' })],
		['a reason that is not known here', 'internal', (wire: Wire) => wire.say({ type: 'stop', why: 'no such code' })]
	] as const)('%s is a refusal', async (_, code, comes) => {
		const { wire, line: at, end } = line();
		comes(wire);
		expect(await end(at.expect('kept'))).toBe(code);
	});

	test('ends when the person stops it', async () => {
		const { line: at, end, stop } = line();
		const awaited = at.expect('kept');
		stop.abort();
		expect(await end(awaited)).toBe('aborted');
	});
});

describe('comparing', () => {
	const tags = { digits: '042137', mine: TAG, theirs: OTHER_TAG };
	const said = { type: 'confirm', tag: TAG };
	const theirs = { type: 'confirm', tag: OTHER_TAG } as const;
	const person = (compare: (digits: string) => Promise<boolean>) => ({ compare, progress: () => undefined });

	test('goes on when both people said yes, whoever is first', async () => {
		const { wire, line: at, end } = line();
		const shown: string[] = [];
		const { promise, resolve } = Promise.withResolvers<boolean>();
		const both = at.confirmed(
			tags,
			person((digits) => (shown.push(digits), promise))
		);
		wire.say(theirs);
		expect([await end(both), shown, wire.did]).toEqual(['open', ['042137'], []]);
		resolve(true);
		expect([await end(both), wire.did]).toEqual(['done', [said]]);
		const second = line();
		const late = second.line.confirmed(
			tags,
			person(async () => true)
		);
		expect([await second.end(late), second.wire.did]).toEqual(['open', [said]]);
		second.wire.say(theirs);
		expect(await second.end(late)).toBe('done');
	});

	test('a no is a no, and says nothing that could be taken for a yes', async () => {
		const { wire, line: at, end } = line();
		wire.say(theirs);
		expect([
			await end(
				at.confirmed(
					tags,
					person(async () => false)
				)
			),
			wire.did
		]).toEqual(['declined', []]);
	});

	test('another confirmation than this agreement’s is none', async () => {
		const { wire, line: at, end } = line();
		wire.say({ type: 'confirm', tag: TAG });
		const yes = person(async () => true);
		expect(await end(at.confirmed(tags, yes))).toBe('not-agreed');
	});

	test('a person has ten minutes, on either side', async () => {
		expect(PERSON_PATIENCE_MS).toBe(600_000);
		const mine = line();
		mine.wire.say(theirs);
		expect(await mine.endsAfter(PERSON_PATIENCE_MS, mine.line.confirmed(tags, person(never)))).toBe('stalled');
		const other = line();
		const yes = person(async () => true);
		expect(await other.endsAfter(PERSON_PATIENCE_MS, other.line.confirmed(tags, yes))).toBe('stalled');
	});
});

describe('ending', () => {
	const stop = (why: Code) => ({ type: 'stop', why });

	test('a conversation gives what it came to, and says nothing of its end', async () => {
		const { wire, line: at, end } = line();
		expect([await end(at.throughout(async () => 7)), wire.did]).toEqual([7, []]);
	});

	test('what ends it early is told to the other side, once', async () => {
		const { wire, line: at, end, clock } = line();
		const refused = at.throughout(() => Promise.reject(new Refusal('not-agreed')));
		expect([await end(refused), wire.did]).toEqual(['not-agreed', [stop('not-agreed'), 'close']]);
		// No time is kept for what was taken at once.
		expect(clock.waiting).toBe(0);
		at.stop('declined');
		await clock.pass(100);
		expect(wire.did).toEqual([stop('not-agreed'), 'close', 'abort']);
	});

	test('who stopped is not told why it stopped', async () => {
		const { wire, line: at, end } = line();
		wire.say({ type: 'stop', why: 'declined' });
		expect([await end(at.throughout(() => at.expect('kept'))), wire.did]).toEqual(['declined', ['abort']]);
	});

	test.each(['channel-closed', 'peer-lost'] as const)(
		'with a broken channel (%s) nobody is left to tell',
		async (code) => {
			const { wire, line: at, end } = line();
			wire.end(code);
			expect([await end(at.throughout(() => at.expect('kept'))), wire.did]).toEqual([code, ['abort']]);
		}
	);

	test('a last word that does not go is left', async () => {
		const { wire, line: at, clock } = line();
		wire.takes = Promise.reject(new Refusal('channel-closed'));
		at.stop('declined');
		await clock.pass(0);
		expect([wire.did, clock.waiting]).toEqual([[stop('declined'), 'abort'], 0]);
	});

	test('a last word that is not taken is left after half a minute', async () => {
		const { wire, line: at, clock } = line();
		wire.takes = never();
		at.stop('declined');
		await clock.pass(MOVE_PATIENCE_MS - 1);
		expect(wire.did).toEqual([stop('declined')]);
		await clock.pass(1);
		expect(wire.did).toEqual([stop('declined'), 'abort']);
	});

	test.each([
		['closes', (wire: Wire) => wire.end(), ['close']],
		['says something more', (wire: Wire) => wire.say(KEPT), ['close']],
		['is lost', (wire: Wire) => wire.end('peer-lost'), ['close', 'abort']]
	])('in good order it waits until the other side %s', async (_, comes, did) => {
		const { wire, line: at, end } = line();
		const ended = at.ended(3_000);
		expect([await end(ended), wire.did]).toEqual(['open', ['close']]);
		comes(wire);
		expect([await end(ended), wire.did]).toEqual(['done', did]);
	});

	test('in good order it does not wait for ever, and says no more afterwards', async () => {
		const { wire, line: at, endsAfter, clock } = line();
		expect(await endsAfter(3_000, at.ended(3_000))).toBe('done');
		expect(wire.did).toEqual(['close', 'abort']);
		at.stop('declined');
		await clock.pass(0);
		expect(wire.said).toEqual([]);
	});
});

/** What an executor has said of a job and its asker has not confirmed: one interval at a time goes out, over whichever channel there is. */
import { expect, it } from 'vitest';
import { Line, type Said } from '#lib/node/line.ts';
import type { Channel } from '#lib/ports/mesh.ts';
import { Refusal } from '#lib/protocol/errors.ts';

const chainAt = (tokens: number) => Uint8Array.of(tokens);
const said = (kind: Said['kind'], tokens: number): Said => ({
	...{ kind, tokens, chain: chainAt(tokens), bytes: new TextEncoder().encode(`${kind} ${tokens}`) }
});
function channel() {
	const sent: string[] = [];
	const state = { broken: false, aborted: false };
	const port = {
		send: async (bytes: Uint8Array) => {
			if (state.broken) throw new Refusal('peer-lost');
			sent.push(new TextDecoder().decode(bytes));
		},
		abort: () => (state.aborted = true)
	} as unknown as Channel;
	return { sent, state, port };
}
function line() {
	const first = channel();
	const made = new Line(first.port, { tokens: 0, chain: chainAt(0) });
	const state = { lost: 0 };
	made.whenLost(() => (state.lost += 1));
	return { made, first, state };
}
const cursor = (tokens: number, checked: number) => ({ tokens, chain: chainAt(tokens), checked });
const interval = async (made: Line, from: number) => {
	for (const each of [said('word', from + 1), said('word', from + 2), said('checkpoint', from + 2)])
		await made.say(each);
};

it('words after a checkpoint wait until it is confirmed, whole intervals in order', async () => {
	const { made, first } = line();
	await interval(made, 0);
	await interval(made, 2);
	await made.say(said('word', 5));
	expect(first.sent).toEqual(['word 1', 'word 2', 'checkpoint 2']);
	made.confirmed(2);
	expect(first.sent.slice(3)).toEqual(['word 3', 'word 4', 'checkpoint 4']);
	made.confirmed(4);
	expect(first.sent.slice(6)).toEqual(['word 5']);
	expect(made.bytes).toBe('word 5'.length);
});

it('the receipt waits for words before it, and for nothing else', async () => {
	const { made, first } = line();
	await interval(made, 0);
	await made.say(said('end', 2));
	expect(first.sent.at(-1)).toBe('end 2');
	const other = line();
	await interval(other.made, 0);
	await other.made.say(said('word', 3));
	await other.made.say(said('end', 3));
	expect(other.first.sent.at(-1)).toBe('checkpoint 2');
	other.made.confirmed(2);
	expect(other.first.sent.slice(-2)).toEqual(['word 3', 'end 3']);
});

it('a channel that takes nothing is told of once it is used, unless another has taken its place', async () => {
	const { made, first, state } = line();
	first.state.broken = true;
	await made.say(said('word', 1));
	expect(state.lost).toBe(1);
	const second = channel();
	const late = made.say(said('word', 2));
	made.take(second.port, Uint8Array.of(33), made.after(cursor(0, 0)));
	await late;
	expect(state.lost).toBe(1);
	expect(first.state.aborted).toBe(true);
	expect(second.sent).toEqual(['!', 'word 1', 'word 2']);
});

it('one that comes back goes on from its cursor, an interval at a time, and confirms first what it has heard', async () => {
	const { made } = line();
	for (const from of [0, 2, 4]) await interval(made, from);
	const again = channel();
	made.take(again.port, Uint8Array.of(33), made.after(cursor(1, 0)));
	expect(again.sent).toEqual(['!', 'word 2', 'checkpoint 2']);
	const third = channel();
	made.take(third.port, Uint8Array.of(33), made.after(cursor(2, 2)));
	expect(third.sent).toEqual(['!']);
	made.confirmed(2);
	expect(third.sent.slice(1)).toEqual(['word 3', 'word 4', 'checkpoint 4']);
	expect(() => made.after(cursor(1, 0))).toThrow('expired');
	expect(() => made.after({ ...cursor(4, 2), chain: chainAt(9) })).toThrow('terms-differ');
});

it('holds what is not confirmed, in bytes, and nothing of a cursor that it never said', async () => {
	const { made } = line();
	expect(made.bytes).toBe(0);
	await interval(made, 0);
	await made.say(said('end', 2));
	expect(made.bytes).toBe('word 1word 2checkpoint 2end 2'.length);
	made.confirmed(1);
	expect(made.bytes).toBe('word 2checkpoint 2end 2'.length);
	made.confirmed(2);
	// The receipt stays: nothing says that it has arrived.
	expect(made.bytes).toBe('end 2'.length);
	made.confirmed(7);
	expect(made.bytes).toBe('end 2'.length);
	expect(made.after(cursor(2, 2)).map(({ kind }) => kind)).toEqual(['end']);
	expect(() => made.after(cursor(7, 7))).toThrow('terms-differ');
	expect(() => made.after(cursor(1, 1))).toThrow('expired');
});

it('a confirmation of less than the checkpoint that was sent lets nothing more out', async () => {
	const { made, first } = line();
	await interval(made, 0);
	await interval(made, 2);
	made.confirmed(1);
	expect(first.sent.at(-1)).toBe('checkpoint 2');
	made.confirmed(3);
	expect(first.sent.slice(3)).toEqual(['word 3', 'word 4', 'checkpoint 4']);
});

it('a cursor is good only with the chain of the words before it, wherever it stands', async () => {
	const { made } = line();
	await interval(made, 0);
	for (const tokens of [0, 1, 2]) {
		expect(() => made.after({ ...cursor(tokens, 0), chain: chainAt(9) })).toThrow('terms-differ');
		expect(made.after(cursor(tokens, 0)).length).toBe([3, 2, 1][tokens]);
	}
	expect(() => made.after({ ...cursor(1, 0), chain: chainAt(2) })).toThrow('terms-differ');
	expect(() => made.after({ ...cursor(2, 0), chain: chainAt(1) })).toThrow('terms-differ');
	made.confirmed(2);
	expect(() => made.after({ ...cursor(2, 2), chain: chainAt(9) })).toThrow('terms-differ');
	expect(made.after(cursor(2, 2))).toEqual([]);
});

it('a checkpoint is said again to one that has read on and not checked it, never one that it has', async () => {
	const { made } = line();
	await interval(made, 0);
	await interval(made, 2);
	const kinds = (tokens: number, checked: number) =>
		made.after(cursor(tokens, checked)).map((each) => `${each.kind} ${each.tokens}`);
	expect(kinds(3, 0)).toEqual(['checkpoint 2', 'word 4', 'checkpoint 4']);
	expect(kinds(3, 2)).toEqual(['word 4', 'checkpoint 4']);
	// One that claims to have checked what it has not read.
	expect(kinds(1, 4)).toEqual(['word 2', 'checkpoint 2', 'word 3', 'word 4', 'checkpoint 4']);
});

it('a break of the channel before is nobody’s loss; of the one now, it is, each time', async () => {
	const { made, first, state } = line();
	const second = channel();
	first.state.broken = true;
	const late = made.say(said('word', 1));
	second.state.broken = true;
	made.take(second.port, Uint8Array.of(33), made.after(cursor(0, 0)));
	await late;
	await new Promise((resolve) => setImmediate(resolve));
	// The first word over it, and its greeting, which is not looked after.
	expect(state.lost).toBe(1);
	await made.say(said('word', 2));
	expect(state.lost).toBe(2);
	const third = channel();
	made.take(third.port, Uint8Array.of(33), made.after(cursor(0, 0)));
	await made.say(said('word', 3));
	expect([third.sent, state.lost]).toEqual([['!', 'word 1', 'word 2', 'word 3'], 2]);
});

it('one that nobody listens to loses its words without a sound', async () => {
	const first = channel();
	first.state.broken = true;
	const made = new Line(first.port, { tokens: 0, chain: chainAt(0) });
	await made.say(said('word', 1));
	expect(made.bytes).toBe('word 1'.length);
});

it('ends the channel that it has now', async () => {
	const ends: string[] = [];
	const port = (name: string) => ({
		...{ peer: name, send: async () => undefined, messages: [] as never },
		...{ close: async () => void ends.push(`close ${name}`), abort: () => void ends.push(`abort ${name}`) }
	});
	const made = new Line(port('a'), { tokens: 0, chain: chainAt(0) });
	await made.close();
	made.take(port('b'), Uint8Array.of(33), []);
	await made.close();
	made.abort();
	expect(ends).toEqual(['close a', 'abort a', 'close b', 'abort b']);
});

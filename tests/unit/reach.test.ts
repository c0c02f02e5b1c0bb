/** A channel to an executor comes in bounded time, and one that comes when nobody waits for it any more is closed. */
import { expect, it } from 'vitest';
import { reach } from '#lib/node/reach.ts';
import { codeOf, Refusal } from '#lib/protocol/errors.ts';
import { square, type Square } from '../doubles/square.ts';

const never = new AbortController().signal;
const reaching = ({ ports, clock }: Square, signal = never) => {
	const state: { code: string | undefined } = { code: undefined };
	const work = reach('lender', ['/first', '/second'], 1_000, ports, signal);
	const end = work.then(
		() => (state.code = 'there'),
		(error: unknown) => (state.code = codeOf(error))
	);
	return { work, state, pass: (ms: number) => clock.pass(ms), end };
};

it('is opened at its addresses, and left alone', async () => {
	const at = await square();
	at.ways.to.set('lender', () => at.clock.sleep(999));
	const { work, pass } = reaching(at);
	expect(await at.clock.until(work)).toBe(at.ways.wire('lender'));
	await pass(5_000);
	expect(at.ways.opened).toMatchObject([{ peer: 'lender', addresses: ['/first', '/second'] }]);
	expect([at.ways.wire('lender').aborted, at.ways.opened[0]?.signal.aborted, at.clock.waiting]).toEqual([0, false, 0]);
});

it('that takes longer is unreachable: it is called off, and closed if it still comes', async () => {
	const at = await square();
	at.ways.to.set('lender', () => at.clock.sleep(1_500));
	const { state, pass } = reaching(at);
	await pass(999);
	expect([state.code, at.ways.opened[0]?.signal.aborted]).toEqual([undefined, false]);
	await pass(1);
	expect([state.code, at.ways.opened[0]?.signal.aborted]).toEqual(['unreachable', true]);
	await pass(500);
	expect(at.ways.wire('lender').aborted).toBe(1);
});

it('that cannot be opened is refused as it was, and nobody calls that unhandled', async () => {
	const at = await square();
	at.ways.to.set('lender', () => Promise.reject(new Refusal('limited-connection')));
	const unhandled: unknown[] = [];
	const hear = (reason: unknown) => unhandled.push(reason);
	process.on('unhandledRejection', hear);
	const { state, pass, end } = reaching(at);
	await at.clock.until(end);
	await pass(2_000);
	process.off('unhandledRejection', hear);
	expect([state.code, unhandled, at.clock.waiting]).toEqual(['limited-connection', [], 0]);
});

it('is called off when its asker stops', async () => {
	const at = await square();
	const stop = new AbortController();
	at.ways.to.set('lender', async () => {
		await new Promise((resolve) => stop.signal.addEventListener('abort', resolve));
		throw new Refusal('aborted');
	});
	const { state, pass } = reaching(at, stop.signal);
	await pass(10);
	stop.abort();
	expect(at.ways.opened[0]?.signal.aborted).toBe(true);
	await pass(0);
	expect(state.code).toBe('aborted');
});

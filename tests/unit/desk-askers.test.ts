/** What the desk tells of a job before it is assigned, and what it remembers of askers: whom it knows, who cost it something for nothing. */
import { describe, expect, it } from 'vitest';
import { KNOWN_LOSS, STRANGER_LOSS, STRANGERS_LOSS } from '#lib/market/askers.ts';
import { MAX_WAIT_MS } from '#lib/market/queue.ts';
import type { Code } from '#lib/protocol/errors.ts';
import { opened, TAKES_MS } from '../doubles/opened-desk.ts';

describe('the outlook', () => {
	const job = { promptTokens: 40, maxTokens: 100 };
	/** Three strangers leave half a minute of engine time each. */
	const wasteAll = ({ enter }: ReturnType<typeof opened>) => {
		const places = ['p', 'q', 'r'].map((peer) => {
			const place = enter(peer, { promptTokens: 800, maxTokens: 1 });
			place.done();
			return place;
		});
		for (const place of places) place.learn({ tokens: 96, acknowledged: false, code: 'peer-lost' });
	};

	it('is what a place would cost in time, and reserves none', () => {
		const { desk, enter } = opened();
		expect(desk.outlook(job)).toEqual({ waitMs: 0 });
		enter('a');
		expect(desk.outlook(job)).toEqual({ waitMs: TAKES_MS });
		enter('b');
		expect(desk.outlook(job)).toEqual({ waitMs: 2 * TAKES_MS });
		expect(desk.load).toEqual({ running: 1, queued: 1 });
		enter('c');
		// Half a minute is the longest that anybody is let wait.
		expect(desk.outlook(job)).toEqual({ retryMs: 3 * TAKES_MS - MAX_WAIT_MS / 2 });
	});

	it('is a time to come back while the strangers have wasted what they may, unless somebody is known', () => {
		const set = opened();
		const { desk, ran } = set;
		wasteAll(set);
		const wasted = 3 * (9_600 + 20_000);
		const pauseMs = (wasted - STRANGERS_LOSS.burst + 1_000) / STRANGERS_LOSS.perMs;
		expect(desk.outlook(job)).toEqual({ retryMs: pauseMs });
		ran('me', {}, { sameAccount: true });
		expect(desk.outlook(job)).toEqual({ retryMs: pauseMs });
	});

	it('of a known one is its own: others may have wasted what they may', () => {
		const set = opened();
		const { desk, ran } = set;
		ran('friend');
		wasteAll(set);
		expect(desk.outlook(job)).toEqual({ waitMs: 0 });
	});

	it('knows what is usual: each answer that ended well is a fifth of it', () => {
		const { desk, enter, ran } = opened();
		const long = { promptTokens: 0, maxTokens: 10_000 };
		const waits = () => {
			const place = enter('somebody', long);
			const told = desk.outlook(job);
			place.done();
			return told;
		};
		// 200 tokens before any answer was seen.
		expect(waits()).toEqual({ waitMs: 20_000 });
		ran('me', { tokens: 100 }, { sameAccount: true });
		expect(waits()).toEqual({ waitMs: 18_000 });
		ran('other', { tokens: 280, acknowledged: false });
		expect(waits()).toEqual({ waitMs: 20_000 });
		ran('me', { tokens: 1, code: 'aborted' }, { sameAccount: true });
		expect(waits()).toEqual({ waitMs: 20_000 });
	});
});

describe('what is remembered of an asker', () => {
	/** Engine ms that 96 unacknowledged tokens and a prompt of 40 cost here. */
	const LOSS_MS = 10_600;
	const LEFT: readonly (Code | undefined)[] = [
		...[undefined, 'no-acknowledgement', 'channel-closed', 'peer-lost', 'wrong-signer', 'terms-differ', 'malformed']
	] as const;

	it.each(LEFT)('that left (%s) pauses until what it cost is forgiven; others do not', (code) => {
		const { refused, ran } = opened();
		ran('p', { code, acknowledged: false, tokens: 500 });
		const pauseMs = Math.ceil((LOSS_MS - STRANGER_LOSS.burst + 1_000) / STRANGER_LOSS.perMs);
		expect(refused('p')).toEqual(['busy', pauseMs]);
		expect(refused('q')).toBe('entered');
		// Own devices are not held up.
		expect(refused('p', { sameAccount: true })).toBe('entered');
	});

	it.each(['aborted', 'engine-failed', 'busy', 'internal'] as const)(
		'that had no part in the end (%s) is not charged',
		(code) => {
			const { refused, ran } = opened();
			ran('p', { code, acknowledged: false });
			expect(refused('p')).toBe('entered');
		}
	);

	it('is what was made for it, 96 tokens at the most', () => {
		const { refused, ran } = opened();
		ran('p', { code: 'peer-lost', acknowledged: false, tokens: 90 });
		expect(refused('p')).toEqual(['busy', Math.ceil((LOSS_MS - 600 - 9_000) / STRANGER_LOSS.perMs)]);
		ran('q', { code: 'peer-lost', acknowledged: false, tokens: 70 });
		expect(refused('q')).toBe('entered');
	});

	it('of an own device is nothing', () => {
		const { refused, ran } = opened();
		ran('me', { code: 'peer-lost', acknowledged: false }, { sameAccount: true });
		ran('me', { acknowledged: true }, { sameAccount: true });
		expect(refused('me')).toBe('entered');
	});

	/** Known nodes may have two that wait, strangers one. */
	const known = ({ enter, refused }: ReturnType<typeof opened>, peer: string) => {
		const places = [enter('running'), enter(peer, { maxTokens: 1 })];
		const second = refused(peer, { maxTokens: 1 });
		for (const place of places.reverse()) place.done();
		return second === 'entered';
	};

	it('makes it known when it signed for all of it, and it may lose more then', () => {
		const set = opened();
		expect(known(set, 'p')).toBe(false);
		set.ran('p');
		expect([known(set, 'p'), known(set, 'q')]).toEqual([true, false]);
		set.ran('p', { code: 'peer-lost', acknowledged: false });
		set.ran('p', { code: 'peer-lost', acknowledged: false });
		expect(known(set, 'p')).toBe(true);
		expect(KNOWN_LOSS.burst).toBeLessThan(3 * LOSS_MS);
		set.ran('p', { code: 'peer-lost', acknowledged: false });
		expect(known(set, 'p')).toBe(false);
	});

	it('makes it known too when it comes back late and signs, except for an own device', () => {
		const set = opened();
		const late = set.ran('p', { acknowledged: false, tokens: 1 });
		expect(known(set, 'p')).toBe(false);
		late.signedLate();
		expect(known(set, 'p')).toBe(true);
		set.ran('me', { acknowledged: false }, { sameAccount: true }).signedLate();
		expect(known(set, 'me')).toBe(false);
	});
});

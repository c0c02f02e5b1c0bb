/** What an originator has heard of one executor: only the correct next frame or checkpoint moves it on; words without a signature are bounded. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { agree, receive, type Transcript } from '#lib/node/transcript.ts';
import type { Checkpoint } from '#lib/protocol/checkpoint.ts';
import { cidOf } from '#lib/protocol/encode.ts';
import { codeOf } from '#lib/protocol/errors.ts';
import { chainNext, chainStart, type Frame } from '#lib/protocol/frame.ts';
import { CHECKPOINT_TOKENS } from '#lib/protocol/limits.ts';

const job = new Uint8Array(16);
const assignment = cidOf(Uint8Array.of(1));
const cid = cidOf(Uint8Array.of(2));

/** After three frames of an answer that went on after ten tokens, checked at twelve. */
const begun: Transcript = {
	...{ job, epoch: 2, assignment, start: 10, maxTokens: 1_000, sequence: 3, position: 14, checked: 12 },
	...{ chain: chainStart(new Uint8Array(1)), lastCheckpoint: undefined }
};
const frame = (of: Transcript, count: number, change: Partial<Frame> = {}): Frame => ({
	...{ type: 'Frame', version: 1, job, epoch: of.epoch, sequence: of.sequence, position: of.position },
	...{ tokens: Array<number>(count).fill(7), text: 'seven' },
	...change
});
const checkpoint = (of: Transcript, change: Partial<Checkpoint> = {}): Checkpoint => ({
	...{ job, epoch: of.epoch, assignment, tokens: of.position, chain: of.chain },
	...(of.lastCheckpoint === undefined ? {} : { previous: of.lastCheckpoint }),
	...{ logitsRoot: new Uint8Array(32), issuedAt: 1_800_000_000_000, extensions: {} },
	...change
});
const refusal = (work: () => unknown) => {
	try {
		work();
		return 'heard';
	} catch (error) {
		return codeOf(error);
	}
};
const hears = (of: Transcript, count: number, change: Partial<Frame> = {}) =>
	refusal(() => receive(of, frame(of, count, change)));
const agrees = (of: Transcript, change: Partial<Checkpoint> = {}) =>
	refusal(() => agree(of, checkpoint(of, change), cid));

describe('a frame', () => {
	it('moves the transcript on by its tokens, and nothing else of it', () => {
		const next = frame(begun, 3);
		expect(receive(begun, next)).toStrictEqual({
			...begun,
			...{ sequence: 4, position: 17, chain: chainNext(begun.chain, next) }
		});
	});

	it('out of its turn is refused', () => {
		for (const change of [{ sequence: 2 }, { sequence: 4 }, { position: 13 }, { position: 15 }])
			expect([change, hears(begun, 1, change)]).toEqual([change, 'out-of-order']);
	});

	it('of another job or another epoch is refused', () => {
		expect(hears(begun, 1, { job: new Uint8Array(16).fill(1) })).toBe('wrong-job');
		expect(hears(begun, 1, { epoch: 1 })).toBe('old-epoch');
		expect(hears(begun, 1, { epoch: 3 })).toBe('terms-differ');
	});

	it('may fill the answer to its last token, and not go beyond', () => {
		const short = { ...begun, maxTokens: 17 };
		expect(hears(short, 3)).toBe('heard');
		expect(hears(short, 4)).toBe('unknown-token');
	});
});

describe('words without a checkpoint', () => {
	function heard(each: number, tokens: number): string {
		let transcript: Transcript = { ...begun, start: 0, sequence: 0, position: 0, checked: 0 };
		return refusal(() => {
			while (transcript.position < tokens) transcript = receive(transcript, frame(transcript, each));
		});
	}

	it.each([1, 2, 16, 64])('%i tokens a frame', (each) => {
		expect(heard(each, 2 * CHECKPOINT_TOKENS)).toBe('heard');
		expect(heard(each, 2 * CHECKPOINT_TOKENS + 1)).toBe('terms-differ');
	});

	it('are counted from the last checkpoint', () => {
		expect(hears(begun, 2 * CHECKPOINT_TOKENS - 2)).toBe('heard');
		expect(hears(begun, 2 * CHECKPOINT_TOKENS - 1)).toBe('terms-differ');
	});
});

describe('a checkpoint', () => {
	it('of all that was heard is agreed with, and the next must name it', () => {
		const agreed = agree(begun, checkpoint(begun), cid);
		expect(agreed).toStrictEqual({ ...begun, checked: 14, lastCheckpoint: cid });
		const next = receive(agreed, frame(agreed, 1));
		expect(agrees(next)).toBe('heard');
		const silent = checkpoint({ ...next, lastCheckpoint: undefined });
		expect(refusal(() => agree(next, silent, cid))).toBe('terms-differ');
		expect(agrees(next, { previous: assignment })).toBe('terms-differ');
		expect(agrees(begun, { previous: cid })).toBe('terms-differ');
	});

	it('of more or fewer tokens, or of nothing new, is refused', () => {
		for (const tokens of [13, 15]) expect(agrees(begun, { tokens })).toBe('out-of-order');
		expect(agrees({ ...begun, checked: 14 })).toBe('out-of-order');
		expect(agrees({ ...begun, checked: 15 })).toBe('out-of-order');
		expect(agrees({ ...begun, checked: 13 })).toBe('heard');
	});

	it('of another run, another assignment or other words is refused', () => {
		expect(agrees(begun, { job: new Uint8Array(16).fill(1) })).toBe('wrong-job');
		expect(agrees(begun, { epoch: 1 })).toBe('old-epoch');
		expect(agrees(begun, { epoch: 3 })).toBe('terms-differ');
		expect(agrees(begun, { assignment: cid })).toBe('terms-differ');
		expect(agrees(begun, { chain: new Uint8Array(32) })).toBe('terms-differ');
	});
});

it('whatever comes in its turn is counted whole, and what is refused leaves no trace', () => {
	fc.assert(
		fc.property(fc.array(fc.tuple(fc.integer({ min: 1, max: 64 }), fc.boolean()), { maxLength: 40 }), (steps) => {
			let transcript = begun;
			for (const [count, checks] of steps) {
				const before = { ...transcript };
				const fits = transcript.position + count <= Math.min(transcript.maxTokens, transcript.checked + 64);
				expect(hears(transcript, count) === 'heard').toBe(fits);
				if (fits) transcript = receive(transcript, frame(transcript, count));
				else expect(transcript).toStrictEqual(before);
				if (fits && checks) transcript = agree(transcript, checkpoint(transcript), cid);
				if (fits) expect(transcript.position).toBe(before.position + count);
			}
		})
	);
});

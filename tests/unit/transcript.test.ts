/** What an originator has heard of one executor: words without a signature are refused past two intervals, however they are cut. */
import { describe, expect, it } from 'vitest';
import { receive, type Transcript } from '#lib/node/transcript.ts';
import { codeOf } from '#lib/protocol/errors.ts';
import { chainStart } from '#lib/protocol/frame.ts';
import { CHECKPOINT_TOKENS } from '#lib/protocol/limits.ts';

const job = new Uint8Array(16);

function heard(each: number, tokens: number): string {
	let transcript = {
		...{ job, epoch: 1, start: 0, maxTokens: 1_000, sequence: 0, position: 0, checked: 0 },
		...{ chain: chainStart(new Uint8Array(1)), lastCheckpoint: undefined }
	} as unknown as Transcript;
	try {
		for (let sequence = 0; transcript.position < tokens; sequence++) {
			const frame = {
				type: 'Frame' as const,
				version: 1,
				job,
				epoch: 1,
				sequence,
				position: transcript.position,
				tokens: Array<number>(each).fill(7),
				text: ''
			};
			transcript = receive(transcript, frame);
		}
		return 'heard';
	} catch (error) {
		return codeOf(error);
	}
}

describe('words without a checkpoint', () => {
	it.each([1, 2, 16, 64])('%i tokens a frame', (each) => {
		expect(heard(each, 2 * CHECKPOINT_TOKENS)).toBe('heard');
		expect(heard(each, 2 * CHECKPOINT_TOKENS + 1)).toBe('terms-differ');
	});
});

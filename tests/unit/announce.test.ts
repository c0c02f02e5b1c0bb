/** What is announced of a wish: its outlines, signed by a key of its own, and never its words; and what no announcement can carry. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { announce, BID_WINDOW_MS, mostPromptTokens } from '#lib/node/announce.ts';
import { jobAnnouncement } from '#lib/protocol/announcement.ts';
import { toHex, utf8 } from '#lib/protocol/encode.ts';
import { open } from '#lib/protocol/envelope.ts';
import { codeOf } from '#lib/protocol/errors.ts';
import { MAX_PROMPT_BYTES, MAX_TURNS } from '#lib/protocol/limits.ts';
import { DEFAULT_POLICY } from '#lib/protocol/policy.ts';
import { ORDINARY_WISH } from '../doubles/node.ts';
import { square } from '../doubles/square.ts';

const turn = (content: string) => ({ role: 'user' as const, content });

describe('the announcement', () => {
	it('holds the bounds of the job and what is public of the policy, under a key made for it', async () => {
		const at = await square();
		const policy = { ...DEFAULT_POLICY, hedge: 1, trust: { who: 'these' as const, accounts: ['did:friend'] } };
		await at.clock.pass(77);
		const wish = { ...ORDINARY_WISH, turns: [turn('twelve bytes')], minTokens: 3, maxTokens: 90, model: 'small' };
		const job = await announce(wish, policy, at.ports);
		expect(at.jobKeys).toEqual([job.key]);
		expect(job.policy).toBe(policy);
		expect(job.id).toHaveLength(16);
		expect(job.hex).toBe(toHex(job.id));
		const { trust: _home, ...shown } = policy;
		expect(job.announcement.body).toStrictEqual({
			...{ job: job.id, model: 'small', promptTokens: 64, minTokens: 3, maxTokens: 90, policy: shown },
			...{ windowMs: BID_WINDOW_MS, issuedAt: at.clock.epoch + 77, extensions: {} }
		});
		const { signer } = await open(jobAnnouncement, job.announcement.bytes, at.seals);
		expect(signer).toEqual(job.key.publicKey);
		const other = await announce(wish, policy, at.ports);
		expect(other.hex).not.toBe(job.hex);
		expect(at.jobKeys).toHaveLength(2);
	});

	it('names no model where any will do', async () => {
		const { announcement } = await (await square()).job({ model: undefined });
		expect('model' in announcement.body).toBe(false);
	});

	it('tells the size of the prompt as a power of two that holds it', async () => {
		const at = await square();
		const bucket = async (bytes: number) =>
			(await at.job({ turns: [turn('x'.repeat(bytes))] })).announcement.body.promptTokens;
		expect([await bucket(32), await bucket(33), await bucket(96), await bucket(97)]).toEqual([64, 128, 128, 256]);
	});

	it('is made for as long a prompt as may leave, and for no longer one', async () => {
		const at = await square();
		const code = (turns: string[]) => at.job({ turns: turns.map(turn) }).then(() => 'fine', codeOf);
		expect(await code(['x'.repeat(MAX_PROMPT_BYTES - 3), 'é', 'y'])).toBe('fine');
		expect(await code(['x'.repeat(MAX_PROMPT_BYTES - 3), 'é', 'yz'])).toBe('prompt-too-long');
		await expect(at.job({ turns: [turn('x'.repeat(MAX_PROMPT_BYTES + 1))] })).rejects.toMatchObject({
			detail: `${MAX_PROMPT_BYTES + 1} bytes`
		});
		const many = Array.from({ length: MAX_TURNS }, () => 'x');
		expect(await code(many)).toBe('fine');
		expect(await code([...many, 'x'])).toBe('prompt-too-long');
	});

	it('is not made of a wish whose least is above its most', async () => {
		const at = await square();
		expect(await at.job({ minTokens: 100, maxTokens: 100 })).toBeDefined();
		await expect(at.job({ minTokens: 101, maxTokens: 100 })).rejects.toMatchObject({
			...{ code: 'malformed', detail: 'minTokens above maxTokens' }
		});
		// Nothing was made for it.
		expect(at.jobKeys).toHaveLength(1);
	});
});

describe('the most tokens of a prompt', () => {
	it('is a byte each, sixteen for every turn and for the frame, and the tokens it goes on from', () => {
		expect(mostPromptTokens({ turns: [], continueFrom: [] })).toBe(16);
		expect(mostPromptTokens({ turns: [turn('é'), turn('abc')], continueFrom: [7, 8] })).toBe(16 + 18 + 19 + 2);
		fc.assert(
			fc.property(fc.array(fc.string({ unit: 'grapheme' })), fc.array(fc.nat()), (contents, continueFrom) => {
				const bytes = contents.map((content) => utf8(content).length);
				const most = mostPromptTokens({ turns: contents.map(turn), continueFrom });
				expect(most).toBe(bytes.reduce((a, b) => a + b, 16 * (contents.length + 1)) + continueFrom.length);
			})
		);
	});
});

/** What a person sees of an answer, and whether it is the one that its receipt says. */
import { expect, type Page } from 'playwright/test';
import { read } from '#lib/protocol/envelope.ts';
import { executionReceipt } from '#lib/protocol/receipt.ts';
import type { Message, ReceiptRecord } from '#lib/ports/store.ts';
import { ortNode } from '../doubles/ort-node.ts';
import { table } from './stage.ts';

/** The messages on the screen. */
export const log = (page: Page) => page.getByRole('log');
/** The newest answer as it is kept. */
export const lastAnswer = async (page: Page) =>
	(await table<Message>(page, 'messages'))
		.filter((message) => message.answer !== undefined)
		.sort((a, b) => a.createdAt - b.createdAt)
		.at(-1);
/** Words on the screen, roughly tokens. */
export const shownTokens = (page: Page) =>
	log(page)
		.innerText()
		.then((text) => text.split(/\s+/).length);

/**
 * The same model in this process, given the receipt's seed and the prompt, must draw the very tokens that were shown: a lost, doubled or
 * changed token, a wrong seed or a wrong position cannot pass.
 */
export async function replays(page: Page, minTokens: number): Promise<void> {
	const answer = await lastAnswer(page);
	if (answer?.answer === undefined) throw new Error('no answer kept');
	const record = (await table<ReceiptRecord>(page, 'receipts')).find((each) => each.cid === answer.answer?.receipt);
	const receipt = read(executionReceipt, Uint8Array.from(Object.values(record?.document ?? {}))).body;
	const messages = (await table<Message>(page, 'messages')).filter((each) => each.conversation === answer.conversation);
	const turns = messages
		.sort((a, b) => a.order - b.order)
		.filter((each) => each.order < answer.order)
		.map((each) => ({ role: each.role, content: each.text }));
	const engine = ortNode({ weights: 'q4' });
	const never = new AbortController().signal;
	await engine.load(() => undefined, never);
	const { seed, sampling } = receipt;
	// Earlier executors of the job hold the rest, and the seed is the first one's.
	const answerTokens = receipt.startPosition + receipt.answerTokens;
	const steps = engine.generate(
		{ turns, continueFrom: [], seed, sampling, minTokens, maxTokens: Math.max(minTokens, answerTokens) },
		never
	);
	const tokens: number[] = [];
	let text = '';
	for await (const step of steps) {
		tokens.push(step.token);
		text += step.text;
	}
	expect(sampling.temperatureMilli).toBe(1000);
	expect(answerTokens).toBeGreaterThanOrEqual(minTokens);
	expect(answer.answer.tokens).toEqual(tokens.slice(0, answerTokens));
	if (tokens.length === answerTokens) expect(answer.text).toBe(text);
}

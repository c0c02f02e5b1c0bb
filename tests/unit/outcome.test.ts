/** The executor's page of one job: every field says what was agreed and what was done, and nothing else. */
import { expect, it } from 'vitest';
import type { Terms } from '#lib/node/deliver.ts';
import { sealReceipt, type Outcome } from '#lib/node/outcome.ts';
import { commit } from '#lib/protocol/assignment.ts';
import { checkpoint } from '#lib/protocol/checkpoint.ts';
import { cidOf } from '#lib/protocol/encode.ts';
import { open, seal } from '#lib/protocol/envelope.ts';
import { policyHash } from '#lib/protocol/policy.ts';
import { executionReceipt } from '#lib/protocol/receipt.ts';
import { executorStage } from '../doubles/executor.ts';

const chain = new Uint8Array(32).fill(3);
const plain: Outcome = {
	...{ tokens: [4, 5, 6], text: 'four five six', chain, last: undefined },
	...{ ending: { status: 'failed', code: 'engine-failed' }, end: undefined },
	...{ startedAt: 1_800_000_000_100, endedAt: 1_800_000_000_900 }
};

async function sealed(
	outcome: Partial<Outcome>,
	change: Parameters<Awaited<ReturnType<typeof executorStage>>['agreed']>[1] = {},
	more: Partial<Terms> = {}
) {
	const stage = await executorStage();
	const terms = await stage.agreed(40, change, more);
	const receipt = await sealReceipt(terms, { ...plain, ...outcome }, stage.ports);
	return { ...stage, terms, receipt, run: terms.assignment.body };
}

it('says what was agreed, by whom it was done, and what came of it', async () => {
	const predecessors = [cidOf(Uint8Array.of(1)), cidOf(Uint8Array.of(2))];
	const end = {
		reason: 'length' as const,
		...{ promptTokens: 17, cachedTokens: 5, droppedTurns: 2, tokens: 3 },
		...{ prefillMs: 12.5, decodeMs: 99.4 }
	};
	const ending = { status: 'success', code: undefined } as const;
	const { receipt, terms, run, identity, seals, job, key } = await sealed(
		{ ending, end },
		{ epoch: 2, continueFrom: [1, 2], predecessors }
	);
	expect(receipt.body).toStrictEqual({
		...{ job, epoch: 2, announcement: terms.announcement.cid, assignment: terms.assignment.cid },
		policy: policyHash(terms.announcement.body.policy),
		...{ executorNode: identity.node.publicKey, executorAccount: identity.accountKey, originator: key.publicKey },
		...{ model: terms.model, sampler: 'fireweed/sampler/1', sampling: run.sampling, seed: terms.seed },
		...{ promptTokens: 17, cachedTokens: 5, droppedTurns: 2, truncation: receipt.body.truncation },
		...{ startPosition: 2, answerTokens: 3, prefillMs: 13, decodeMs: 99 },
		...{ startedAt: plain.startedAt, endedAt: plain.endedAt, pricePer1k: 100_000, price: 2_000, sameAccount: false },
		status: 'success',
		promptCommitment: commit(run.salt, 'prompt', run.turns),
		outputCommitment: commit(run.salt, 'output', { tokens: [4, 5, 6], text: 'four five six' }),
		...{ chain, predecessors, extensions: {} }
	});
	expect(receipt.signer).toEqual(identity.node.publicKey);
	expect(receipt.certificate).toEqual(identity.certificate);
	expect((await open(executionReceipt, receipt.bytes, seals)).cid).toEqual(receipt.cid);
});

it('of an engine that said nothing of its run counts the answer alone', async () => {
	const { receipt } = await sealed({});
	expect(receipt.body).toMatchObject({
		...{ promptTokens: 0, cachedTokens: 0, droppedTurns: 0, prefillMs: 0, decodeMs: 0, answerTokens: 3 },
		...{ price: 300, status: 'failed', code: 'engine-failed', startPosition: 0 }
	});
});

it('names its last checkpoint where there was one', async () => {
	const stage = await executorStage();
	const { job, ports } = stage;
	const words = { job, epoch: 1, assignment: cidOf(Uint8Array.of(3)), tokens: 32, chain, logitsRoot: chain };
	const last = await seal(checkpoint, { ...words, issuedAt: 1, extensions: {} }, ports.identity.node);
	expect((await sealed({ last })).receipt.body.lastCheckpoint).toEqual(last.cid);
	expect((await sealed({})).receipt.body).not.toHaveProperty('lastCheckpoint');
});

it('of a device of the same account costs nothing, and says whose it was', async () => {
	const { receipt } = await sealed({}, {}, { sameAccount: true, pricePer1k: 0 });
	expect(receipt.body).toMatchObject({ sameAccount: true, pricePer1k: 0, price: 0 });
});

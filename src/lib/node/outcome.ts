/** The executor's page of one job: what was asked, what was delivered, what it costs, sealed with its node key. */
import type { GenerateEnd } from '#lib/ports/engine.ts';
import { commit } from '#lib/protocol/assignment.ts';
import type { Checkpoint } from '#lib/protocol/checkpoint.ts';
import { seal, type Signed } from '#lib/protocol/envelope.ts';
import type { Code } from '#lib/protocol/errors.ts';
import { policyHash, priceOf } from '#lib/protocol/policy.ts';
import { billedTokens, executionReceipt, type ExecutionReceipt } from '#lib/protocol/receipt.ts';
import { TRUNCATION } from '#lib/protocol/truncation.ts';
import type { Terms } from './deliver.ts';
import type { ExecutorPorts } from './ports.ts';

/** How a run ended. */
export interface Ending {
	readonly status: ExecutionReceipt['status'];
	readonly code: Code | undefined;
}

/** What a run produced. */
export interface Outcome {
	readonly tokens: readonly number[];
	readonly text: string;
	readonly chain: Uint8Array;
	readonly last: Signed<Checkpoint> | undefined;
	readonly ending: Ending;
	readonly end: GenerateEnd | undefined;
	readonly startedAt: number;
	readonly endedAt: number;
}

/** Signs the receipt of a run; every outcome has one. */
export async function sealReceipt(
	terms: Terms,
	outcome: Outcome,
	ports: ExecutorPorts
): Promise<Signed<ExecutionReceipt>> {
	return seal(executionReceipt, receiptOf(terms, outcome, ports), ports.identity.node, ports.identity.certificate);
}

function receiptOf(terms: Terms, outcome: Outcome, ports: ExecutorPorts): ExecutionReceipt {
	const { assignment, announcement, model, pricePer1k, sameAccount, seed } = terms;
	const run = assignment.body;
	const { end, ending, tokens, text, chain, last } = outcome;
	const counts = { promptTokens: end?.promptTokens ?? 0, answerTokens: tokens.length };
	return {
		job: run.job,
		epoch: run.epoch,
		announcement: announcement.cid,
		assignment: assignment.cid,
		policy: policyHash(announcement.body.policy),
		executorNode: ports.identity.node.publicKey,
		executorAccount: ports.identity.accountKey,
		originator: assignment.signer,
		model,
		sampler: 'fireweed/sampler/1',
		sampling: run.sampling,
		seed,
		...counts,
		cachedTokens: end?.cachedTokens ?? 0,
		droppedTurns: end?.droppedTurns ?? 0,
		truncation: TRUNCATION,
		startPosition: run.continueFrom.length,
		prefillMs: Math.round(end?.prefillMs ?? 0),
		decodeMs: Math.round(end?.decodeMs ?? 0),
		startedAt: outcome.startedAt,
		endedAt: outcome.endedAt,
		pricePer1k,
		price: priceOf(pricePer1k, billedTokens(counts)),
		sameAccount,
		status: ending.status,
		...(ending.code === undefined ? {} : { code: ending.code }),
		promptCommitment: commit(run.salt, 'prompt', run.turns),
		outputCommitment: commit(run.salt, 'output', { tokens, text }),
		chain,
		...(last === undefined ? {} : { lastCheckpoint: last.cid }),
		predecessors: run.predecessors,
		extensions: {}
	};
}

/**
 * ExecutionReceiptV1: one page, two signatures, the same bytes, one CID. Every outcome has one (protocol.md 6).
 *
 * The executor seals, the originator countersigns the same body under another domain tag after checking it against the job's own
 * parameters. Prompt and output stand only as commitments keyed with the job's salt.
 */
import type { CID } from 'multiformats/cid';
import { samplingShape } from './assignment.ts';
import { encodeCanonical, equalBytes } from './encode.ts';
import { kind, type BodyOf } from './envelope.ts';
import { Refusal } from './errors.ts';
import { CLOCK_SKEW_MS, MAX_ANSWER_TOKENS, MAX_PRICE } from './limits.ts';
import { offeredModel, type OfferedModel } from './model.ts';
import { priceOf } from './policy.ts';
import type { Sampling } from './sampler.ts';
import { bytes, extensions, fields, flag, integer, link, list, optional, stamp, text, word } from './shape.ts';
import { TRUNCATION } from './truncation.ts';

const receiptShape = fields({
	job: bytes(16),
	epoch: integer(1, 65_535),
	announcement: link,
	assignment: link,
	policy: bytes(32),
	executorNode: bytes(32),
	executorAccount: bytes(32),
	/** The job's own key; links to no account. */
	originator: bytes(32),
	model: offeredModel,
	sampler: word('fireweed/sampler/1'),
	sampling: samplingShape,
	seed: bytes(32),
	promptTokens: integer(0, 2 ** 31),
	/** Of them, prefilled from an earlier run's cache. */
	cachedTokens: integer(0, 2 ** 31),
	/** Turns left out because they did not fit, and by which rule. */
	droppedTurns: integer(0, 100_000),
	truncation: word(TRUNCATION),
	/** Answer position the run began at; 0 unless it continues another. */
	startPosition: integer(0, MAX_ANSWER_TOKENS),
	/** Tokens this run delivered. */
	answerTokens: integer(0, MAX_ANSWER_TOKENS),
	prefillMs: integer(0, 1_000_000_000),
	decodeMs: integer(0, 1_000_000_000),
	startedAt: stamp,
	endedAt: stamp,
	pricePer1k: integer(0, MAX_PRICE),
	/** Microcredits. */
	price: integer(0, MAX_PRICE),
	sameAccount: flag,
	status: word('success', 'failed', 'cancelled', 'partial'),
	/** With `failed` and `partial`: a code of errors.ts. */
	code: optional(text(40, 1)),
	promptCommitment: bytes(32),
	outputCommitment: bytes(32),
	/** Chain over all frames. */
	chain: bytes(32),
	/** CID of the last checkpoint's body, when there was one. */
	lastCheckpoint: optional(link),
	predecessors: list(link, 16),
	extensions
});

/** A receipt with two models' worth of hashes takes about 1.2 KiB. */
const MAX_RECEIPT = 8 * 1024;

export const executionReceipt = kind('ExecutionReceipt', 1, receiptShape, MAX_RECEIPT);
export type ExecutionReceipt = BodyOf<typeof executionReceipt>;

/** The originator's signature over the same body bytes. */
export const receiptCountersignature = kind('ExecutionReceiptCountersignature', 1, receiptShape, MAX_RECEIPT);

/** ExecutionReceiptAvailableV1: tells the other side where the sealed receipt is; on a job channel it brings the receipt along. */
export const receiptAvailable = kind(
	'ExecutionReceiptAvailable',
	1,
	fields({ job: bytes(16), epoch: integer(1, 65_535), receipt: link, issuedAt: stamp, extensions }),
	512
);
export type ReceiptAvailable = BodyOf<typeof receiptAvailable>;

/** What the originator knows of its own job, from its own messages and the frames it verified. */
export interface JobFacts {
	readonly job: Uint8Array;
	readonly epoch: number;
	readonly announcement: CID;
	readonly assignment: CID;
	readonly policy: Uint8Array;
	readonly executorNode: Uint8Array;
	readonly executorAccount: Uint8Array;
	readonly originator: Uint8Array;
	readonly model: OfferedModel;
	readonly sampling: Sampling;
	readonly seed: Uint8Array;
	readonly startPosition: number;
	readonly answerTokens: number;
	readonly minTokens: number;
	/** No tokenizer in use makes more tokens than this of the prompt. */
	readonly mostPromptTokens: number;
	readonly pricePer1k: number;
	readonly sameAccount: boolean;
	readonly cancelled: boolean;
	readonly promptCommitment: Uint8Array;
	readonly outputCommitment: Uint8Array;
	readonly chain: Uint8Array;
	readonly lastCheckpoint: CID | undefined;
	readonly predecessors: readonly CID[];
	/** Unix ms by the originator's clock. */
	readonly assignedAt: number;
	readonly now: number;
}

/** Tokens that a job with this receipt is paid for. */
export function billedTokens(receipt: Pick<ExecutionReceipt, 'promptTokens' | 'answerTokens'>): number {
	return receipt.promptTokens + receipt.answerTokens;
}

/** Refusal `terms-differ`, naming the field, unless the receipt says what the originator itself saw; only then is it countersigned. */
export function checkReceipt(receipt: ExecutionReceipt, facts: JobFacts): void {
	const differ = (field: string): never => {
		throw new Refusal('terms-differ', `receipt: ${field}`);
	};
	const same = (field: keyof ExecutionReceipt & keyof JobFacts) => {
		if (!equalBytes(encodeCanonical(receipt[field]), encodeCanonical(facts[field]))) differ(field);
	};
	for (const field of SAME_FIELDS) same(field);
	if (receipt.lastCheckpoint?.toString() !== facts.lastCheckpoint?.toString()) differ('lastCheckpoint');
	if (receipt.promptTokens > facts.mostPromptTokens) differ('promptTokens');
	if (receipt.cachedTokens > receipt.promptTokens) differ('cachedTokens');
	if (receipt.price !== priceOf(facts.pricePer1k, billedTokens(receipt))) differ('price');
	if (receipt.status === 'cancelled' && !facts.cancelled) differ('status');
	if (receipt.status === 'success' && receipt.startPosition + receipt.answerTokens < facts.minTokens) differ('status');
	if (receipt.startedAt > receipt.endedAt) differ('startedAt');
	if (receipt.startedAt < facts.assignedAt - CLOCK_SKEW_MS || receipt.endedAt > facts.now + CLOCK_SKEW_MS)
		differ('endedAt');
}

const SAME_FIELDS = [
	'job',
	'epoch',
	'announcement',
	'assignment',
	'policy',
	'executorNode',
	'executorAccount',
	'originator',
	'model',
	'sampling',
	'seed',
	'startPosition',
	'answerTokens',
	'pricePer1k',
	'sameAccount',
	'promptCommitment',
	'outputCommitment',
	'chain',
	'predecessors'
] as const;

/** Steps 8 to 10 at the originator: words are verified and shown, checkpoints acknowledged, the receipt checked and countersigned. */
import { acknowledgement, checkpoint as checkpointKind, type Acknowledgement } from '#lib/protocol/checkpoint.ts';
import { commit, jobCancel } from '#lib/protocol/assignment.ts';
import { decodeCanonical, equalBytes } from '#lib/protocol/encode.ts';
import { open, seal, sealBytes, type Signed } from '#lib/protocol/envelope.ts';
import { codeOf, Refusal, type Code } from '#lib/protocol/errors.ts';
import { chainStart, decodeFrame } from '#lib/protocol/frame.ts';
import { MAX_CHANNEL_MESSAGE } from '#lib/protocol/limits.ts';
import { policyHash } from '#lib/protocol/policy.ts';
import {
	checkReceipt,
	executionReceipt,
	receiptCountersignature,
	type ExecutionReceipt
} from '#lib/protocol/receipt.ts';
import { mostPromptTokens } from './announce.ts';
import type { Wish } from './app.ts';
import type { OriginateEvent } from './events.ts';
import type { HiredJob } from './hire.ts';
import type { NodePorts } from './ports.ts';
import { keepPartial, keepSealed } from './record.ts';
import { agree, receive, type Transcript } from './transcript.ts';

/** Silence that counts as a stall before the first word: prefill of a long prompt on a slow device. */
const FIRST_WORD_MS = 60_000;
/** Silence that counts as a stall between words. The mesh notices a vanished peer long before (docs/spec/mesh.md). */
const NEXT_WORD_MS = 10_000;
/** After a stop, how long the executor has to send its receipt. */
const LAST_WORD_MS = 3_000;

/** Yields `accepted`, `words`, `checkpoint`, and exactly one `finished` or `lost`. Never throws. */
export async function* follow(
	hired: HiredJob,
	wish: Wish,
	ports: NodePorts,
	signal: AbortSignal
): AsyncGenerator<OriginateEvent, void, void> {
	const { job, assignment, channel, inbox } = hired;
	const run = assignment.body;
	const tokens: number[] = [...run.continueFrom];
	let text = '';
	let acknowledged: string | undefined;
	let cancelled = false;
	let transcript: Transcript = {
		job: job.id,
		epoch: run.epoch,
		assignment: assignment.cid,
		start: run.continueFrom.length,
		maxTokens: run.maxTokens,
		sequence: 0,
		position: run.continueFrom.length,
		chain: chainStart(assignment.bodyBytes),
		checked: run.continueFrom.length,
		lastCheckpoint: undefined
	};
	const deadline = hired.assignedAt + job.policy.deadlineMs;
	const stop = () => inbox.put({ type: 'stop' });
	signal.addEventListener('abort', stop, { once: true });
	if (signal.aborted) stop();
	const lost = (code: Code): OriginateEvent => ({
		type: 'lost',
		code,
		tokens: transcript.position - transcript.start,
		receipt: acknowledged
	});
	yield { type: 'accepted' };
	try {
		for (;;) {
			const patience = cancelled ? LAST_WORD_MS : transcript.sequence === 0 ? FIRST_WORD_MS : NEXT_WORD_MS;
			const left = deadline - ports.clock.monotonic();
			const mail = await inbox.take(Math.min(patience, Math.max(0, left)));
			if (mail === undefined) {
				if (cancelled || left > patience) throw new Refusal(cancelled ? 'no-acknowledgement' : 'stalled');
				cancelled = true;
				await cancel(hired, 'deadline', ports);
			} else if (mail.type === 'stop') {
				cancelled = true;
				await cancel(hired, 'stopped', ports);
			} else if (mail.type === 'ended') {
				throw new Refusal(mail.code ?? 'channel-closed');
			} else {
				const type = typeOf(mail.bytes);
				if (type === 'Frame') {
					const frame = decodeFrame(mail.bytes);
					transcript = receive(transcript, frame);
					tokens.push(...frame.tokens);
					text += frame.text;
					yield { type: 'words', text: frame.text, tokens: frame.tokens, position: frame.position };
				} else if (type === checkpointKind.type) {
					const signed = await open(checkpointKind, mail.bytes, ports.crypto);
					fromExecutor(signed, hired);
					transcript = agree(transcript, signed.body, signed.cid);
					const answer = await acknowledge(transcript, signed.cid, hired, ports);
					await channel.send(answer.bytes);
					await keepPartial(
						{ checkpoint: signed, acknowledgement: answer, bid: hired.executor.signed, replaces: acknowledged },
						'originator',
						ports
					);
					acknowledged = signed.cid.toString();
					yield { type: 'checkpoint', tokens: transcript.position, receipt: acknowledged };
				} else if (type === executionReceipt.type) {
					const receipt = await open(executionReceipt, mail.bytes, ports.crypto);
					fromExecutor(receipt, hired);
					checkReceipt(receipt.body, factsOf(hired, wish, transcript, tokens, text, cancelled, ports));
					const countersignature = await sealBytes(receiptCountersignature, receipt.bodyBytes, job.key);
					await channel.send(countersignature.bytes);
					await keepSealed({ receipt, countersignature, replaces: acknowledged }, 'originator', ports);
					await channel.close();
					yield outcome(receipt, lost);
					return;
				}
				// Anything else is of a later version or says nothing the receipt will not say: ignored, never rejected.
			}
		}
	} catch (error) {
		if (codeOf(error) === 'internal') ports.log('follow-failed', { error: String(error) });
		channel.abort();
		yield lost(codeOf(error));
	} finally {
		signal.removeEventListener('abort', stop);
	}
}

/** What the map says it is; `malformed` and friends when it is none. */
function typeOf(bytes: Uint8Array): unknown {
	const value = decodeCanonical(bytes, MAX_CHANNEL_MESSAGE);
	return typeof value === 'object' && value !== null && 'type' in value ? value.type : undefined;
}

function fromExecutor(signed: Signed<unknown>, hired: HiredJob): void {
	if (!equalBytes(signed.signer, hired.executor.signed.signer)) throw new Refusal('wrong-signer');
}

async function acknowledge(
	transcript: Transcript,
	checkpoint: Acknowledgement['checkpoint'],
	hired: HiredJob,
	ports: NodePorts
): Promise<Signed<Acknowledgement>> {
	const body: Acknowledgement = {
		job: transcript.job,
		epoch: transcript.epoch,
		checkpoint,
		tokens: transcript.position,
		chain: transcript.chain,
		issuedAt: ports.clock.now(),
		extensions: {}
	};
	return seal(acknowledgement, body, hired.job.key);
}

async function cancel(hired: HiredJob, reason: 'stopped' | 'deadline', ports: NodePorts): Promise<void> {
	const { job, epoch } = hired.assignment.body;
	const message = await seal(
		jobCancel,
		{ job, epoch, reason, issuedAt: ports.clock.now(), extensions: {} },
		hired.job.key
	);
	await hired.channel.send(message.bytes).catch(() => undefined);
}

function factsOf(
	hired: HiredJob,
	wish: Wish,
	transcript: Transcript,
	tokens: readonly number[],
	text: string,
	cancelled: boolean,
	ports: NodePorts
): Parameters<typeof checkReceipt>[1] {
	const { job, executor, assignment } = hired;
	const run = assignment.body;
	return {
		job: job.id,
		epoch: run.epoch,
		announcement: executor.bid.announcement,
		assignment: assignment.cid,
		policy: policyHash(job.announcement.body.policy),
		executorNode: executor.signed.signer,
		executorAccount: executor.accountKey,
		originator: job.key.publicKey,
		model: executor.bid.model,
		sampling: run.sampling,
		seed: hired.seed,
		startPosition: transcript.start,
		answerTokens: transcript.position - transcript.start,
		minTokens: run.minTokens,
		mostPromptTokens: mostPromptTokens(wish),
		pricePer1k: executor.sameAccount ? 0 : run.pricePer1k,
		sameAccount: executor.sameAccount,
		cancelled,
		promptCommitment: commit(run.salt, 'prompt', run.turns),
		outputCommitment: commit(run.salt, 'output', { tokens: tokens.slice(transcript.start), text }),
		chain: transcript.chain,
		lastCheckpoint: transcript.lastCheckpoint,
		predecessors: run.predecessors,
		assignedAt: run.issuedAt,
		now: ports.clock.now()
	};
}

function outcome(receipt: Signed<ExecutionReceipt>, lost: (code: Code) => OriginateEvent): OriginateEvent {
	const { status, code, answerTokens, decodeMs, price, droppedTurns } = receipt.body;
	if (status === 'failed') return { ...lost(codeOf({ code })), receipt: receipt.cid.toString() } as OriginateEvent;
	return {
		type: 'finished',
		status,
		receipt: receipt.cid.toString(),
		tokens: answerTokens,
		tokensPerSecond: decodeMs > 0 ? (1000 * answerTokens) / decodeMs : 0,
		price,
		droppedTurns
	};
}

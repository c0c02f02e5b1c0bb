/** Steps 8 to 10 at the originator: an answer as it comes in from one executor, until its receipt, or until it is late beyond hope. */
import { arrived, expecting, nextLookMs, punctuality, waited } from '#lib/market/lateness.ts';
import { owedFor, type Part } from '#lib/market/price.ts';
import type { Link } from '#lib/protocol/encode.ts';
import { codeOf, isCode, Refusal, type Code } from '#lib/protocol/errors.ts';
import type { ExecutionReceipt } from '#lib/protocol/receipt.ts';
import type { Signed } from '#lib/protocol/envelope.ts';
import type { OriginateEvent } from './events.ts';
import { Hearing } from './hearing.ts';
import type { HiredJob } from './hire.ts';
import type { NodePorts } from './ports.ts';
import type { Spares } from './spares.ts';

/** After a stop, how long the executor has to send its receipt. */
const LAST_WORD_MS = 3_000;

/** Ends that another executor of the same model would only repeat. */
const HOPELESS: readonly Code[] = ['prompt-too-long'];

/** An executor that did not finish, and what it leaves. */
export interface Left {
	readonly hearing: Hearing;
	readonly code: Code;
	/** Every token shown, those of earlier executors included. */
	readonly shown: readonly number[];
	/** CID of the proof of its part, when there is one. */
	readonly proof: Link | undefined;
	/** What each executor so far can prove, this one included. */
	readonly parts: readonly Part[];
	/** Nothing is left to hand over: the person stopped it, the time is over, or the answer is as long as it may be. */
	readonly over: boolean;
	/** How the job ends when nobody goes on. */
	readonly ending: OriginateEvent;
}

/** Yields `accepted`, `words`, `checkpoint`, and `finished` when it does; else returns what is left. Never throws. */
export async function* follow(
	hired: HiredJob,
	spares: Spares,
	ports: NodePorts,
	signal: AbortSignal
): AsyncGenerator<OriginateEvent, Left | undefined, void> {
	const { inbox, channel, executor, deadlineAt } = hired;
	const hearing = new Hearing(hired, ports);
	const tokensPerSecond = executor.bid.milliTokensPerSecond / 1_000;
	let pace = expecting(firstWordMs(hired, tokensPerSecond), tokensPerSecond);
	const stop = () => inbox.put({ type: 'stop' });
	signal.addEventListener('abort', stop, { once: true });
	if (signal.aborted) stop();
	yield { type: 'accepted' };
	try {
		for (;;) {
			const began = ports.clock.monotonic();
			const asked = hearing.cancelled ? LAST_WORD_MS : Math.max(0, Math.min(nextLookMs(pace), deadlineAt - began));
			const mail = await inbox.take(asked);
			pace = waited(pace, asked, ports.clock.monotonic() - began);
			if (mail?.type === 'ended') throw new Refusal(mail.code ?? 'channel-closed');
			if (mail?.type === 'stop') await hearing.cancel('stopped');
			else if (mail !== undefined) {
				const heard = await hearing.hear(mail.bytes);
				if (heard?.type === 'frame') {
					const { text, tokens, position } = heard.frame;
					pace = arrived(pace);
					yield { type: 'words', text, tokens, position };
				} else if (heard?.type === 'checkpoint') {
					yield { type: 'checkpoint', tokens: hearing.position, receipt: heard.cid.toString() };
				} else if (heard?.type === 'receipt') {
					const { status, code } = heard.receipt.body;
					if (status === 'success' || status === 'cancelled') {
						yield finished(hired, heard.receipt);
						return undefined;
					}
					return leave(hearing, isCode(code) ? code : 'aborted', heard.receipt, ports);
				}
			} else if (hearing.cancelled) throw new Refusal('no-acknowledgement');
			else if (ports.clock.monotonic() >= deadlineAt) await hearing.cancel('deadline');
			else if (punctuality(pace) === 'late') spares.warm([...hired.assignment.body.continueFrom, ...hearing.tokens]);
			else if (punctuality(pace) === 'gone') throw new Refusal('stalled');
		}
	} catch (error) {
		const code = codeOf(error);
		if (code === 'internal') ports.log('follow-failed', { error: String(error) });
		// One that stalls may still seal what it delivered; any other has ended its channel or broken its rules.
		if (code !== 'stalled') channel.abort();
		return leave(hearing, code, undefined, ports);
	} finally {
		signal.removeEventListener('abort', stop);
	}
}

/** Prefill as promised; then the given tokens, which run one by one so that the answer is exact (docs/spec/engine.md). */
function firstWordMs(hired: HiredJob, tokensPerSecond: number): number {
	const given = hired.assignment.body.continueFrom.length;
	return hired.executor.bid.firstTokenMs + (1_000 * given) / Math.max(0.001, tokensPerSecond);
}

function leave(hearing: Hearing, code: Code, receipt: Signed<ExecutionReceipt> | undefined, ports: NodePorts): Left {
	const { hired, acknowledged, tokens } = hearing;
	const run = hired.assignment.body;
	const part: Part = {
		pricePer1k: hired.executor.sameAccount ? 0 : run.pricePer1k,
		startPosition: run.continueFrom.length,
		answerTokens: receipt?.body.answerTokens ?? hearing.acknowledgedTokens,
		price: receipt?.body.price
	};
	const proof = receipt?.cid ?? acknowledged;
	ports.log('executor-lost', { code, epoch: run.epoch, position: hearing.position });
	const lost: OriginateEvent = {
		type: 'lost',
		code,
		tokens: hearing.position - hired.startedFrom,
		receipt: (proof ?? run.predecessors.at(-1))?.toString()
	};
	return {
		hearing,
		code,
		shown: [...run.continueFrom, ...tokens],
		proof,
		parts: [...hired.parts, part],
		over:
			HOPELESS.includes(code) ||
			hearing.cancelled ||
			hearing.position >= run.maxTokens ||
			ports.clock.monotonic() >= hired.deadlineAt,
		ending: receipt?.body.status === 'partial' ? finished(hired, receipt) : lost
	};
}

function finished(hired: HiredJob, receipt: Signed<ExecutionReceipt>): OriginateEvent {
	const { status, promptTokens, startPosition, answerTokens, decodeMs, price, droppedTurns } = receipt.body;
	return {
		type: 'finished',
		// A failed one is told as lost.
		status: status === 'failed' ? 'partial' : status,
		receipt: receipt.cid.toString(),
		tokens: startPosition + answerTokens - hired.startedFrom,
		tokensPerSecond: decodeMs > 0 ? (1000 * answerTokens) / decodeMs : 0,
		price: price + owedFor(hired.parts, Math.max(0, promptTokens - startPosition)),
		droppedTurns
	};
}

/**
 * Everybody who answers a job just now, and what is shown of it: one executor, or by policy (`hedge`) some that stand by. Of several the first valid
 * frame for each position is shown. The first of them leads: it is the one that is named, and when it is lost the one that is furthest leads.
 */
import { gravityOf } from '#lib/market/known.ts';
import type { Part } from '#lib/market/price.ts';
import { owedFor } from '#lib/market/price.ts';
import type { Link } from '#lib/protocol/encode.ts';
import type { Signed } from '#lib/protocol/envelope.ts';
import { isCode, Refusal, type Code } from '#lib/protocol/errors.ts';
import type { ExecutionReceipt } from '#lib/protocol/receipt.ts';
import type { Wish } from './app.ts';
import { whoBid } from './bidding.ts';
import type { OriginateEvent } from './events.ts';
import type { HiredJob } from './hired-job.ts';
import { anyMail, Inbox } from './inbox.ts';
import type { NodePorts } from './ports.ts';
import { Runner } from './runner.ts';
import { release, settle } from './settle.ts';
import type { Spares } from './spares.ts';
import { standBy } from './stand-by.ts';

/** Executors lost in one job before nobody new gets it: each costs its asker the prompt once more. Where three in ten stall, six in a row are one in 1,400. */
export const MAX_LOST = 5;

/** Ends that another executor of the same model would only repeat. */
const HOPELESS: readonly Code[] = ['prompt-too-long'];

/** A race that nobody finished, and what it leaves. */
export interface Left {
	/** The one that was lost last. */
	readonly hired: HiredJob;
	readonly code: Code;
	/** Every token shown, those of earlier executors included. */
	readonly shown: readonly number[];
	/** Its words were those shown, so that another of its class goes on with the words it would have found. */
	readonly agreed: boolean;
	/** CIDs of the proofs of all parts so far. */
	readonly predecessors: readonly Link[];
	/** What each executor so far can prove. */
	readonly parts: readonly Part[];
	/** Nothing is left to hand over: the person stopped it, the time is over, or the answer is as long as it may be. */
	readonly over: boolean;
	/** How the job ends when nobody goes on. */
	readonly ending: OriginateEvent;
}

/** Why a runner is of no more use. */
export interface Loss {
	readonly code: Code;
	/** Countersigned and kept. */
	readonly receipt?: Signed<ExecutionReceipt>;
	/** It told other words than those shown. */
	readonly parted?: boolean;
	/** Our own doing, or our own network: nothing against it. */
	readonly ours?: boolean;
}

export class Race {
	/** The leader first. */
	readonly runners: Runner[];
	readonly #first: HiredJob;
	readonly #wish: Wish;
	readonly #spares: Spares;
	readonly #ports: NodePorts;
	readonly #joined: Inbox<Runner>;
	readonly #ending = new AbortController();
	readonly #signal: AbortSignal;
	readonly #shown: { readonly tokens: number[]; text: string };
	#parts: readonly Part[];
	#predecessors: readonly Link[];
	#joining = false;

	constructor(first: HiredJob, wish: Wish, spares: Spares, ports: NodePorts, signal: AbortSignal) {
		const run = first.assignment.body;
		this.#first = first;
		this.#wish = wish;
		this.#spares = spares;
		this.#ports = ports;
		this.#joined = new Inbox<Runner>(ports.clock);
		const { tokens, text } = first.resumed?.shown ?? { tokens: run.continueFrom, text: '' };
		this.#shown = { tokens: [...tokens], text };
		this.#parts = first.parts;
		this.#predecessors = run.predecessors;
		this.runners = [new Runner(first, 0, ports)];
		this.#signal = AbortSignal.any([signal, this.#ending.signal]);
		signal.addEventListener('abort', this.#stop, { once: true, signal: this.#ending.signal });
		if (signal.aborted) this.#stop();
		this.#ask();
	}

	/** Answer positions shown. */
	get position(): number {
		return this.#shown.tokens.length;
	}

	/** Waits until somebody has said something, or somebody's silence is to be looked at. */
	async wait(): Promise<void> {
		const { clock } = this.#ports;
		const began = clock.monotonic();
		const asked = Math.min(...this.runners.map(({ patienceMs }) => patienceMs));
		await anyMail([this.#joined, ...this.runners.map(({ hired }) => hired.inbox)], asked, clock);
		for (const runner of this.runners) runner.waited(asked, clock.monotonic() - began);
	}

	/** Lets somebody in who stands by now. */
	join(): Runner | undefined {
		const runner = this.#joined.poll();
		if (runner === undefined) return undefined;
		this.runners.push(runner);
		this.#ask();
		return runner;
	}

	/** What the runner's newest words add to those shown, if anything. Refusal `terms-differ`: they are others. */
	show(runner: Runner): (OriginateEvent & { type: 'words' }) | undefined {
		const found = runner.standing(this.#shown);
		if (found.type === 'parted') throw new Refusal('terms-differ', 'other words than those shown');
		if (found.type === 'behind') return undefined;
		const { position } = this;
		this.#shown.tokens.push(...found.tokens);
		this.#shown.text += found.text;
		return { type: 'words', text: found.text, tokens: found.tokens, position };
	}

	/** Nobody else has it, and its only executor is late. */
	warm(): void {
		if (this.runners.length === 1) this.#spares.warm(this.#shown.tokens);
	}

	/** The answer is whole, by this one's receipt. Whoever else is at it is let go, and paid for what it delivered. */
	finish(runner: Runner, receipt: Signed<ExecutionReceipt>): OriginateEvent {
		this.runners.splice(this.runners.indexOf(runner), 1);
		for (const each of [runner, ...this.runners]) this.#praise(each);
		const others = this.runners.map((other) => other.part(other.hearing.tokens.length));
		for (const other of this.runners.splice(0)) release(other, this.#shown, this.#ports);
		return this.#finished(receipt, [...this.#parts, ...others]);
	}

	/** This one is of no more use. Returns what is left when it was the last. */
	lose(runner: Runner, { code, receipt, parted = false, ours = false }: Loss): Left | undefined {
		const { hired, hearing } = runner;
		const { cancelled } = hearing;
		this.runners.splice(this.runners.indexOf(runner), 1);
		// One that stalls may still seal what it delivered; any other has ended its channel or broken its rules.
		if (code === 'stalled') settle(runner, this.#ports);
		else if (receipt === undefined) hired.channel.abort();
		this.#spares.lost(hired);
		if (cancelled) this.#praise(runner);
		// Two who differ: one of them is wrong, and nobody can tell which.
		else if (parted) this.#ports.registry.learn(whoBid(hired.executor), { type: 'broken', gravity: 1 });
		// One whose asker was away, and came back too late, sealed what nobody acknowledged.
		else if (!ours && !(code === 'no-acknowledgement' && hired.resumed !== undefined))
			this.#ports.registry.failed(whoBid(hired.executor), code, 'answering');
		const proof = receipt?.cid ?? hearing.acknowledged;
		const before = this.#predecessors.at(-1);
		const { answerTokens = hearing.acknowledgedTokens, price } = receipt?.body ?? {};
		this.#parts = [...this.#parts, runner.part(answerTokens, price)];
		if (proof !== undefined) this.#predecessors = [...this.#predecessors, proof];
		const { epoch, maxTokens } = hired.assignment.body;
		this.#ports.log('executor-lost', { code, epoch, position: hearing.position });
		// One that accepted while this one's last word was read: it has not been let in yet, and leads now.
		const waiting = this.runners.length === 0 && !cancelled ? this.#joined.poll() : undefined;
		if (waiting !== undefined) this.runners.push(waiting);
		if (this.runners.length > 0) {
			this.runners.sort((a, b) => b.hearing.position - a.hearing.position);
			if (!cancelled) this.#ask();
			return undefined;
		}
		const lost: OriginateEvent = {
			type: 'lost',
			code,
			tokens: this.position - hired.startedFrom,
			receipt: (proof ?? before)?.toString()
		};
		return {
			hired,
			code,
			shown: this.#shown.tokens,
			agreed: !parted,
			predecessors: this.#predecessors,
			parts: this.#parts,
			over:
				HOPELESS.includes(code) ||
				cancelled ||
				this.position >= maxTokens ||
				this.#ports.clock.monotonic() >= hired.deadlineAt,
			ending: receipt?.body.status === 'partial' ? this.#finished(receipt, this.#parts.slice(0, -1)) : lost
		};
	}

	/** Asks nobody else any more, and lets go whoever is still at it. */
	close(): void {
		this.#ending.abort();
		for (let late = this.#joined.poll(); late !== undefined; late = this.#joined.poll()) this.runners.push(late);
		for (const runner of this.runners.splice(0)) release(runner, this.#shown, this.#ports);
	}

	#praise(runner: Runner): void {
		const outcome = runner.kept();
		if (outcome !== undefined) this.#ports.registry.learn(whoBid(runner.hired.executor), outcome);
	}

	readonly #stop = () => {
		for (const { hired } of this.runners) hired.inbox.put({ type: 'stop' });
	};

	/** Has one more stand by, while the policy wants one. One that nobody takes is asked for again when the next is lost. */
	#ask(): void {
		const { hedge } = this.#first.job.policy;
		const lost = this.#parts.length;
		const [leader] = this.runners;
		if (leader === undefined || this.#joining || this.#signal.aborted) return;
		if (lost > MAX_LOST || this.runners.length > hedge) return;
		const { seedFrom, deadlineAt, startedFrom } = leader.hired;
		const [continueFrom, characters] = [[...this.#shown.tokens], this.#shown.text.length];
		const from = { seedFrom, deadlineAt, startedFrom, continueFrom, parts: this.#parts };
		const beginning = { ...from, predecessors: this.#predecessors };
		const running = this.runners.map(({ hired }) => hired);
		this.#joining = true;
		void standBy(running, beginning, this.#wish, this.#spares, this.#ports, this.#signal).then((hired) => {
			this.#joining = false;
			if (hired !== undefined) {
				const runner = new Runner(hired, characters, this.#ports);
				// It accepted while the answer ended.
				if (this.#ending.signal.aborted) release(runner, this.#shown, this.#ports);
				else this.#joined.put(runner);
			}
			// Somebody was lost meanwhile.
			else if (this.#parts.length > lost) this.#ask();
		});
	}

	#finished(receipt: Signed<ExecutionReceipt>, others: readonly Part[]): OriginateEvent {
		const { status, promptTokens, startPosition, answerTokens, decodeMs, price, droppedTurns } = receipt.body;
		return {
			type: 'finished',
			// A failed one is told as lost.
			status: status === 'failed' ? 'partial' : status,
			receipt: receipt.cid.toString(),
			tokens: this.position - this.#first.startedFrom,
			tokensPerSecond: decodeMs > 0 ? (1000 * answerTokens) / decodeMs : 0,
			price: price + owedFor(others, Math.max(0, promptTokens - startPosition)),
			droppedTurns
		};
	}
}

/** What a receipt says of why its executor did not finish. */
export function lossOf(receipt: Signed<ExecutionReceipt>): Loss {
	const { status, code } = receipt.body;
	// It ended where another went on: of one class both would have.
	if (status === 'success') return { code: 'terms-differ', receipt, parted: true };
	// The executor's own word: it may be one that tells the next what to do, but none that makes its leaving off weigh nothing.
	const told = isCode(code) && (HOPELESS.includes(code) || gravityOf(code, 'answering') > 0) ? code : 'aborted';
	return { code: told, receipt };
}

/** One executor in the race for an answer: what it told, how it keeps time, and whether it is still of use. */
import { arrived, expecting, nextLookMs, punctuality, waited, type Punctuality } from '#lib/market/lateness.ts';
import type { Outcome } from '#lib/market/known.ts';
import type { Part } from '#lib/market/price.ts';
import { standing, type Said, type Standing, type Told } from '#lib/market/race.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import { Hearing, type Heard } from './hearing.ts';
import type { HiredJob } from './hired-job.ts';
import type { JobMail } from './inbox.ts';
import type { NodePorts } from './ports.ts';

/** After a stop, how long the executor has to send its receipt. */
const LAST_WORD_MS = 3_000;
/**
 * And how many messages of it are read then. An honest one has one interval of frames under way at the most, for it waits for its
 * acknowledgement (deliver.ts); then comes the receipt.
 */
export const LAST_WORDS = 256;
/** Messages without a word of the answer that are read from one frame to the next. */
const WORDLESS = 256;
/** Tokens after the first frame from which a speed is taken: fewer may have come in one packet. */
const MEASURED_TOKENS = 8;

export class Runner {
	readonly hired: HiredJob;
	readonly hearing: Hearing;
	readonly #after: Told['after'];
	readonly #ports: NodePorts;
	#pace;
	/** Milliseconds waited in vain since it was asked to stop; what it says then without an end to it is no reason to wait longer. */
	#quietMs = 0;
	/** Messages since then. */
	#lastWords = 0;
	/** Messages since its last frame. */
	#wordless = 0;
	/** Its first tokens that were found to be the shown ones. */
	#agreed = 0;
	#parted = false;
	/** When it had accepted, and its first and its newest frame came, monotonic ms; and the tokens of the first. */
	readonly #begunAt: number;
	#first: { readonly at: number; readonly tokens: number } | undefined;
	#newestAt = 0;

	/** `characters` were shown when it was asked to go on after the tokens of its assignment. */
	constructor(hired: HiredJob, characters: number, ports: NodePorts) {
		this.hired = hired;
		this.hearing = new Hearing(hired, ports);
		this.#ports = ports;
		this.#after = { tokens: hired.assignment.body.continueFrom.length, characters };
		const tokensPerSecond = hired.executor.bid.milliTokensPerSecond / 1_000;
		this.#begunAt = ports.clock.monotonic();
		this.#pace = expecting(firstWordMs(hired, tokensPerSecond), tokensPerSecond);
	}

	get punctuality(): Punctuality {
		return punctuality(this.#pace);
	}

	/** It told other words than those shown. */
	get parted(): boolean {
		return this.#parted;
	}

	/** How long it may stay silent before something is to be decided about it, ms. */
	get patienceMs(): number {
		if (this.hearing.cancelled) return Math.max(0, LAST_WORD_MS - this.#quietMs);
		return Math.max(0, Math.min(nextLookMs(this.#pace), this.hired.deadlineAt - this.#ports.clock.monotonic()));
	}

	/** After waiting `tookMs` where `askedMs` was meant, with nothing of it there to read before. */
	waited(askedMs: number, tookMs: number): void {
		this.#pace = waited(this.#pace, askedMs, tookMs);
		if (this.hearing.cancelled) this.#quietMs += Math.max(0, Math.min(askedMs, tookMs));
	}

	/** Takes one item of its inbox, or that there is none. Refusals: the executor is of no use any more, and why. */
	async turn(mail: JobMail | undefined): Promise<Heard | undefined> {
		const { hearing } = this;
		if (mail?.type === 'ended') throw new Refusal(mail.code ?? 'channel-closed');
		if (mail?.type === 'stop') return hearing.cancelled ? undefined : void (await hearing.cancel('stopped'));
		// Looked at whatever comes: one that talks all the time is not asked less than one that is silent.
		const over = this.#ports.clock.monotonic() >= this.hired.deadlineAt;
		if (over && !hearing.cancelled) await hearing.cancel('deadline');
		else if (mail === undefined) this.#silence();
		if (mail === undefined) return undefined;
		if (hearing.cancelled && ++this.#lastWords > LAST_WORDS) throw new Refusal('no-acknowledgement');
		const heard = await hearing.hear(mail.bytes);
		if (heard?.type === 'frame') {
			this.#wordless = 0;
			this.#pace = arrived(this.#pace);
			this.#newestAt = this.#ports.clock.monotonic();
			this.#first ??= { at: this.#newestAt, tokens: heard.frame.tokens.length };
		} else if (heard === undefined && ++this.#wordless > WORDLESS) throw new Refusal('stalled');
		return heard;
	}

	/** What it told, against what is shown. */
	standing(shown: Said): Standing {
		const { tokens, text } = this.hearing;
		const found = standing(shown, { tokens, text, after: this.#after }, this.#agreed);
		this.#agreed = Math.min(tokens.length, shown.tokens.length - this.#after.tokens);
		this.#parted = found.type === 'parted';
		return found;
	}

	/** What it can prove to have done, `answerTokens` of it where no receipt says so. */
	part(answerTokens: number, price?: number): Part {
		const { pricePer1k, continueFrom } = this.hired.assignment.body;
		return {
			pricePer1k: this.hired.executor.sameAccount ? 0 : pricePer1k,
			startPosition: continueFrom.length,
			answerTokens,
			price
		};
	}

	/** What was measured of it, when it did as it should; undefined when it delivered nothing. */
	kept(): Outcome | undefined {
		const { executor, assignment, resumed } = this.hired;
		if (this.#first === undefined) return undefined;
		// What had waited for a page that was away comes as fast as the way is, and says nothing of the engine.
		const seen = resumed === undefined;
		const tokens = this.hearing.tokens.length - this.#first.tokens;
		const ms = this.#newestAt - this.#first.at;
		return {
			type: 'kept',
			model: executor.bid.model.id,
			tokensPerSecond: seen && tokens >= MEASURED_TOKENS && ms > 0 ? (1_000 * tokens) / ms : undefined,
			// Who goes on after others first runs what they said.
			firstMs: !seen || assignment.body.continueFrom.length > 0 ? undefined : this.#first.at - this.#begunAt,
			promised: { tokensPerSecond: executor.bid.milliTokensPerSecond / 1_000 }
		};
	}

	#silence(): void {
		if (this.hearing.cancelled) {
			if (this.#quietMs >= LAST_WORD_MS) throw new Refusal('no-acknowledgement');
		} else if (this.punctuality === 'gone') throw new Refusal('stalled');
	}
}

/** Prefill as promised; then the given tokens, which run one by one so that the answer is exact (docs/spec/engine.md). */
function firstWordMs(hired: HiredJob, tokensPerSecond: number): number {
	const given = hired.assignment.body.continueFrom.length;
	const { firstTokenMs, waitMs = 0 } = hired.executor.bid;
	// Its turn has come: what it was to wait for others is over.
	return firstTokenMs - Math.min(firstTokenMs, waitMs) + (1_000 * given) / Math.max(0.001, tokensPerSecond);
}

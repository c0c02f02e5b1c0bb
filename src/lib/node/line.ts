/**
 * What an executor has said of one job and its asker has not confirmed, and the channel it says it on: the channel may break and another
 * take its place, the words stay until they are confirmed.
 *
 * Bounded by the rule that stops the engine: three intervals without an acknowledgement, and the receipt. One interval at a time is sent: what comes
 * after a checkpoint waits until that is confirmed, so that whoever reads and never confirms has no more than one, also by coming back.
 */
import type { Channel } from '#lib/ports/mesh.ts';
import { equalBytes } from '#lib/protocol/encode.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import type { ReattachJob } from '#lib/protocol/reattach.ts';

/** One message, and where the answer stands once it is read. */
export interface Said {
	/** `word`: a frame, or what stands between frames; `end`: the receipt and what announces it. */
	readonly kind: 'word' | 'checkpoint' | 'end';
	/** Answer position after it. */
	readonly tokens: number;
	/** frame.chainNext over every frame up to there. */
	readonly chain: Uint8Array;
	readonly bytes: Uint8Array;
}

export class Line {
	#channel: Channel;
	/** Where the kept words begin: everything before is confirmed. */
	#base: Pick<Said, 'tokens' | 'chain'>;
	#said: readonly Said[] = [];
	/** Of these, what has not been sent on this channel. */
	#unsent: readonly Said[] = [];
	/** Answer position of the checkpoint that was heard and is not confirmed. */
	#gate: number | undefined;
	#lost: () => void = () => undefined;

	constructor(channel: Channel, base: Pick<Said, 'tokens' | 'chain'>) {
		this.#channel = channel;
		this.#base = base;
	}

	/** Memory held, bytes. */
	get bytes(): number {
		return this.#said.reduce((sum, { bytes }) => sum + bytes.length, 0);
	}

	/** Calls back whenever a word finds the channel broken. */
	whenLost(lost: () => void): void {
		this.#lost = lost;
	}

	/** Keeps it and sends it in its turn, as fast as the other side reads. Never throws. */
	async say(said: Said): Promise<void> {
		this.#said = [...this.#said, said];
		this.#unsent = [...this.#unsent, said];
		await this.#flush();
	}

	/** Everything up to answer position `tokens` has arrived and is kept there. */
	confirmed(tokens: number): void {
		const last = this.#said.findLast((said) => said.tokens === tokens);
		if (last !== undefined) this.#base = last;
		this.#said = this.#said.filter((said) => said.kind === 'end' || said.tokens > tokens);
		if ((this.#gate ?? Infinity) <= tokens) this.#gate = undefined;
		void this.#flush();
	}

	/** What came after the cursor. Refusals: `expired` when it is not kept any more, `terms-differ` when other words stand before it. */
	after({ tokens, chain, checked }: Pick<ReattachJob, 'tokens' | 'chain' | 'checked'>): readonly Said[] {
		if (tokens < this.#base.tokens) throw new Refusal('expired', `position ${tokens}`);
		const marks = [this.#base, ...this.#said];
		if (!marks.some((mark) => mark.tokens === tokens && equalBytes(mark.chain, chain))) {
			throw new Refusal('terms-differ', 'other words before the cursor');
		}
		return this.#said.filter(
			(said) => said.kind === 'end' || said.tokens > (said.kind === 'word' ? tokens : Math.min(checked, tokens))
		);
	}

	/** From now on what is said goes here, after `first` and `missed`; the channel before is of no more use. */
	take(channel: Channel, first: Uint8Array, missed: readonly Said[]): void {
		this.#channel.abort();
		this.#channel = channel;
		// One that it has heard and not confirmed wants its confirmation first.
		this.#gate = this.#said.find((said) => said.kind === 'checkpoint' && !missed.includes(said))?.tokens;
		this.#unsent = missed;
		channel.send(first).catch(() => undefined);
		void this.#flush();
	}

	/** Sends what has its turn. Nothing is awaited between two words: sends keep their order, and the next word comes behind. Never throws. */
	async #flush(): Promise<void> {
		const channel = this.#channel;
		const now: Said[] = [];
		for (const said of this.#unsent) {
			if (this.#gate !== undefined && said.kind !== 'end') break;
			if (said.kind === 'checkpoint') this.#gate = said.tokens;
			now.push(said);
		}
		this.#unsent = this.#unsent.slice(now.length);
		await Promise.all(now.map(({ bytes }) => channel.send(bytes))).catch(() => {
			if (this.#channel === channel) this.#lost();
		});
	}

	/** Ends in good order. */
	async close(): Promise<void> {
		await this.#channel.close();
	}

	abort(): void {
		this.#channel.abort();
	}
}

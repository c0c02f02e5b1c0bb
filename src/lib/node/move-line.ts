/** One channel of a move: whole messages of protocol/move, each within its time, and one word about why it ended. */
import type { Clock } from '#lib/ports/clock.ts';
import type { Channel } from '#lib/ports/mesh.ts';
import { codeOf, Refusal, type Code } from '#lib/protocol/errors.ts';
import { sameTag } from '#lib/protocol/move-agreement.ts';
import {
	decodeMove,
	encodeMove,
	whyStopped,
	type MoveMessage,
	type MoveMessageOf,
	type MoveType
} from '#lib/protocol/move.ts';
import { within } from './inbox.ts';

/** For what the other tab does by itself, ms; the slowest is a message of 256 KiB over a poor line. */
export const MOVE_PATIENCE_MS = 30_000;
/** For what the other side's person does (compare, read, press), ms. */
export const PERSON_PATIENCE_MS = 10 * 60_000;

/** What the story needs of the person at a screen, on either side. */
export interface MovePerson {
	/** Shows six figures and resolves to whether the person says that the other screen has the same. */
	compare(digits: string): Promise<boolean>;
	/** How much of the file has gone or come, in bytes. */
	progress(bytes: number, of: number): void;
}

/** Codes that come from the connection: there is nobody left to tell. */
const BROKEN: ReadonlySet<Code> = new Set(['channel-closed', 'peer-lost']);

export class MoveLine {
	readonly channel: Channel;
	readonly #clock: Clock;
	readonly #signal: AbortSignal;
	readonly #messages: AsyncIterator<Uint8Array>;
	#stopped = false;

	/** `signal`: the person here stops it. */
	constructor(channel: Channel, clock: Clock, signal: AbortSignal) {
		this.channel = channel;
		this.#clock = clock;
		this.#signal = signal;
		this.#messages = channel.messages[Symbol.asyncIterator]();
	}

	/** Refusals: `stalled` when the other side takes nothing, `aborted`, those of the channel. */
	async send(message: MoveMessage): Promise<void> {
		await this.#within(this.channel.send(encodeMove(message)), MOVE_PATIENCE_MS);
	}

	/**
	 * The next message, which must be of that type. Refusals: `stalled` after `patienceMs`, `aborted`, `out-of-order` for another one, the other side's
	 * reason when it stopped, those of `decodeMove` and of the channel.
	 */
	async expect<T extends MoveType>(type: T, patienceMs = MOVE_PATIENCE_MS): Promise<MoveMessageOf<T>> {
		const { done, value } = await this.#within(this.#messages.next(), patienceMs);
		if (done === true) throw new Refusal('channel-closed', 'ended early');
		const message = decodeMove(value);
		if (message.type === 'stop') {
			this.#stopped = true;
			throw new Refusal(whyStopped(message), 'the other side stopped');
		}
		if (message.type !== type) throw new Refusal('out-of-order', `${message.type} for ${type}`);
		return message as MoveMessageOf<T>;
	}

	/** Both people compare, each says so, and neither goes on before the other has. Refusals: `declined`, `not-agreed`, those above. */
	async confirmed(
		{ digits, mine, theirs }: { readonly digits: string; readonly mine: Uint8Array; readonly theirs: Uint8Array },
		person: MovePerson
	): Promise<void> {
		const said = async () => {
			if (!(await this.#within(person.compare(digits), PERSON_PATIENCE_MS))) throw new Refusal('declined');
			await this.send({ type: 'confirm', tag: mine });
		};
		const heard = async () => {
			const { tag } = await this.expect('confirm', PERSON_PATIENCE_MS);
			if (!sameTag(tag, theirs)) throw new Refusal('not-agreed', 'confirm');
		};
		await Promise.all([said(), heard()]);
	}

	/** Runs the conversation. Whatever ends it early is told to the other side, as far as it does not know. */
	async throughout<T>(talk: () => Promise<T>): Promise<T> {
		try {
			return await talk();
		} catch (error) {
			this.stop(codeOf(error));
			throw error;
		}
	}

	/** Ends it and says why. Never throws, never waits. */
	stop(why: Code): void {
		if (this.#stopped) return this.channel.abort();
		this.#stopped = true;
		if (BROKEN.has(why)) return this.channel.abort();
		const over = new AbortController();
		this.channel
			.send(encodeMove({ type: 'stop', why }))
			.then(() => this.channel.close())
			.catch(() => this.channel.abort())
			.finally(() => over.abort());
		// What was not taken by then never will be, and the other side's own patience ends it there.
		this.#clock.sleep(MOVE_PATIENCE_MS, over.signal).then(
			() => this.channel.abort(),
			() => undefined
		);
	}

	/** Says that nothing more comes from here and waits until the other side has said so too, or for so long. Never throws. */
	async ended(patienceMs: number): Promise<void> {
		this.#stopped = true;
		await this.channel.close();
		await this.#within(this.#messages.next(), patienceMs).catch(() => this.channel.abort());
	}

	#within<T>(work: Promise<T>, ms: number): Promise<T> {
		return within(this.#clock, ms, 'stalled', work, this.#signal);
	}
}

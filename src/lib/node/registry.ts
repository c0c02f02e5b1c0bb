/**
 * What this node remembers of executors, and the order it therefore takes their bids in: a thin holder of rows that market/known folds and
 * market/select reads. Kept over reloads; bounded; deleted with everything else.
 */
import { knowledgeOf, provenBy, type Knowledge } from '#lib/market/expect.ts';
import {
	faded,
	gravityOf,
	heardAgain,
	learn,
	tooMany,
	type Known,
	type Outcome,
	type Stage,
	type Who
} from '#lib/market/known.ts';
import { explores, select, type Rank } from '#lib/market/select.ts';
import type { Clock } from '#lib/ports/clock.ts';
import type { Log } from '#lib/ports/log.ts';
import type { Random } from '#lib/ports/random.ts';
import type { Store } from '#lib/ports/store.ts';
import { codeOf, type Code } from '#lib/protocol/errors.ts';

export interface RegistryPorts {
	readonly store: Pick<Store, 'known'>;
	readonly clock: Clock;
	readonly random: Random;
	readonly log: Log;
	/** Whether this node is on the network, as far as it can tell: when it is not, that nobody answers says nothing of anybody. */
	online(): boolean;
}

/** Ends that look the same from a node that has lost its own network. */
const NOBODY_THERE: readonly Code[] = ['unreachable', 'peer-lost', 'channel-closed', 'stalled'];

/** What a job asks of it. */
export interface Choosing {
	readonly rank: Rank;
	/** Whether this job is one in which newcomers go first. */
	explores(): boolean;
	knowledge(): Knowledge;
	/** A number in [0, 1), another each time. */
	chance(): number;
	/** It did well here before, and no worse since. */
	proven(executor: string): boolean;
	/** One try is over; what says nothing about the executor is passed over. */
	learn(who: Who, outcome: Outcome): void;
	/** The same for a try that ended with a code. */
	failed(who: Who, code: Code, stage: Stage): void;
}

export class Registry implements Choosing {
	readonly #ports: RegistryPorts;
	readonly #rows = new Map<string, Known>();
	/** Monotonic ms at which each was heard to offer last. */
	readonly #heardAt = new Map<string, number>();

	constructor(ports: RegistryPorts) {
		this.#ports = ports;
	}

	/** Reads what was kept. What was learnt meanwhile stands. Never throws. */
	async load(): Promise<void> {
		const rows = await this.#ports.store.known.list().catch(() => []);
		for (const row of rows) if (!this.#rows.has(row.id)) this.#rows.set(row.id, row);
	}

	readonly rank: Rank = (heard, announcement, policy, now, explore = false) =>
		select(heard, announcement, policy, now, this.knowledge(), { chance: this.chance, explore });

	explores(): boolean {
		return explores(this.knowledge(), this.chance);
	}

	knowledge(): Knowledge {
		return knowledgeOf(this.#rows.values(), this.#ports.clock.now());
	}

	learn(who: Who, outcome: Outcome): void {
		const row = learn(this.#rows.get(who.id), who, outcome, this.#ports.clock.now());
		this.#rows.set(row.id, row);
		this.#keep(this.#ports.store.known.put(row));
		for (const { id } of tooMany([...this.#rows.values()])) {
			this.#rows.delete(id);
			this.#heardAt.delete(id);
			this.#keep(this.#ports.store.known.delete(id));
		}
	}

	failed(who: Who, code: Code, stage: Stage): void {
		if (NOBODY_THERE.includes(code) && !this.#ports.online()) return;
		const gravity = gravityOf(code, stage);
		if (gravity > 0) this.learn(who, { type: 'broken', gravity });
	}

	/** It was heard to offer. Kept with what is learnt next: a disk has better to do than to count statements. */
	heard(executor: string): void {
		const row = this.#rows.get(executor);
		if (row === undefined) return;
		const now = this.#ports.clock.monotonic();
		this.#rows.set(executor, heardAgain(row, now - (this.#heardAt.get(executor) ?? now)));
		this.#heardAt.set(executor, now);
	}

	proven(executor: string): boolean {
		const row = this.#rows.get(executor);
		return row !== undefined && provenBy(faded(row, this.#ports.clock.now()));
	}

	readonly chance = (): number => {
		const [a = 0, b = 0, c = 0] = this.#ports.random.bytes(3);
		return (a * 65_536 + b * 256 + c) / 2 ** 24;
	};

	#keep(work: Promise<void>): void {
		work.catch((error: unknown) => this.#ports.log('not-kept', { code: codeOf(error) }));
	}
}

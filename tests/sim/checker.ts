/** Watches a run from outside and says where an invariant does not hold. It trusts nothing that a node says of itself. */
import type { ContributeEvent, OriginateEvent } from '#lib/node/events.ts';
import type { GenerateRequest } from '#lib/ports/engine.ts';
import { CHECKPOINT_TOKENS } from '#lib/protocol/limits.ts';
import type { World } from '../doubles/node.ts';
import type { Dossier, Invariant, Run, Violation } from './dossier.ts';
import { segments, shown } from './dossier.ts';
import type { Inhabitant, Witness } from './inhabitant.ts';
import { oneEnd, truthful, wholeAnswer } from './invariants/answer.ts';
import { bounded, nothingHeld, type Peaks } from './invariants/bounds.ts';
import { foundItself } from './invariants/healing.ts';
import { paidOnce } from './invariants/pay.ts';
import { chainOfAsker, chainOfExecutor, held } from './invariants/receipts.ts';
import type { Harm } from './harm.ts';
import { begunBy, FRAME, jobOfFrame, owedBy } from './wire.ts';

/** After an ask is over its executors may still wait for acknowledgements, countersignatures and stalled engines. */
export const AFTERMATH_MS = 40_000;
/** More violations than this say nothing new. */
const MOST_VIOLATIONS = 200;

export class Checker implements Witness {
	readonly violations: Violation[] = [];
	readonly peaks: Peaks = { channels: 0, queued: 0, timers: 0, subscriptions: 0, waiting: 0, bids: 0 };
	/** Refusals that lenders told of, by code. */
	readonly refusals = new Map<string, number>();
	signed = { receipts: 0, acknowledgements: 0 };
	readonly #world: World;
	readonly #harm: Harm;
	readonly #byPeer = new Map<string, Inhabitant>();
	readonly #byPrompt = new Map<string, Dossier>();
	readonly #byJob = new Map<string, Dossier>();
	/** Frames of a job that a node told since its asker signed for any, began, or came back; by node and job. */
	readonly #unsigned = new Map<string, number>();

	constructor(world: World, harm: Harm) {
		this.#world = world;
		this.#harm = harm;
		world.network.tap = (from, to, bytes) => this.#wire(from, to, bytes);
	}

	/** Dossiers that are not closed yet. */
	get open(): readonly Dossier[] {
		return [...this.#byPrompt.values()];
	}

	met(who: Inhabitant): void {
		this.#byPeer.set(who.peer, who);
	}

	asked(dossier: Dossier): void {
		this.#byPrompt.set(dossier.prompt, dossier);
	}

	saw(dossier: Dossier, event: OriginateEvent): void {
		dossier.events.push(event);
		if (event.type !== 'announced' && event.type !== 'asked') return;
		dossier.hex = event.job;
		this.#byJob.set(event.job, dossier);
	}

	ran(by: Inhabitant, request: GenerateRequest, tokens: readonly number[]): void {
		const prompt = request.turns[0]?.content ?? '';
		const run: Run = { by, request, tokens, at: this.#world.clock.monotonic() };
		this.#byPrompt.get(prompt)?.runs.push(run);
	}

	told(by: Inhabitant, event: ContributeEvent): void {
		if (event.type !== 'refused' || !by.honest) return;
		this.refusals.set(event.code, (this.refusals.get(event.code) ?? 0) + 1);
	}

	tried({ plan }: Inhabitant): void {
		if (plan.cheat !== undefined) this.#harm.of(plan.cheat).heldUp++;
	}

	/** Everything that can still come of the job has come: judges it and forgets it. */
	async close(dossier: Dossier, deadlineMs: number, mostPrice: number): Promise<void> {
		const { asker } = dossier;
		const now = this.#world.clock.monotonic();
		const accuse = this.#accuser(dossier.plan.id);
		const byPeer = (peer: string) => this.#byPeer.get(peer);
		// Who closed its tab in the middle sees nothing any more; what it signed stays signed.
		const saw = dossier.endedAt !== undefined;
		if (asker.honest && (saw || asker.here)) oneEnd(dossier, deadlineMs, now, accuse);
		if (asker.honest) {
			wholeAnswer(dossier, byPeer, accuse);
			paidOnce(dossier, mostPrice, accuse);
		}
		if (asker.honest && saw) {
			await this.#opened(dossier, asker, 'originator', accuse, (rows) => chainOfAsker(dossier, rows, accuse));
		}
		const lenders = new Set(dossier.runs.map(({ by }) => by));
		for (const by of lenders) {
			if (!by.honest) continue;
			await this.#opened(dossier, by, 'executor', accuse, (rows) => chainOfExecutor(dossier, by, rows, accuse));
		}
		this.#harm.count(dossier, segments(dossier.events), shown(dossier.events), byPeer);
		for (const who of [asker, ...lenders]) {
			for (const [cid, row] of who.shelves.receipts.rows) {
				if (row.job === dossier.hex) who.shelves.receipts.rows.delete(cid);
			}
			if (dossier.hex !== undefined) who.shelves.jobs.rows.delete(dossier.hex);
		}
		this.#byPrompt.delete(dossier.prompt);
		if (dossier.hex !== undefined) this.#byJob.delete(dossier.hex);
	}

	/** Looks at what every node holds. */
	look(all: Iterable<Inhabitant>): void {
		const accuse = this.#accuser(undefined);
		for (const who of all) if (who.here && !who.clock.frozen) bounded(who, this.peaks, accuse);
	}

	/** Looks whether everybody who lends is known again. */
	healed(all: readonly Inhabitant[]): void {
		foundItself(all, this.#world.clock.monotonic(), this.#accuser(undefined));
	}

	/** A job that was asked when all faults were over. */
	probed({ events, plan }: Dossier): void {
		const end = events.at(-1);
		if (end?.type === 'finished') return;
		const why = end !== undefined && 'code' in end ? `: ${end.code}` : '';
		this.#accuser(plan.id)('finds-itself', `a job asked long after the faults is ${end?.type ?? 'not over'}${why}`);
	}

	/** The last look: every job is over and closed. */
	end(all: Iterable<Inhabitant>): void {
		const accuse = this.#accuser(undefined);
		for (const who of all) {
			if (who.here) nothingHeld(who, accuse);
			if (!who.honest) continue;
			for (const { kind, role } of who.shelves.receipts.rows.values()) {
				accuse('no-unearned', `node ${who.plan.id} keeps a ${kind} as ${role} of a job that it had no part in`);
			}
		}
	}

	async #opened(
		dossier: Dossier,
		by: Inhabitant,
		role: 'originator' | 'executor',
		accuse: (invariant: Invariant, what: string) => void,
		judge: (rows: Awaited<ReturnType<typeof held>>) => void
	): Promise<void> {
		const { seals, clock } = this.#world;
		const rows = await held(dossier, by, role, seals, clock.now()).catch(() => undefined);
		if (rows === undefined) accuse('one-chain', `${role} keeps bytes that are no receipt`);
		else judge(rows);
	}

	#wire(from: string, to: string, bytes: Uint8Array): void {
		if (bytes[0] === FRAME) return this.#told(from, jobOfFrame(bytes));
		const found = owedBy(bytes, to);
		this.#unsigned.delete(`${to} ${found?.job ?? begunBy(bytes)}`);
		if (found === undefined) return;
		if (found.owed.kind === 'receipt') this.signed.receipts++;
		else this.signed.acknowledgements++;
		const dossier = this.#byJob.get(found.job);
		if (dossier?.asker.peer === from) dossier.owed.push(found.owed);
	}

	/** One more frame, which holds one token where its teller is honest. */
	#told(from: string, job: string): void {
		const teller = this.#byPeer.get(from);
		if (teller === undefined || !truthful(teller)) return;
		const count = (this.#unsigned.get(`${from} ${job}`) ?? 0) + 1;
		this.#unsigned.set(`${from} ${job}`, count);
		if (count === CHECKPOINT_TOKENS + 1)
			this.#accuser(undefined)('small-loss', `${count} tokens told, none signed for`);
	}

	#accuser(job: number | undefined): (invariant: Invariant, what: string) => void {
		return (invariant, what) => {
			if (this.violations.length >= MOST_VIOLATIONS) return;
			this.violations.push({ invariant, at: Math.round(this.#world.clock.monotonic()), job, what });
		};
	}
}

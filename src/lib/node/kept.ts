/**
 * The jobs that an executor runs or has just finished, each with a place for its asker to come back to (docs/decisions/reattach.md).
 *
 * How it would be cheated: a stranger asks for somebody's answer; an asker lets answers be kept and never comes; one that comes back again
 * and again to hold memory; a copy of an old request. Only the job's own key opens it, for the channel it names, with a number higher than
 * the last; what is kept is bounded for each peer and for all, and its time runs from the end of the work, whoever comes back.
 */
import type { Channel } from '#lib/ports/mesh.ts';
import { parsePeerId } from '#lib/protocol/did.ts';
import { equalBytes, toHex } from '#lib/protocol/encode.ts';
import { seal, type Signed } from '#lib/protocol/envelope.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import type { ReattachJob } from '#lib/protocol/reattach.ts';
import { jobStatus } from '#lib/protocol/status.ts';
import type { Asker } from './asker.ts';
import type { Terms } from './deliver.ts';
import type { Inbox, JobMail } from './inbox.ts';
import type { Line } from './line.ts';
import type { ExecutorPorts } from './ports.ts';

/** A finished answer whose asker is away is kept this long: a browser that crashed is started again within minutes. */
export const KEPT_MS = 600_000;
/** Finished answers kept for one peer, the newest. */
export const MAX_KEPT_EACH = 4;
/** Finished answers kept in all; beyond it the oldest of whoever has most goes. */
export const MAX_KEPT = 32;
/** Memory of all that is kept, prompts included. */
export const MAX_KEPT_BYTES = 8_388_608;

/** One job and the place of its asker. */
export interface Seat {
	readonly terms: Terms;
	/** Who was assigned from; for the quota, not for the right to come back. */
	readonly peer: string;
	readonly asker: Asker;
	readonly line: Line;
}

interface Place extends Seat {
	attempt: number;
	/** Monotonic ms when its work was over; undefined while it runs. */
	keptSince: number | undefined;
}

export class KeptJobs {
	readonly #ports: ExecutorPorts;
	readonly #places = new Map<string, Place>();

	constructor(ports: ExecutorPorts) {
		this.#ports = ports;
	}

	/** Finished answers that wait for their askers. */
	get waiting(): number {
		return this.#kept().length;
	}

	/** From now on its asker may come back. */
	open(seat: Seat): void {
		this.#places.set(nameOf(seat.terms.assignment.body), { ...seat, attempt: 0, keptSince: undefined });
	}

	/** Nobody comes back to it any more; unless it is kept. */
	close(seat: Seat): void {
		const name = nameOf(seat.terms.assignment.body);
		if (this.#places.get(name)?.keptSince === undefined) this.#places.delete(name);
	}

	/** Keeps a finished job whose asker is away. `settle` is asked whenever it is back and says whether all is done. Returns at once. */
	keep(seat: Seat, settle: () => Promise<boolean>): void {
		const place = this.#places.get(nameOf(seat.terms.assignment.body));
		if (place === undefined) return;
		place.keptSince = this.#ports.clock.monotonic();
		this.#makeRoom(seat.peer);
		void this.#wait(place, settle);
	}

	/**
	 * Gives the job its asker back over a new channel. Refusals: `expired` when there is no such job for this key, or not any more;
	 * `wrong-signer`, `replayed`, `terms-differ`.
	 */
	async reattach(request: Signed<ReattachJob>, channel: Channel, inbox: Inbox<JobMail>): Promise<void> {
		const { body } = request;
		const place = this.#places.get(nameOf(body));
		// One word for everybody who has no business here: whether the job exists is not theirs to know.
		if (place === undefined || !equalBytes(request.signer, place.terms.assignment.signer))
			throw new Refusal('expired', 'no such job');
		if (!body.assignment.equals(place.terms.assignment.cid)) throw new Refusal('terms-differ', 'assignment');
		if (!equalBytes(body.node, parsePeerId(channel.peer))) throw new Refusal('wrong-signer', 'channel');
		if (body.attempt <= place.attempt) throw new Refusal('replayed');
		place.line.after(body);
		place.attempt = body.attempt;
		const { job, epoch } = body;
		const { clock, identity } = this.#ports;
		const state = 'accepted' as const;
		const word = { job, epoch, state, executorNonce: place.terms.nonce, issuedAt: clock.now(), extensions: {} };
		const accepted = await seal(jobStatus, word, identity.node);
		if (this.#places.get(nameOf(body)) !== place) throw new Refusal('expired', 'no such job');
		if (body.attempt !== place.attempt) throw new Refusal('replayed');
		// Looked at again: the engine went on meanwhile.
		place.line.take(channel, accepted.bytes, place.line.after(body));
		void place.asker.attend(inbox);
	}

	/** Ends everything that is kept: this node takes no jobs any more. */
	clear(): void {
		for (const place of this.#kept()) this.#evict(place);
	}

	async #wait(place: Place, settle: () => Promise<boolean>): Promise<void> {
		const { clock } = this.#ports;
		const end = (place.keptSince ?? 0) + KEPT_MS;
		const { asker } = place;
		while (asker.gone === undefined && clock.monotonic() < end) {
			const back = await asker.until(() => asker.away === undefined, end - clock.monotonic());
			if (back && (await settle())) break;
		}
		this.#places.delete(nameOf(place.terms.assignment.body));
		if (asker.countersignature === undefined) this.#evict(place);
	}

	#kept(): Place[] {
		return [...this.#places.values()].filter((place) => place.keptSince !== undefined);
	}

	#evict(place: Place): void {
		this.#places.delete(nameOf(place.terms.assignment.body));
		place.line.abort();
		if (place.asker.gone === undefined) place.asker.dismiss('expired');
	}

	#makeRoom(peer: string): void {
		const of = (who: string) => this.#kept().filter((place) => place.peer === who);
		const oldest = (places: Place[]) =>
			places.reduce<Place | undefined>(
				(first, place) => ((first?.keptSince ?? Infinity) <= (place.keptSince ?? 0) ? first : place),
				undefined
			);
		const bytes = () =>
			this.#kept().reduce((sum, { terms, line }) => sum + terms.assignment.bytes.length + line.bytes, 0);
		for (;;) {
			const kept = this.#kept();
			const greediest = kept.map((place) => of(place.peer)).sort((a, b) => b.length - a.length)[0] ?? [];
			const crowded = kept.length > MAX_KEPT || (bytes() > MAX_KEPT_BYTES && kept.length > 1);
			const goes = of(peer).length > MAX_KEPT_EACH ? oldest(of(peer)) : crowded ? oldest(greediest) : undefined;
			if (goes === undefined) return;
			this.#evict(goes);
		}
	}
}

const nameOf = ({ job, epoch }: { readonly job: Uint8Array; readonly epoch: number }) => `${toHex(job)}:${epoch}`;

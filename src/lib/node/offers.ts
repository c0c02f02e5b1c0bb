/** Who offers which model just now, from the capability statements heard; a statement is forgotten when its time is over. */
import type { Mesh, PeerId } from '#lib/ports/mesh.ts';
import { answersCircleOnly, capabilityAdvertisement } from '#lib/protocol/capability.ts';
import { openCertificate } from '#lib/protocol/certificate.ts';
import { formatDid, formatPeerId } from '#lib/protocol/did.ts';
import { open } from '#lib/protocol/envelope.ts';
import { codeOf, Refusal } from '#lib/protocol/errors.ts';
import { judgeGossip } from '#lib/protocol/gossip.ts';
import type { Offer } from './app.ts';
import type { NodePorts } from './ports.ts';

/** What it needs of a node. */
export interface OffersPorts extends Pick<NodePorts, 'mesh' | 'crypto' | 'clock' | 'identity' | 'log'> {
	/** Whether a lender of that account, which answers people it knows only, may be shown this account; where missing, only one's own. */
	readonly shows?: (account: string) => boolean;
}

interface Heard {
	readonly sequence: number;
	/** Monotonic ms. */
	readonly forgetAt: number;
	readonly offers: readonly Offer[];
}

/** Every contributor has stated its offer within this time (advertise.EVERY_MS and its pause for newcomers), with two seconds to spare. */
const ROUND_MS = 14_000;
/**
 * Part of its time that a statement holds at the least, from when it is heard. What a relay hands a newcomer may be older than what is
 * published, so its age counts; but a signer whose clock is behind ours only looks late, and states anew within this quarter (advertise.ts).
 */
const LEAST_TIME_LEFT = 1 / 4;
/** Nodes remembered; beyond, the one that would be forgotten first makes room. */
const MAX_NODES = 1024;

export class Offers {
	readonly #ports: OffersPorts;
	readonly #heard = new Map<PeerId, Heard>();
	readonly #changed: () => void;
	readonly #stated: (executor: PeerId) => void;
	/** Monotonic ms when listening began. */
	#since: number | undefined;

	/** `stated` is told of every statement that holds. */
	constructor(ports: OffersPorts, changed: () => void, stated: (executor: PeerId) => void = () => undefined) {
		this.#ports = ports;
		this.#changed = changed;
		this.#stated = stated;
	}

	/**
	 * Begins to hear; names who offers to the mesh as a possible neighbour, where it may be asked. `came` is told of every message before it is judged, the
	 * refused ones too, and by whom it came. Returns how to stop.
	 */
	follow(mesh: Mesh, came: (message: Uint8Array, from: PeerId) => void = () => undefined): () => void {
		const { crypto, clock, log } = this.#ports;
		this.#since ??= clock.monotonic();
		return mesh.subscribe(
			'fireweed/1/capabilities',
			(bytes, from) => {
				came(bytes, from);
				return judgeGossip('fireweed/1/capabilities', bytes, crypto, clock.now());
			},
			(bytes) => void this.#hear(bytes).catch((error: unknown) => log('capability-refused', { code: codeOf(error) }))
		);
	}

	/** Offers that still hold and that may be asked for, the fastest first. */
	list(): readonly Offer[] {
		const now = this.#ports.clock.monotonic();
		for (const [peer, heard] of this.#heard) if (heard.forgetAt <= now) this.#heard.delete(peer);
		return [...this.#heard.values()]
			.flatMap((heard) => heard.offers)
			.filter(({ circle, account }) => !circle || this.#shows(account))
			.sort((a, b) => b.tokensPerSecond - a.tokensPerSecond || (a.executor < b.executor ? -1 : 1));
	}

	/**
	 * Executors that offer the model (any, when undefined) to everybody, or undefined until this node has listened for a whole round of statements:
	 * before, those it knows may be only the loudest.
	 */
	offering(model: string | undefined): readonly PeerId[] | undefined {
		if (this.#since === undefined || this.#ports.clock.monotonic() - this.#since < ROUND_MS) return undefined;
		return this.list()
			.filter((offer) => !offer.circle && (model === undefined || offer.model === model))
			.map((offer) => offer.executor);
	}

	#shows(account: string): boolean {
		const { shows, identity } = this.#ports;
		return shows?.(account) ?? account === identity.account;
	}

	/** The peer is gone: what it offered goes with it. */
	forget(peer: PeerId): void {
		if (this.#heard.delete(peer)) this.#changed();
	}

	async #hear(bytes: Uint8Array): Promise<void> {
		const { mesh, crypto, clock, identity } = this.#ports;
		const signed = await open(capabilityAdvertisement, bytes, crypto);
		const { account } = await openCertificate(signed, crypto, clock.now());
		const { models, region, addresses, sequence, issuedAt, ttlMs } = signed.body;
		const executor = formatPeerId(signed.signer);
		// Said again by somebody else: nobody hires itself.
		if (executor === mesh.self) return;
		if (sequence <= (this.#heard.get(executor)?.sequence ?? -1)) throw new Refusal('out-of-order', 'capability');
		const did = formatDid(account);
		const offers = models.map(({ model, milliTokensPerSecond, pricePer1k }) => ({
			executor,
			account: did,
			region,
			model: model.id,
			modelName: model.name,
			tokensPerSecond: milliTokensPerSecond / 1000,
			pricePer1k: did === identity.account ? 0 : pricePer1k,
			free: did === identity.account,
			circle: answersCircleOnly(signed.body),
			addresses,
			heardAt: clock.now()
		}));
		const holdsMs = Math.max(ttlMs - Math.max(0, clock.now() - issuedAt), ttlMs * LEAST_TIME_LEFT);
		this.#heard.set(executor, { sequence, forgetAt: clock.monotonic() + holdsMs, offers });
		if (this.#heard.size > MAX_NODES) {
			const soonest = [...this.#heard].reduce((a, b) => (b[1].forgetAt < a[1].forgetAt ? b : a));
			this.#heard.delete(soonest[0]);
		}
		// To dial a lender that answers people it knows only would show an address to whoever states that.
		if (!answersCircleOnly(signed.body) || this.#shows(did)) mesh.suggest(executor, addresses);
		this.#stated(executor);
		this.#changed();
	}
}

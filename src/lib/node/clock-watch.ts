/**
 * Remembers what the statements of others say of this device's clock, those that are refused for their time among them: once they are
 * refused nobody else looks at them (docs/decisions/wrong-clock.md).
 */
import { readyInMs, spend, type Allowance, type Pace } from '#lib/market/allowance.ts';
import type { Clock } from '#lib/ports/clock.ts';
import type { Crypto } from '#lib/ports/crypto.ts';
import type { PeerId } from '#lib/ports/mesh.ts';
import { capabilityAdvertisement } from '#lib/protocol/capability.ts';
import { nodeCertificate, openCertificate } from '#lib/protocol/certificate.ts';
import { formatDid } from '#lib/protocol/did.ts';
import { open, read } from '#lib/protocol/envelope.ts';
import { clockError } from './clock-error.ts';

/** What it needs of a node; `own` is the account here, whose other tabs have the same clock and prove nothing. */
export interface ClockWatchPorts {
	readonly crypto: Crypto;
	readonly clock: Pick<Clock, 'now' | 'monotonic'>;
	readonly own: string;
}

/** Times signed by one account, as one neighbour handed them on. */
interface Times {
	readonly firstAt: number;
	readonly lastAt: number;
	/** Signed time less this device's monotonic one, so that setting the clock right is noticed at once. */
	readonly lead: number;
}

/** An account counts after two statements this far apart, ms: what waited while this tab slept comes all at once, and old. */
export const STEADY_MS = 5_000;
/** Two statements whose times are further off the pace of our monotonic clock than this, ms, are not of one running clock. */
const UNSTEADY_MS = 30_000;
/** An account not heard of for this long, ms, is forgotten: a contributor's statement comes every 12 s, a throttled tab's every minute. */
export const FORGET_MS = 180_000;
/** A step between wall time and monotonic time beyond this, ms, is a clock that was set or a device that slept: what was noted before is void. */
const STEP_MS = 10_000;
/** Neighbours, and accounts of each, that are remembered. */
export const MAX_NEIGHBOURS = 16;
export const MAX_ACCOUNTS = 32;
/** Signatures checked for this, two a statement. Gossip has been judged besides, so a flood costs no more than a few of these. */
const LOOKS: Pace = { burst: 64, perMs: 0.01 };

export class ClockWatch {
	readonly #ports: ClockWatchPorts;
	readonly #heard = new Map<PeerId, Map<string, Times>>();
	#looks: Allowance | undefined;
	#base: number;

	constructor(ports: ClockWatchPorts) {
		this.#ports = ports;
		this.#base = ports.clock.now() - ports.clock.monotonic();
	}

	/** Notes a capability statement, refused or not, that `from` handed on. Never throws. */
	async hear(message: Uint8Array, from: PeerId): Promise<void> {
		try {
			await this.#note(message, from);
		} catch {
			// What is no statement says nothing of the time either.
		}
	}

	/** By how many ms this clock is ahead (negative: behind), as far as others bear it out; undefined while nothing is known against it. */
	error(): number | undefined {
		const { clock } = this.#ports;
		this.#forget();
		const [now, monotonic] = [clock.now(), clock.monotonic()];
		return clockError(
			[...this.#heard].flatMap(([from, accounts]) =>
				[...accounts]
					.filter(([, { firstAt, lastAt }]) => lastAt - firstAt >= STEADY_MS)
					.map(([account, { lead }]) => ({ account, from, aheadMs: now - monotonic - lead }))
			)
		);
	}

	async #note(message: Uint8Array, from: PeerId): Promise<void> {
		const { crypto, clock, own } = this.#ports;
		this.#forget();
		const at = clock.monotonic();
		// Cheaply first: what there is no room for is not worth its signatures.
		const claimed = read(capabilityAdvertisement, message);
		if (claimed.certificate === undefined) return;
		const account = formatDid(read(nodeCertificate, claimed.certificate).body.account);
		if (account === own || !this.#hasRoom(from, account)) return;
		const known = this.#heard.get(from)?.get(account);
		if (known !== undefined && at - known.lastAt < STEADY_MS) return;
		if (readyInMs(this.#looks, LOOKS, 1, at) > 0) return;
		this.#looks = spend(this.#looks, LOOKS, 1, at);
		const signed = await open(capabilityAdvertisement, message, crypto);
		// By its own time: by ours it may have run out or not begun.
		await openCertificate(signed, crypto, signed.body.issuedAt);
		if (!this.#hasRoom(from, account)) return;
		const lead = signed.body.issuedAt - at;
		const runs = known !== undefined && Math.abs(lead - known.lead) <= UNSTEADY_MS;
		const accounts = this.#heard.get(from) ?? new Map<string, Times>();
		this.#heard.set(from, accounts.set(account, { firstAt: runs ? known.firstAt : at, lastAt: at, lead }));
	}

	/** Room is made by time alone: a crowd of new names does not push out those who are known. */
	#hasRoom(from: PeerId, account: string): boolean {
		const accounts = this.#heard.get(from);
		if (accounts === undefined) return this.#heard.size < MAX_NEIGHBOURS;
		return accounts.has(account) || accounts.size < MAX_ACCOUNTS;
	}

	#forget(): void {
		const { clock } = this.#ports;
		const at = clock.monotonic();
		const base = clock.now() - at;
		if (Math.abs(base - this.#base) > STEP_MS) this.#heard.clear();
		this.#base = base;
		for (const [from, accounts] of this.#heard) {
			for (const [account, { lastAt }] of accounts) if (at - lastAt > FORGET_MS) accounts.delete(account);
			if (accounts.size === 0) this.#heard.delete(from);
		}
	}
}

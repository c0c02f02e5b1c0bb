/**
 * Which accounts have ended, as far as this node has heard, and what follows: a certificate by an ended key is worth nothing, so its nodes can
 * neither offer nor bid nor be kin. Whoever meets such a node repeats the statement, so that it reaches those who were not there.
 */
import type { Clock } from '#lib/ports/clock.ts';
import type { Crypto } from '#lib/ports/crypto.ts';
import type { EndableKeys } from '#lib/ports/keys.ts';
import type { Log } from '#lib/ports/log.ts';
import type { Mesh } from '#lib/ports/mesh.ts';
import {
	fateOf,
	note,
	openAccountEnd,
	type AccountBook,
	type AccountEnd,
	type AccountFate
} from '#lib/protocol/account-end.ts';
import { nodeCertificate } from '#lib/protocol/certificate.ts';
import { equalBytes, toHex } from '#lib/protocol/encode.ts';
import { preimage } from '#lib/protocol/envelope.ts';
import { codeOf } from '#lib/protocol/errors.ts';
import { judgeGossip } from '#lib/protocol/gossip.ts';

const TOPIC = 'fireweed/1/accounts';
/** The same statement is repeated at most this often, in ms: a hundred nodes that meet one thief would otherwise all shout at once, and again. */
export const REPEAT_MS = 10 * 60_000;

export interface AccountsPorts {
	readonly keys: Pick<EndableKeys, 'ends' | 'keepEnd'>;
	readonly crypto: Crypto;
	readonly clock: Clock;
	readonly log: Log;
}

export class Accounts {
	readonly #ports: AccountsPorts;
	readonly #changed: (account: Uint8Array) => void;
	readonly #repeated = new Map<string, number>();
	#book: AccountBook = new Map();
	#own: AccountEnd[] = [];
	#mesh: Mesh | undefined;

	/** `changed` hears of every account of which something new was heard. */
	constructor(ports: AccountsPorts, changed: (account: Uint8Array) => void) {
		this.#ports = ports;
		this.#changed = changed;
	}

	/** Reads what was kept. What cannot be read any more is left out. */
	async load(): Promise<void> {
		for (const { bytes, own } of await this.#ports.keys.ends().catch(() => [])) {
			const end = await openAccountEnd(bytes, this.#ports.crypto).catch(() => undefined);
			if (end === undefined) continue;
			this.#book = note(this.#book, end);
			if (own) this.#own.push(end);
		}
	}

	/** Begins to hear and says what is its own. Returns how to stop. */
	follow(mesh: Mesh): () => void {
		this.#mesh = mesh;
		const { crypto, clock, log } = this.#ports;
		const stop = mesh.subscribe(
			TOPIC,
			(bytes) => judgeGossip(TOPIC, bytes, crypto, clock.now()),
			(bytes) =>
				void this.#hear(bytes, false).catch((error: unknown) => log('account-end-refused', { code: codeOf(error) }))
		);
		const stopObserving = mesh.observe((event) => {
			// Before the first of them nobody would have heard it.
			if (event.type === 'peer-up' || event.type === 'relay-up') for (const end of this.#own) this.#repeat(end);
		});
		return () => {
			stop();
			stopObserving();
			this.#mesh = undefined;
		};
	}

	/** Takes in a statement of this device's own, keeps it and says it. Refusals of `openAccountEnd`; of storage, after it was said. */
	async say(bytes: Uint8Array): Promise<void> {
		const end = await openAccountEnd(bytes, this.#ports.crypto);
		this.#own.push(end);
		this.#repeat(end);
		await this.#hear(bytes, true);
	}

	fate(account: Uint8Array): AccountFate {
		return fateOf(this.#book, account);
	}

	/**
	 * The same signature checks, except that an ended account certifies nobody any more. For everything that concerns the present; a receipt of
	 * yesterday stays what it was and is checked without this.
	 */
	guard(): Crypto {
		const { crypto } = this.#ports;
		const certifies = preimage(nodeCertificate.type, nodeCertificate.version, new Uint8Array());
		return {
			verify: async (publicKey, signed, signature) => {
				if (equalBytes(signed.subarray(0, certifies.length), certifies) && this.fate(publicKey).state !== 'valid') {
					for (const end of this.#book.get(toHex(publicKey)) ?? []) this.#repeat(end);
					return false;
				}
				return crypto.verify(publicKey, signed, signature);
			}
		};
	}

	async #hear(bytes: Uint8Array, own: boolean): Promise<void> {
		const end = await openAccountEnd(bytes, this.#ports.crypto);
		const book = note(this.#book, end);
		if (book === this.#book) return;
		this.#book = book;
		this.#changed(end.account);
		await this.#ports.keys.keepEnd({ bytes, own });
	}

	#repeat(end: AccountEnd): void {
		const mesh = this.#mesh;
		const name = toHex(end.bytes.subarray(-64)) + toHex(end.account);
		const now = this.#ports.clock.monotonic();
		if (mesh === undefined || now - (this.#repeated.get(name) ?? -REPEAT_MS) < REPEAT_MS) return;
		// Nobody there yet: the next who comes up is told.
		if (mesh.peers().length === 0) return;
		this.#repeated.set(name, now);
		void mesh.publish(TOPIC, end.bytes).catch(() => this.#repeated.delete(name));
	}
}

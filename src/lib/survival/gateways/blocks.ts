/**
 * One block from any of several gateways, checked against its name. A gateway that lies costs one retry and is not asked again; one that is
 * dead or slow is passed over and comes last from then on.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import type { CID } from 'multiformats/cid';
import { equalBytes } from '#lib/protocol/encode.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import { PATIENCE_MS, patience, type Patience } from './patience.ts';

/** Largest block: the profile cuts at 1 MiB, gateways allow 2. */
export const MAX_BLOCK = 2 * 1024 * 1024;
const SHA2_256 = 0x12;

/**
 * How a gateway is asked. `path`: `https://gateway.example` (then `/ipfs/<cid>`); `subdomain`: `https://gateway.example`, whose blocks lie at
 * `https://<cid>.ipfs.gateway.example/`.
 */
export interface Gateway {
	readonly kind: 'path' | 'subdomain';
	readonly base: string;
}

/** Blocks kept from earlier, so that what was broken off goes on. They are checked again when read. */
export interface Shelf {
	get(cid: string): Promise<Uint8Array | undefined>;
	put(cid: string, block: Uint8Array): Promise<void>;
}

export interface BlocksInit {
	readonly gateways: readonly Gateway[];
	readonly fetch: (address: string, init: RequestInit) => Promise<Response>;
	readonly shelf?: Shelf;
	/** ms without a byte after which a gateway is passed over. Not for a whole block: a slow line needs a minute for one. */
	readonly patienceMs?: number;
}

/** The address of a raw block. Refusal `malformed` for a base that is no http address. */
export function blockAddress({ kind, base }: Gateway, cid: CID): string {
	if (!URL.canParse(base) || !/^https?:$/.test(new URL(base).protocol))
		throw new Refusal('malformed', 'address of a gateway');
	const url = new URL(base);
	if (kind === 'subdomain') return `${url.protocol}//${cid.toString()}.ipfs.${url.host}/?format=raw`;
	return `${url.origin}${url.pathname.replace(/\/$/, '')}/ipfs/${cid.toString()}?format=raw`;
}

export class Blocks {
	readonly #init: BlocksInit;
	#order: Gateway[];
	/** Gateways that sent other bytes than asked for. */
	readonly liars = new Set<Gateway>();

	constructor(init: BlocksInit) {
		this.#init = init;
		this.#order = [...init.gateways];
	}

	/** The block. Refusals: `weights-corrupt` when all who answered lied, `unreachable` when none answered, `aborted`, `malformed`. */
	async get(cid: CID, signal: AbortSignal): Promise<Uint8Array> {
		if (cid.multihash.code !== SHA2_256) throw new Refusal('malformed', 'not SHA-256');
		const name = cid.toString();
		const held = await this.#init.shelf?.get(name);
		if (held !== undefined && isBlock(cid, held)) return held;
		let lied = false;
		for (const gateway of [...this.#order]) {
			if (this.liars.has(gateway)) {
				lied = true;
				continue;
			}
			if (signal.aborted) throw new Refusal('aborted');
			const block = await this.#ask(gateway, cid, lied, signal).catch(() => undefined);
			if (signal.aborted) throw new Refusal('aborted');
			if (block === undefined) {
				this.#order = [...this.#order.filter((other) => other !== gateway), gateway];
			} else if (isBlock(cid, block)) {
				await this.#init.shelf?.put(name, block).catch(() => undefined);
				return block;
			} else {
				lied = true;
				this.liars.add(gateway);
			}
		}
		throw new Refusal(lied ? 'weights-corrupt' : 'unreachable', name);
	}

	async #ask(gateway: Gateway, cid: CID, again: boolean, signal: AbortSignal): Promise<Uint8Array> {
		const waiting = patience(this.#init.patienceMs ?? PATIENCE_MS, signal);
		try {
			const asked = this.#init.fetch(blockAddress(gateway, cid), {
				headers: { accept: 'application/vnd.ipld.raw' },
				credentials: 'omit',
				referrerPolicy: 'no-referrer',
				// A wrong answer that called itself immutable would stay in the HTTP cache.
				cache: again ? 'reload' : 'default',
				signal: waiting.signal
			});
			const answer = await waiting.piece(asked);
			if (!answer.ok || answer.body === null) throw new Refusal('unreachable', String(answer.status));
			return await bounded(answer.body, waiting);
		} finally {
			waiting.end();
		}
	}
}

function isBlock(cid: CID, bytes: Uint8Array): boolean {
	return equalBytes(sha256(bytes), cid.multihash.digest);
}

/** Endless data ends here. */
async function bounded(body: ReadableStream<Uint8Array>, waiting: Patience): Promise<Uint8Array> {
	const pieces: Uint8Array[] = [];
	let length = 0;
	const reader = body.getReader();
	const next = () => waiting.piece(reader.read());
	for (let { done, value } = await next(); !done; { done, value } = await next()) {
		const piece = value ?? new Uint8Array();
		length += piece.length;
		if (length > MAX_BLOCK) {
			await reader.cancel();
			throw new Refusal('oversized');
		}
		pieces.push(piece);
	}
	const whole = new Uint8Array(length);
	let at = 0;
	for (const piece of pieces) {
		whole.set(piece, at);
		at += piece.length;
	}
	return whole;
}

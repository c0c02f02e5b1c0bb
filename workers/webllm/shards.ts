/**
 * A model's files, each verified at the moment it is handed out. Nothing leaves this file that was not hashed after its last stay in a
 * place that others can write. A file that fails is dropped and the next mirror asked; nothing that failed stays kept.
 */
import { Refusal } from '#lib/protocol/errors.ts';
import type { RecordedFile } from '../messages.ts';
import { digest, toHex } from '../cpu/digest.ts';
import { Broken, download } from './download.ts';
import { PIECE_BYTES, type Ledger, type Shelf } from './shelf.ts';

/** Attempts at one address: the second goes on after a cut, or begins anew after wrong bytes. */
const ATTEMPTS = 2;

/** One file to have. */
export interface Wanted {
	/** Its name in the ledger and on the shelf. */
	readonly name: string;
	readonly addresses: readonly string[];
	/** Its length as far as the model says; the ledger's, where it stands there, decides. */
	readonly bytes: number | undefined;
	/** Bound for a file of unknown length. */
	readonly most: number;
}

export interface FilesComponents {
	readonly shelf: Shelf;
	readonly ledger: Ledger;
	/** Whether the ledger was recorded beforehand: then a file that does not stand in it is refused. */
	readonly recorded: boolean;
	/** The browser's own; the worker's name is closed later. */
	readonly fetch: typeof globalThis.fetch;
	readonly stallMs: number;
	/** Bytes of a file that are here; told again and again while it comes. */
	onBytes(name: string, bytes: number): void;
}

export interface Files {
	/** Whether a copy is kept; it is hashed when it is taken. */
	kept(wanted: Wanted): Promise<boolean>;
	/**
	 * The verified bytes: kept ones, else fetched and kept. Refusals: `weights-corrupt` when only wrong bytes can be had,
	 * `engine-load-failed` when none can, `storage-full`, `storage-unavailable`, `model-unsupported` for a file that is in no list.
	 */
	take(wanted: Wanted): Promise<Uint8Array<ArrayBuffer>>;
}

/** The files of one model. */
export function openFiles(components: FilesComponents): Files {
	const { shelf, ledger, recorded, onBytes } = components;

	function expected({ name, bytes }: Wanted): RecordedFile | undefined {
		const file = ledger.get(name);
		if (file === undefined && recorded) throw new Refusal('model-unsupported', `${name} is in no list`);
		if (file !== undefined && bytes !== undefined && file.bytes !== bytes)
			throw new Refusal('weights-corrupt', `${name}: the model says ${bytes} bytes, the list ${file.bytes}`);
		return file;
	}

	async function fetched(wanted: Wanted): Promise<Uint8Array<ArrayBuffer>> {
		const { name, addresses } = wanted;
		const file = expected(wanted);
		const length = file?.bytes ?? wanted.bytes;
		let wrong = false;
		let why = 'no address';
		for (const address of addresses) {
			let resume = true;
			for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
				try {
					const bytes = await one(wanted, address, length, resume);
					const found = { sha256: toHex(await digest(bytes)), bytes: bytes.length };
					if (file !== undefined && (found.sha256 !== file.sha256 || found.bytes !== file.bytes))
						throw new Broken('bad', 'hash differs');
					// In this order: a copy without a note would be fetched again, a note without a copy is harmless.
					if (file === undefined) await ledger.note(name, found);
					await shelf.keep(name, bytes);
					await shelf.dropPieces(name);
					return bytes;
				} catch (error) {
					if (!(error instanceof Broken)) throw error;
					why = error.message;
					if (error.kind === 'gone') break;
					if (error.kind === 'bad') {
						wrong = true;
						// Pieces that led to a wrong whole would lead there again.
						await shelf.dropPieces(name);
						resume = false;
					}
				}
			}
		}
		throw new Refusal(wrong ? 'weights-corrupt' : 'engine-load-failed', `${name}: ${why}`);
	}

	async function one(
		{ name, most }: Wanted,
		address: string,
		length: number | undefined,
		resume: boolean
	): Promise<Uint8Array<ArrayBuffer>> {
		const large = length !== undefined && length > PIECE_BYTES;
		const have = large && resume ? await shelf.pieces(name, length) : [];
		let keptPieces = have.length;
		let keeping: Promise<void> = Promise.resolve();
		const bytes = await download(components.fetch, {
			address,
			have,
			length,
			most,
			stallMs: components.stallMs,
			onBytes: (bytes) => onBytes(name, bytes),
			onGrowth(buffer, bytes) {
				while (large && bytes >= (keptPieces + 1) * PIECE_BYTES) {
					const index = keptPieces++;
					const piece = buffer.slice(index * PIECE_BYTES, (index + 1) * PIECE_BYTES);
					// A piece that cannot be kept only costs time later; whether the file can be kept shows when it is whole.
					keeping = keeping.then(() => shelf.keepPiece(name, index, piece)).catch(() => {});
				}
			}
		}).finally(() => keeping);
		onBytes(name, bytes.length);
		return bytes;
	}

	return {
		kept: ({ name }) => shelf.has(name),
		async take(wanted) {
			const file = expected(wanted);
			const kept = await shelf.read(wanted.name, file?.bytes ?? wanted.bytes, wanted.most);
			if (kept !== undefined) {
				if (file !== undefined && kept.length === file.bytes && toHex(await digest(kept)) === file.sha256) {
					onBytes(wanted.name, kept.length);
					return kept;
				}
			}
			// Also one that was too long to be read.
			await shelf.drop(wanted.name);
			return fetched(wanted);
		}
	};
}

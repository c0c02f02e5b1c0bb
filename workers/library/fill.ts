/** Brings the missing files of a model into its folder, one after the other, and learns from each what the next ones are. */
import { Refusal } from '#lib/protocol/errors.ts';
import type { Shelved } from '#lib/engine/library/calls.ts';
import { vocabularyOf } from '#lib/engine/library/facts.ts';
import { isPlainLocation } from '#lib/engine/library/names.ts';
import {
	bytesOf,
	MOST_EXTERNAL,
	MOST_FILE_BYTES,
	withPart,
	type LibraryRecord,
	type Part
} from '#lib/engine/library/record.ts';
import { namesIn } from '#lib/engine/library/shelf.ts';
import type { WorkerProgress } from '../messages.ts';
import type { Brought, DownloadReports } from './download.ts';
import type { Drawer } from './drawer.ts';
import type { Folder } from './folder.ts';
import { graphIn } from './graph.ts';
import { MOST_TOKENIZER_BYTES } from './look.ts';

/** Bytes between two reports of progress. */
const REPORT_EVERY_BYTES = 256 * 1024;

/** Brings one file into its drawer, from wherever it comes. */
export type Bring = (part: Part, drawer: Drawer, reports: DownloadReports) => Promise<Brought>;

/**
 * Refusals: those of `bring`; `engine-load-failed` when the folder is no model any more; `model-unsupported` when a file turns out to be
 * none that runs here; `storage-full`, `storage-unavailable`. What came stays, except for a file that is not the right one.
 */
export async function fill(
	folder: Folder,
	bring: Bring,
	onProgress: (progress: WorkerProgress) => void
): Promise<Shelved> {
	let { record } = await existing(folder);
	const progress = progressOf(onProgress);
	for (let i = 0; i < record.parts.length; i++) {
		const part = record.parts[i] as Part;
		const name = namesIn(record)[i] as string;
		const before = record.parts.slice(0, i).reduce((sum, { bytes = 0 }) => sum + bytes, 0);
		if (part.kept) {
			progress(before + (part.bytes ?? 0), bytesOf(record));
			continue;
		}
		const drawer = await folder.drawer(name);
		try {
			const brought = await bring(part, drawer, {
				at: (bytes) => progress(before + bytes, bytesOf(record)),
				async version(validator) {
					const { validator: _, ...rest } = part;
					const parts = record.parts.map((each, at) =>
						at === i ? { ...rest, ...(validator === undefined ? {} : { validator }) } : each
					);
					record = { ...record, parts };
					await folder.write(record);
				}
			});
			record = withPart(record, i, { ...brought, kept: true });
		} catch (error) {
			if (error instanceof Refusal && error.code === 'weights-corrupt') {
				drawer.close();
				await folder.drop(name);
			}
			throw error;
		} finally {
			drawer.close();
		}
		record = await learnt(record, part, await folder.file(name));
		await folder.write(record);
	}
	return existing(folder);
}

/** Refusal `engine-load-failed` when it is no model (any more). */
export async function existing(folder: Folder | undefined): Promise<Shelved> {
	const found = await folder?.read();
	if (found === undefined) throw new Refusal('engine-load-failed', 'the model is not in the library');
	return found;
}

function progressOf(onProgress: (progress: WorkerProgress) => void) {
	let reported = Number.NEGATIVE_INFINITY;
	return (loadedBytes: number, totalBytes: number | undefined) => {
		const ended = totalBytes !== undefined && loadedBytes >= totalBytes;
		if (Math.abs(loadedBytes - reported) < REPORT_EVERY_BYTES && !ended) return;
		reported = loadedBytes;
		onProgress({ stage: 'fetching', loadedBytes, totalBytes });
	};
}

/** The record with what a file that has come says. */
async function learnt(record: LibraryRecord, part: Part, file: Blob): Promise<LibraryRecord> {
	if (part.role === 'tokenizer') {
		if (file.size > MOST_TOKENIZER_BYTES) throw new Refusal('oversized', 'tokenizer.json');
		const vocabularySize = vocabularyOf(await file.text());
		const stopTokens = record.stopTokens.filter((token) => token < vocabularySize);
		if (stopTokens.length === 0) throw new Refusal('model-unsupported', 'no token that ends an answer');
		return { ...record, vocabularySize, stopTokens };
	}
	if (part.role !== 'weights') return record;
	const read = async (at: number, length: number) => new Uint8Array(await file.slice(at, at + length).arrayBuffer());
	const { precision, verifiable, external } = await graphIn(read, file.size);
	return { ...record, precision, verifiable, parts: withExternal(record.parts, part, external) };
}

/**
 * The parts with exactly the external files that the graph names. What a look took for one by its name goes; what it missed is added, from
 * where the weights came from.
 */
export function withExternal(parts: readonly Part[], weights: Part, locations: readonly string[]): readonly Part[] {
	if (locations.length > MOST_EXTERNAL || !locations.every(isPlainLocation))
		throw new Refusal('model-unsupported', 'external data out of the way');
	const known = new Map(parts.flatMap((part) => (part.location === undefined ? [] : [[part.location, part] as const])));
	const named = locations.map((location): Part => {
		const found = known.get(location);
		if (found !== undefined) return found;
		const path = location.split('/').map(encodeURIComponent).join('/');
		return {
			role: 'external',
			location,
			kept: false,
			addresses: weights.addresses.map((address) => new URL(path, address).href)
		};
	});
	return [...parts.filter(({ role }) => role !== 'external'), ...named];
}

/** Bytes still to come; files of unknown size count as nothing. */
export function missingOf({ record, keptBytes }: Shelved): number {
	const known = record.parts.reduce((sum, { bytes = 0 }) => sum + Math.min(bytes, MOST_FILE_BYTES), 0);
	return Math.max(0, known - keptBytes);
}

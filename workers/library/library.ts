/** The library as its worker keeps it: looks, takes, fetches and checks, each model under its lock, and tells the other tabs. */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, randomBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { codeOf, Refusal } from '#lib/protocol/errors.ts';
import { lookout } from '#lib/engine/library/address.ts';
import { lockOf, type LibraryNews, type LibraryOptions, type Shelved } from '#lib/engine/library/calls.ts';
import { hasRoom } from '#lib/engine/library/fit.ts';
import { idOf, isWhole, withPart, type Part } from '#lib/engine/library/record.ts';
import { namesIn } from '#lib/engine/library/shelf.ts';
import type { WorkerProgress } from '../messages.ts';
import { chosenPlace, type Chosen } from './chosen.ts';
import { download } from './download.ts';
import { openIntake } from './drawer.ts';
import { existing, fill, missingOf, type Bring } from './fill.ts';
import type { Cabinet, Folder } from './folder.ts';
import { describe, type Look } from './look.ts';
import type { World } from './request.ts';
import { webPlace } from './web.ts';

/** What other tabs say. */
export interface LibraryChannel {
	tell(news: LibraryNews): void;
	/** Returns how to stop. */
	listen(listener: (news: LibraryNews) => void): () => void;
}

export interface LibraryComponents {
	readonly cabinet: Cabinet;
	readonly locks: Pick<LockManager, 'request'>;
	readonly channel: LibraryChannel;
	readonly world: Omit<World, 'stallMs'>;
}

type Report = (progress: WorkerProgress) => void;

/** See LibraryWorker; these reject with Refusals. */
export interface Library {
	look(address: string, options: LibraryOptions, signal: AbortSignal): Promise<Shelved>;
	take(files: readonly File[], options: LibraryOptions, onProgress: Report, signal: AbortSignal): Promise<Shelved>;
	enter(shelved: Shelved): Promise<Shelved>;
	fetch(folder: string, options: LibraryOptions, onProgress: Report, signal: AbortSignal): Promise<Shelved>;
	check(folder: string, signal: AbortSignal): Promise<Shelved>;
}

export function openLibrary({ cabinet, locks, channel, world }: LibraryComponents): Library {
	/** Runs work on a model alone among all tabs. */
	async function alone<T>(name: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
		try {
			return await locks.request(lockOf(name), { signal }, work);
		} catch (error) {
			throw codeOf(error) === 'aborted' ? new Refusal('aborted') : error;
		}
	}

	async function made(name: string): Promise<Folder> {
		const folder = await cabinet.folder(name, true);
		if (folder === undefined) throw new Refusal('storage-unavailable', 'folder');
		return folder;
	}

	/** Writes a look down, unless something of that model is kept: then what is known of it stands. */
	async function entered(name: string, { record }: Pick<Shelved, 'record'>): Promise<Shelved> {
		const known = await (await cabinet.folder(name, false))?.read();
		if (known !== undefined && (known.keptBytes > 0 || known.record.parts.some((part) => part.sha256 !== undefined)))
			return known;
		const options = { ifAvailable: true };
		return locks.request(lockOf(name), options, async (lock) => {
			// Another tab has just begun to fetch it: it is not waited for.
			if (lock === null) return known ?? { folder: name, record, keptBytes: 0 };
			const folder = await made(name);
			await folder.write(record);
			channel.tell({ kind: 'changed', folder: name });
			return existing(folder);
		});
	}

	/** Fills a folder; while that goes on another tab may say that it is to be deleted. */
	async function filled(
		folder: Folder,
		bring: (signal: AbortSignal) => Bring,
		onProgress: Report,
		signal: AbortSignal
	): Promise<Shelved> {
		const removed = new AbortController();
		const deaf = channel.listen((news) => {
			if (news.kind === 'removing' && news.folder === folder.name) removed.abort();
		});
		const report = (progress: WorkerProgress) => {
			channel.tell({ kind: 'progress', folder: folder.name, progress });
			onProgress(progress);
		};
		try {
			return await twinOf(await fill(folder, bring(AbortSignal.any([signal, removed.signal])), report));
		} finally {
			deaf();
			channel.tell({ kind: 'changed', folder: folder.name });
		}
	}

	/** Of two copies of the same weights the older one stays. */
	async function twinOf(whole: Shelved): Promise<Shelved> {
		const id = idOf(whole.record);
		const same = (other: Shelved) =>
			other.folder !== whole.folder && isWhole(other.record) && idOf(other.record) === id;
		const twin = (await cabinet.list()).find(same);
		if (twin === undefined) return whole;
		await cabinet.remove(whole.folder);
		return twin;
	}

	/** What the browser says beforehand. Chromium says 10 GiB whatever the disk has, so the write itself decides in the end. */
	function mustHaveRoom(shelved: Shelved, { facts }: LibraryOptions): void {
		if (!hasRoom(missingOf(shelved), facts)) throw new Refusal('storage-full', 'estimate');
	}

	return {
		async look(address, { facts, stallMs }, signal) {
			const { host, name, folders, weights } = lookout(address);
			for (const base of folders) {
				const place = webPlace(base, { ...world, stallMs }, signal);
				const path = weights === undefined ? undefined : pathIn(base, weights);
				const found = await describe(place, { name, from: host, weights: path, facts });
				if (found === undefined) continue;
				const folder = `at-${bytesToHex(sha256(utf8ToBytes(place.address(found.weights) ?? address))).slice(0, 16)}`;
				return await entered(folder, found).catch((error: unknown) => {
					// It can be seen, with its size and why it cannot be kept.
					if (codeOf(error).startsWith('storage-')) return { folder, record: found.record, keptBytes: 0 };
					throw error;
				});
			}
			throw new Refusal('model-unsupported', 'no config.json there');
		},
		async take(files, options, onProgress, signal) {
			const chosen = chosenPlace(files);
			const found = await describe(chosen.place, {
				name: chosen.name,
				from: undefined,
				weights: undefined,
				facts: options.facts
			});
			if (found === undefined) throw new Refusal('model-unsupported', 'no config.json');
			const folder = await made(`file-${bytesToHex(randomBytes(8))}`);
			return alone(folder.name, signal, async () => {
				try {
					await folder.write(found.record);
					mustHaveRoom(await existing(folder), options);
					return await filled(folder, (stop) => copier(chosen, found, world.breathe, stop), onProgress, signal);
				} catch (error) {
					// Without an address it cannot be gone on with.
					await cabinet.remove(folder.name);
					throw error;
				}
			});
		},
		enter: ({ folder, record }) => entered(folder, { record }),
		async fetch(name, options, onProgress, signal) {
			// While another tab fetches it, what that tab reports is the progress of this call too.
			const deaf = channel.listen((news) => {
				if (news.kind === 'progress' && news.folder === name) onProgress(news.progress);
			});
			return alone(name, signal, async () => {
				deaf();
				const folder = await cabinet.folder(name, false);
				const shelved = await existing(folder);
				if (folder === undefined || isWhole(shelved.record)) return shelved;
				mustHaveRoom(shelved, options);
				const bring =
					(stop: AbortSignal): Bring =>
					(part, drawer, reports) => {
						if (part.addresses.length === 0)
							throw new Refusal('weights-corrupt', 'taken from files that are not here any more');
						const { addresses, bytes, sha256: hash, validator } = part;
						return download(
							{ addresses, bytes, sha256: hash, validator },
							drawer,
							{ ...world, stallMs: options.stallMs },
							reports,
							stop
						);
					};
				return filled(folder, bring, onProgress, signal);
			}).finally(deaf);
		},
		check: (name, signal) =>
			alone(name, signal, async () => {
				const folder = await cabinet.folder(name, false);
				const shelved = await existing(folder);
				if (folder === undefined) return shelved;
				let { record } = shelved;
				for (const [i, part] of record.parts.entries()) {
					if (!part.kept || (await isIntact(folder, namesIn(record)[i] as string, part, world.breathe, signal)))
						continue;
					await folder.drop(namesIn(record)[i] as string);
					record = withPart(record, i, { kept: false });
				}
				await folder.write(record);
				channel.tell({ kind: 'changed', folder: name });
				return existing(folder);
			})
	};
}

/** The path below `base` of a file that lies there. */
function pathIn(base: string, weights: string): string {
	const [plain = ''] = weights.slice(base.length).split('?');
	try {
		return decodeURIComponent(plain);
	} catch {
		throw new Refusal('malformed', 'address');
	}
}

/** Copies from the files that were chosen. */
function copier(chosen: Chosen, { weights }: Look, breathe: () => Promise<void>, signal: AbortSignal): Bring {
	const beside = weights.slice(0, weights.lastIndexOf('/') + 1);
	const path = ({ role, location = '' }: Part) =>
		role === 'weights' ? weights : role === 'external' ? beside + location : CHOSEN_NAMES[role];
	return async (part, drawer, reports) => {
		const file = chosen.file(path(part));
		if (file === undefined) throw new Refusal('model-unsupported', `no ${path(part)}`);
		const intake = await openIntake(drawer, file.size, breathe, signal);
		const reader = file.stream().getReader();
		for (;;) {
			if (signal.aborted) throw new Refusal('aborted');
			const { done, value } = await reader.read().catch(() => {
				throw new Refusal('engine-load-failed', `${path(part)} could not be read`);
			});
			if (done) break;
			intake.take(value);
			reports.at(intake.at);
		}
		intake.flush();
		return { bytes: intake.at, sha256: intake.sha256() };
	};
}

const CHOSEN_NAMES = {
	tokenizer: 'tokenizer.json',
	tokenizerConfig: 'tokenizer_config.json',
	template: 'chat_template.jinja',
	reference: 'reference.json'
} as const;

async function isIntact(
	folder: Folder,
	name: string,
	part: Part,
	breathe: () => Promise<void>,
	signal: AbortSignal
): Promise<boolean> {
	const file = await folder.file(name).catch(() => undefined);
	if (file === undefined || file.size !== part.bytes) return false;
	const hasher = sha256.create();
	const reader = file.stream().getReader();
	for (;;) {
		if (signal.aborted) throw new Refusal('aborted');
		const next = await reader.read().catch(() => undefined);
		if (next === undefined) return false;
		if (next.done) return bytesToHex(hasher.digest()) === part.sha256;
		hasher.update(next.value);
		await breathe();
	}
}

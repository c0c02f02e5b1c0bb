/** What a screen is told of a model. Pure. */
import type { ModelEntry } from '#lib/ports/models.ts';
import type { RecordedModel } from '#workers/messages.ts';
import { weightBytes } from '../cpu-limits.ts';
import type { Shelved } from './calls.ts';
import { fit, memoryNeeded, type DeviceFacts } from './fit.ts';
import { bytesOf, isWhole, type LibraryRecord } from './record.ts';

/** The model that is part of the app: it is here and runs, whatever this device is. */
export function builtInEntry(model: RecordedModel, licence: string): ModelEntry {
	const { id, name, contextTokens, precision, files, external } = model;
	const bytes = [...Object.values(files), ...external].reduce((sum, file) => sum + file.bytes, 0);
	return {
		...{ id, name, licence, contextTokens, precision, bytes },
		runs: 'cpu',
		origin: 'built-in',
		memoryBytes: memoryNeeded(weightBytes(model), 0, contextTokens),
		fit: { fits: true },
		kept: 'whole',
		keptBytes: bytes,
		integrity: 'released',
		lendable: true,
		from: undefined
	};
}

/** One of the library. `id` is the name this tab knows it by. */
export function entryOf(id: string, { record, keptBytes }: Shelved, facts: DeviceFacts): ModelEntry {
	const { name, origin, from, licence, contextTokens, kvBytesPerToken, precision } = record;
	const weights = bytesOf({ parts: record.parts.filter(({ role }) => role === 'weights' || role === 'external') });
	const bytes = bytesOf(record);
	const memoryBytes = weights === undefined ? undefined : memoryNeeded(weights, kvBytesPerToken, contextTokens);
	const need = {
		memoryBytes,
		weightBytes: weights,
		largestFileBytes: Math.max(0, ...record.parts.map((part) => part.bytes ?? 0)),
		missingBytes: bytes === undefined ? undefined : Math.max(0, bytes - keptBytes)
	};
	return {
		...{ id, name, origin, from, licence, contextTokens, bytes, memoryBytes, keptBytes },
		runs: 'cpu',
		precision: precision === 'unknown' ? undefined : precision,
		fit: fit(need, facts),
		kept: keptOf(record, keptBytes),
		integrity: origin === 'listed' ? 'released' : 'first-use',
		lendable: record.verifiable
	};
}

/** Built-in first, then what is kept, then what could be; what fits first, then the smaller one. */
export function inOrder(entries: readonly ModelEntry[]): readonly ModelEntry[] {
	const rank = ({ origin, kept, fit: { fits } }: ModelEntry) =>
		origin === 'built-in' ? 0 : { whole: 1, partly: 3, no: 5 }[kept] + (fits ? 0 : 1);
	const size = ({ bytes }: ModelEntry) => bytes ?? Number.MAX_SAFE_INTEGER;
	const name = (a: ModelEntry, b: ModelEntry) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
	return entries.toSorted((a, b) => rank(a) - rank(b) || size(a) - size(b) || name(a, b));
}

function keptOf(record: LibraryRecord, keptBytes: number): ModelEntry['kept'] {
	if (isWhole(record)) return 'whole';
	return keptBytes > 0 ? 'partly' : 'no';
}

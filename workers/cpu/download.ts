/** Fetches the files of a model. Reads no further than the recorded length, so a server cannot fill the memory. */
import { Refusal } from '#lib/protocol/errors.ts';
import type { FileName, RecordedModel, WorkerProgress } from '../messages.ts';
import type { ModelBytes } from './core.ts';

/** Bytes between two reports of progress: some 80 reports for the 19 MB of the pocket model. */
const REPORT_EVERY_BYTES = 256 * 1024;

/**
 * All files at once; whether they are the right ones is for the core to say.
 * Refusals: `engine-load-failed` when one does not come, `weights-corrupt` when one is longer than recorded.
 */
export async function download(
	model: RecordedModel,
	addresses: Readonly<Record<FileName, string>>,
	cache: RequestCache,
	onProgress: (progress: WorkerProgress) => void
): Promise<ModelBytes> {
	const names = Object.keys(model.files) as FileName[];
	const totalBytes = names.reduce((sum, name) => sum + model.files[name].bytes, 0);
	let loadedBytes = 0;
	let reported = Number.NEGATIVE_INFINITY;
	const count = (bytes: number) => {
		loadedBytes += bytes;
		if (loadedBytes - reported < REPORT_EVERY_BYTES && loadedBytes < totalBytes) return;
		reported = loadedBytes;
		onProgress({ stage: 'fetching', loadedBytes, totalBytes });
	};
	count(0);
	const files = await Promise.all(
		names.map(async (name) => [name, await one(name, addresses[name], model.files[name].bytes, cache, count)] as const)
	);
	return Object.fromEntries(files) as ModelBytes;
}

async function one(
	name: FileName,
	address: string,
	length: number,
	cache: RequestCache,
	count: (bytes: number) => void
): Promise<Uint8Array<ArrayBuffer>> {
	const unreachable = (why: string) => new Refusal('engine-load-failed', `${name}: ${why}`);
	const response = await fetch(address, { cache, credentials: 'same-origin' }).catch(() => undefined);
	if (response === undefined) throw unreachable('not reachable');
	if (!response.ok || response.body === null) throw unreachable(`status ${response.status}`);
	const bytes = new Uint8Array(length);
	let at = 0;
	const reader = response.body.getReader();
	for (;;) {
		const { done, value } = await reader.read().catch(() => {
			throw unreachable('broke off');
		});
		if (done) return bytes.subarray(0, at);
		if (at + value.length > length) {
			await reader.cancel();
			throw new Refusal('weights-corrupt', `${name}: longer than ${length} bytes`);
		}
		bytes.set(value, at);
		at += value.length;
		count(value.length);
	}
}

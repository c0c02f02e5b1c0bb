/** Fetches the files of a model from addresses. Reads no further than the recorded length, so a server cannot fill the memory. */
import { Refusal } from '#lib/protocol/errors.ts';
import type { Addresses, RecordedFile, RecordedModel } from '../messages.ts';
import { wanted, type Bytes, type Wanted } from './files.ts';

/**
 * All files of a model at once; whether they are the right ones is for the core to say. `count` is told of bytes as they come.
 * Refusals: `engine-load-failed` when one does not come, `weights-corrupt` when one is longer than recorded.
 */
export function download(
	model: RecordedModel,
	addresses: Addresses,
	cache: RequestCache,
	count: (bytes: number) => void
): Promise<(readonly [Wanted, Bytes])[]> {
	return Promise.all(
		wanted(model).map(async (each) => {
			const address = 'name' in each.part ? addresses[each.part.name] : addresses.external?.[each.part.external];
			if (address === undefined) throw new Refusal('engine-load-failed', `no address for ${each.name}`);
			return [each, await downloadFile(each.name, address, each.file, cache, count)] as const;
		})
	);
}

/** One file. Refusals as of `download`. */
export async function downloadFile(
	name: string,
	address: string,
	{ bytes: length }: RecordedFile,
	cache: RequestCache,
	count: (bytes: number) => void
): Promise<Bytes> {
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

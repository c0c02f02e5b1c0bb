/** Reading what a server sends, and no more than was agreed: a body without end is cut off, not awaited. */

/**
 * The body of at most `max` bytes, or undefined when it is longer. Rejects as the stream does, and as `piece` does, through which each piece is
 * awaited. `onBytes`: bytes so far.
 */
export async function bodyOf(
	response: Response,
	max: number,
	piece: <T>(work: Promise<T>) => Promise<T> = (work) => work,
	onBytes?: (have: number) => void
): Promise<ArrayBuffer | undefined> {
	const reader = response.body?.getReader();
	if (!reader) return new ArrayBuffer(0);
	const chunks: Uint8Array[] = [];
	let length = 0;
	const read = () => piece(reader.read());
	for (let next = await read(); !next.done; next = await read()) {
		length += next.value.length;
		if (length > max) {
			await reader.cancel().catch(() => undefined);
			return undefined;
		}
		chunks.push(next.value);
		onBytes?.(length);
	}
	const whole = new Uint8Array(length);
	let at = 0;
	for (const chunk of chunks) {
		whole.set(chunk, at);
		at += chunk.length;
	}
	return whole.buffer;
}

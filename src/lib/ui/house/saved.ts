/** Hands a file to the person through the browser's own download. */
export function saveFile(bytes: Uint8Array, name: string): void {
	const address = URL.createObjectURL(new Blob([new Uint8Array(bytes)], { type: 'application/octet-stream' }));
	Object.assign(document.createElement('a'), { href: address, download: name }).click();
	URL.revokeObjectURL(address);
}

/** `2026-11-21`, for file names: sorts by itself, and means the same everywhere. */
export const dayName = (now: Date): string => now.toISOString().slice(0, 10);

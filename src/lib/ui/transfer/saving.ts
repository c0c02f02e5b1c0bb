/** Files that a person takes away. */

/** Hands a text to the browser's downloads. */
export function save(text: string, name: string, type: 'application/json' | 'text/markdown'): void {
	const address = URL.createObjectURL(new Blob([text], { type }));
	const link = document.createElement('a');
	link.href = address;
	link.download = name;
	link.click();
	// Some browsers begin to read only after the click has returned.
	setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

/** A name for a file: letters and digits of the title in any script, and the day. */
export const fileName = (title: string, now: number, ending: 'json' | 'md'): string => {
	const words = title
		.replaceAll(/[^\p{L}\p{N}]+/gu, '-')
		.replaceAll(/^-+|-+$/g, '')
		.slice(0, 60);
	return `${words || 'conversation'}-${new Date(now).toISOString().slice(0, 10)}.${ending}`;
};

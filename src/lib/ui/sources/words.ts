/** What is said about where the app itself comes from. Pure. */
import type { Coming, ShellState } from '#lib/ports/shell.ts';
import { bytes } from '../numbers.ts';

/** How much of the app is on this device. */
export function holdingWords(shell: ShellState): string {
	if (shell.kind === 'installing') {
		if (shell.coming) return `This version is coming to this device: ${soFar(shell.coming)}.`;
		if (shell.missing)
			return `${shell.missing} ${shell.missing === 1 ? 'file' : 'files'} of this version did not come. Fireweed tries again by itself.`;
		return 'This version is coming to this device.';
	}
	if (shell.kind === 'ready')
		return shell.coming
			? `This version is on this device. A newer one is coming: ${soFar(shell.coming)}.`
			: 'This version is on this device, whole and checked.';
	if (shell.kind === 'blocked' || shell.kind === 'unsupported' || shell.kind === 'insecure-context')
		return 'This version is not kept on this device.';
	return 'A version of Fireweed is on this device.';
}

function soFar({ have, want }: Coming): string {
	return `${bytes(have)} of ${bytes(want)}`;
}

/** The list as it stands in a text field, one address a line. */
export function addressesIn(text: string): readonly string[] {
	return [...new Set(text.split(/\s+/).filter((line) => line !== ''))];
}

/** Which shortcuts this browser is to obey, and whether their list is open. */
import type { BrowserKey, Remembered } from '../remembered.ts';
import { modeOf, type Mode } from './shortcuts.ts';

export class ShortcutChoice {
	mode = $state<Mode>('all');
	/** The list stands over the page. */
	listed = $state(false);
	#remembered: Remembered<BrowserKey> | undefined;

	start(remembered: Remembered<BrowserKey>): void {
		this.#remembered = remembered;
		this.mode = modeOf(remembered.get('shortcuts'));
	}

	choose(mode: Mode): void {
		this.mode = mode;
		this.#remembered?.set('shortcuts', mode === 'all' ? undefined : mode);
	}
}

/** The one of this page. */
export const shortcuts = new ShortcutChoice();

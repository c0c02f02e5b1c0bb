/** Three steps for somebody who is here for the first time. They stand in the empty chat, cover nothing, and go when they are not needed. */
import type { BrowserKey, Remembered } from '../remembered.ts';

/** What is known of the person's visits. */
export interface Visits {
	/** They put it away, or asked something, in this browser. */
	readonly seen: boolean;
	/** They asked for it in Settings. */
	readonly wanted: boolean;
	/** Conversations that are here, be it from a backup. */
	readonly conversations: number;
}

/** Whether somebody is to be introduced. */
export const isNew = ({ seen, wanted, conversations }: Visits): boolean => wanted || (!seen && conversations === 0);

export class Introduction {
	#seen = $state(true);
	#wanted = $state(false);
	#remembered: Remembered<BrowserKey> | undefined;

	start(remembered: Remembered<BrowserKey>): void {
		this.#remembered = remembered;
		this.#seen = remembered.get('introduction') !== undefined;
	}

	/** Whether it is shown, where so many conversations are. */
	shown(conversations: number): boolean {
		return isNew({ seen: this.#seen, wanted: this.#wanted, conversations });
	}

	/** Puts it away, for the next visits too. */
	close(): void {
		this.#wanted = false;
		if (this.#seen) return;
		this.#seen = true;
		this.#remembered?.set('introduction', 'seen');
	}

	/** Shows it once more. */
	reopen(): void {
		this.#wanted = true;
	}
}

/** The one of this page. */
export const introduction = new Introduction();

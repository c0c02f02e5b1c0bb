/**
 * What one tab tells the others of its profile that concerns the whole house: start again (another account is in use), or end (everything is
 * being deleted). A tab obeys by leaving its page, which frees workers, locks and databases however busy it is.
 */

/** Where a tab goes that must hold nothing any more; nothing starts there (src/routes/+layout.svelte). */
export const GONE = '#/gone';

/** Kept in `sessionStorage` from the confirmed gesture until the page that deletes: a link to that page alone deletes nothing. */
const CONFIRMED = 'fireweed.delete-everything';

type Tidings = 'restart' | 'end';

export interface TidingsComponents {
	/** Directory the app is served from. */
	readonly directory: string;
	readonly location: Pick<Location, 'reload' | 'hash'>;
	/** `sessionStorage`, or undefined where it is refused. */
	readonly tabMemory: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'> | undefined;
	/** Runs before the page is left: an unsaved job of somebody else must not hold it back with a question. */
	readonly leave: () => void;
}

/** Listens from when it is made until `close`. */
export interface HouseTidings {
	/** This tab and all others start again. */
	restart(): void;
	/** This tab goes on to delete everything, all others to hold nothing. */
	end(): void;
	close(): void;
}

export function openTidings({ directory, location, tabMemory, leave }: TidingsComponents): HouseTidings {
	const channel = new BroadcastChannel(nameOf(directory));
	const obey = (tidings: Tidings) => {
		leave();
		channel.close();
		if (tidings === 'end') location.hash = GONE;
		location.reload();
	};
	channel.onmessage = ({ data }: MessageEvent<unknown>) => {
		if (data === 'restart' || data === 'end') obey(data);
	};
	const tell = (tidings: Tidings) => {
		channel.postMessage(tidings);
		obey(tidings);
	};
	return {
		restart: () => tell('restart'),
		end: () => {
			tabMemory?.setItem(CONFIRMED, 'yes');
			tell('end');
		},
		close: () => channel.close()
	};
}

/** Tells every tab of the profile once more to hold nothing: one may have started while the others left. */
export function tellEnd(directory: string): void {
	const channel = new BroadcastChannel(nameOf(directory));
	channel.postMessage('end' satisfies Tidings);
	channel.close();
}

/** Whether a person has confirmed the deletion in this tab just now; asking uses it up. */
export function takeConfirmation(tabMemory: TidingsComponents['tabMemory']): boolean {
	const confirmed = tabMemory?.getItem(CONFIRMED) === 'yes';
	tabMemory?.removeItem(CONFIRMED);
	return confirmed;
}

function nameOf(directory: string): string {
	return `fireweed-house:${directory}`;
}

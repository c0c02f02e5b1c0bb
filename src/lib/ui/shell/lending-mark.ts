/** What the title of the tab and the badge of the installed app tell of lending. Pure. */
import type { ContributeState } from '#lib/node/app.ts';

/** Before the title; empty while nothing is lent. */
export function lendingMark(state: ContributeState['state']): string {
	switch (state) {
		case 'working':
			return '▶ ';
		case 'ready':
			return '● ';
		case 'paused':
			return '‖ ';
		default:
			return '';
	}
}

/** The app's badge: a dot while somebody's prompt is being answered, nothing otherwise. */
export const badged = (state: ContributeState['state']): boolean => state === 'working';

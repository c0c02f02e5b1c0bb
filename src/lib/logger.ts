/** The Log that prints, at the browser's most verbose level, so that nobody sees it who has not asked for it. */
import type { Log } from '#lib/ports/log.ts';

export const consoleLog: Log = (event, facts) => {
	console.debug(`fireweed ${event}`, facts ?? '');
};

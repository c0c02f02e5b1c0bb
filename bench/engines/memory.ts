/**
 * Memory of the process that draws a page and runs its workers, from the kernel's own books: the browser's own measure,
 * `measureUserAgentSpecificMemory`, exists only on pages that are isolated from others, which the app's are not. Linux only.
 */
import { readFileSync } from 'node:fs';
import type { Browser, Page } from 'playwright';

export interface Resident {
	/** Now, and the most since the process began. Bytes. */
	readonly now: number;
	readonly peak: number;
}

/** The kernel counts CPU time in hundredths of a second; while nothing happens, a process makes at most this many in a look. */
const QUIET_TICKS = 1;
const LOOK_EVERY_MS = 200;
/** A window's own parts take about a second to start; after this long it is somebody else's noise. */
const LONGEST_SETTLING_MS = 10_000;
/** How long the page turns on the spot to be told from the browser's other processes. */
const SPIN_MS = 300;

/**
 * Waits until the browser's processes have nothing to do (a new window starts parts of its own, which would run beside what is measured),
 * and finds the one that is this page's: the one that works while the page turns on the spot. Undefined where there is no /proc.
 */
export async function settle(browser: Browser, page: Page): Promise<number | undefined> {
	const started = performance.now();
	for (let last = await ticks(browser); performance.now() - started < LONGEST_SETTLING_MS;) {
		await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
		const now = await ticks(browser);
		if ([...now].every(([pid, count]) => count - (last.get(pid) ?? 0) <= QUIET_TICKS)) break;
		last = now;
	}
	const before = await ticks(browser);
	await page.evaluate((ms) => {
		for (const until = performance.now() + ms; performance.now() < until;);
	}, SPIN_MS);
	const worked = [...(await ticks(browser))].map(([pid, count]) => [pid, count - (before.get(pid) ?? 0)] as const);
	return worked.sort(([, a], [, b]) => b - a)[0]?.[0];
}

/** CPU time so far of every process of this browser that draws pages, by process id. */
async function ticks(browser: Browser): Promise<ReadonlyMap<number, number>> {
	const session = await browser.newBrowserCDPSession();
	try {
		const { processInfo } = await session.send('SystemInfo.getProcessInfo');
		return new Map(
			processInfo
				.filter(({ type }) => type === 'renderer')
				.flatMap(({ id }) => {
					const count = reading(`/proc/${id}/stat`, parseTicks);
					return count === undefined ? [] : [[id, count] as const];
				})
		);
	} finally {
		await session.detach();
	}
}

/** Of a process by its id; undefined when it is gone, or where there is no /proc. */
export function residentOf(pid: number): Resident | undefined {
	return reading(`/proc/${pid}/status`, parseStatus);
}

function reading<T>(file: string, parse: (text: string) => T): T | undefined {
	try {
		return parse(readFileSync(file, 'utf8'));
	} catch {
		return undefined;
	}
}

/** User and system time from the text of /proc/…/stat. The name in brackets may hold spaces. */
export function parseTicks(text: string): number {
	const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
	return Number(fields[11]) + Number(fields[12]);
}

/** From the text of /proc/…/status. */
export function parseStatus(text: string): Resident | undefined {
	const bytes = (name: string) => {
		const [, kibibytes] = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text) ?? [];
		return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
	};
	const [now, peak] = [bytes('VmRSS'), bytes('VmHWM')];
	return now === undefined || peak === undefined ? undefined : { now, peak };
}

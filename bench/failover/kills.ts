/**
 * Ways to lose a browser tab in mid-answer, and to have it back. One browser per tab, so that a signal meets nobody else.
 *
 * The network is cut by stopping the browser's network service, a process of its own through which every socket of its tabs goes, WebRTC's included
 * (`Network.emulateNetworkConditions` does not touch those, and rules of a firewall need rights that a test should not ask for). The tab itself
 * lives on. What was sent to it meanwhile waits in the kernel's buffers instead of being lost: when it comes back it hears it all, late.
 */
import { readFileSync } from 'node:fs';
import process from 'node:process';
import type { Browser, Page } from 'playwright';

export const KILLS = ['closed', 'killed', 'frozen', 'cut'] as const;
export type Kill = (typeof KILLS)[number];

/** Does it; returns how the tab is had back in the same process, or undefined when it is gone for good. */
export async function lose(
	kill: Kill,
	page: Page,
	pids: Pids
): Promise<{ readonly at: number; readonly mend: (() => void) | undefined }> {
	const signal = (targets: readonly number[], name: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT') => {
		for (const pid of targets) process.kill(pid, name);
	};
	const at = Date.now();
	if (kill === 'closed') {
		await page.close({ runBeforeUnload: false });
		return { at, mend: undefined };
	}
	const targets = kill === 'cut' ? pids.network : pids.renderers;
	if (kill === 'killed') {
		signal(targets, 'SIGKILL');
		return { at, mend: undefined };
	}
	signal(targets, 'SIGSTOP');
	return { at, mend: () => signal(targets, 'SIGCONT') };
}

/** Process ids of a browser. */
export interface Pids {
	readonly renderers: readonly number[];
	readonly network: readonly number[];
}

/** To be looked up before it is needed: the look takes some milliseconds. */
export async function pidsOf(browser: Browser): Promise<Pids> {
	const session = await browser.newBrowserCDPSession();
	const { processInfo } = (await session.send('SystemInfo.getProcessInfo')) as {
		processInfo: readonly { readonly type: string; readonly id: number }[];
	};
	await session.detach();
	const says = (pid: number, what: string) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(what);
	const all = processInfo.filter(({ type }) => type !== 'browser');
	const renderers = all.filter(({ type }) => type === 'renderer').map(({ id }) => id);
	const network = all.map(({ id }) => id).filter((pid) => says(pid, 'network.mojom.NetworkService'));
	if (renderers.length === 0 || network.length === 0) throw new Error('the browser has no such processes');
	return { renderers, network };
}

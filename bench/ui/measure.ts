/**
 * How long a person waits for the page to answer a key or a press while an answer streams: interaction to next paint, by the browser's
 * own Event Timing, on a processor slowed four times. The screens are the product's; the tab behind them is the scripted one of
 * tests/doubles, so that words come at an even pace that no engine here could keep.
 */
import { chromium, type Page } from 'playwright/test';
import { createServer } from 'vite';
import { ROOT } from '../../scripts/bootstrap.mjs';
import { findChromium, LAUNCH_FLAGS } from '../../scripts/chromium.mjs';
import { machine, type Machine } from '../machine.ts';

export interface UiOptions {
	/** Rounds of the same thirty-odd interactions, each in a fresh page. */
	readonly rounds: number;
	readonly tell: (line: string) => void;
}

/** One interaction: the longest of its events, ms. Below what the browser reports (16 ms) it counts as 16. */
export interface Interaction {
	readonly what: string;
	readonly ms: number;
}

export interface UiResult {
	readonly machine: Machine;
	readonly tokensPerSecond: number;
	readonly slowdown: number;
	readonly interactions: readonly Interaction[];
	/** Tokens that came per second while it was measured: a page that falls behind shows it here. */
	readonly arrived: readonly number[];
}

const SLOWDOWN = 4;
const TOKENS_PER_SECOND = 100;
/** The finest the browser reports. */
const LEAST_MS = 16;

declare global {
	interface Window {
		heard: Map<number, number>;
		double: { script: { tokenMs: number; answer: (prompt: string) => string } };
	}
}

/** Measures `rounds` rounds. */
export async function measureUi({ rounds, tell }: UiOptions): Promise<UiResult> {
	const server = await createServer({
		root: ROOT,
		configFile: `${ROOT}/tests/doubles/vite.config.ts`,
		logLevel: 'error'
	});
	await server.listen(0);
	const address = server.resolvedUrls?.local[0];
	if (address === undefined) throw new Error('the server has no address');
	const browser = await chromium.launch({ executablePath: findChromium(), args: LAUNCH_FLAGS });
	const interactions: Interaction[] = [];
	const arrived: number[] = [];
	try {
		// The first page makes the server prepare every module.
		const warm = await browser.newPage();
		await begin(warm, address);
		await warm.close();
		for (let round = 0; round < rounds; round++) {
			const context = await browser.newContext({ viewport: { width: 390, height: 844 } });
			const page = await context.newPage();
			await begin(page, address);
			const found = await interact(page);
			interactions.push(...found.interactions);
			arrived.push(found.arrived);
			tell(`round ${round + 1} of ${rounds}: longest ${Math.max(...found.interactions.map(({ ms }) => ms))} ms`);
			await context.close();
		}
		return {
			machine: machine(ROOT, browser.version()),
			tokensPerSecond: TOKENS_PER_SECOND,
			slowdown: SLOWDOWN,
			interactions,
			arrived
		};
	} finally {
		await browser.close();
		await server.close();
	}
}

/** An answer that has everything in it: lists, tables, code, formulas, and never ends. */
const ANSWER = `## It grows back first

After a fire, **fireweed** is among the first plants to return, in $n = \\frac{a}{b}$ ways:

1. by seed, with the wind
2. by root, under the ash

| Ground | Weeks |
| --- | ---: |
| burnt | 6 |

\`\`\`js
const ash = ['nitrogen', 'potassium'].filter((name) => name.length > 3); // what is left
\`\`\`

`;

async function begin(page: Page, address: string): Promise<void> {
	await page.goto(address);
	await page.waitForFunction(() => 'double' in window);
	await page.evaluate(
		([answer, ms]) => {
			window.double.script.answer = () => answer.repeat(100);
			window.double.script.tokenMs = ms;
			window.heard = new Map();
			new PerformanceObserver((list) => {
				for (const entry of list.getEntries() as (PerformanceEntry & { interactionId?: number })[])
					if (entry.interactionId)
						window.heard.set(entry.interactionId, Math.max(entry.duration, window.heard.get(entry.interactionId) ?? 0));
			}).observe({ type: 'event', buffered: true, durationThreshold: 16 } as PerformanceObserverInit);
		},
		[ANSWER, 1000 / TOKENS_PER_SECOND] as const
	);
	const message = page.getByRole('textbox', { name: 'Message' });
	await message.fill('What is Fireweed?');
	await message.press('Enter');
	await page.getByRole('button', { name: 'Stop' }).waitFor();
}

async function interact(page: Page): Promise<{ interactions: readonly Interaction[]; arrived: number }> {
	const session = await page.context().newCDPSession(page);
	await session.send('Emulation.setCPUThrottlingRate', { rate: SLOWDOWN });
	// Long enough that the answer is no short one.
	await page.waitForTimeout(8_000);
	const interactions: Interaction[] = [];
	const length = () =>
		page
			.locator('article[aria-label="Answer"]')
			.last()
			.innerText()
			.then((text) => text.length);
	const before = await length();
	const since = performance.now();
	const measured = async (what: string, act: () => Promise<void>) => {
		await page.evaluate(() => window.heard.clear());
		await act();
		// Two frames on a slow page, and time for the observer to tell.
		await page.waitForTimeout(600);
		const found = await page.evaluate(() => [...window.heard.values()]);
		interactions.push({ what, ms: Math.max(LEAST_MS, ...found) });
	};
	const message = page.getByRole('textbox', { name: 'Message' });
	await message.focus();
	for (const key of 'and then what happens')
		await measured('a key in the message', () => page.keyboard.press(key === ' ' ? 'Space' : key));
	for (let time = 0; time < 3; time++) {
		await measured('Menu', () => page.getByRole('button', { name: 'Menu' }).click());
		await measured('a key in the search', () => page.getByRole('searchbox').press('f'));
		await measured('Close menu', () => page.getByRole('button', { name: 'Close menu' }).click());
		await measured('Answer style of this conversation', () =>
			page.getByRole('button', { name: 'Answer style of this conversation' }).click()
		);
		await measured('Escape', () => page.keyboard.press('Escape'));
		await measured('Copy code', () => page.getByRole('button', { name: 'Copy code' }).last().click());
	}
	const arrived = ((await length()) - before) / ((performance.now() - since) / 1000);
	await measured('Stop', () => page.getByRole('button', { name: 'Stop' }).click());
	return { interactions, arrived };
}

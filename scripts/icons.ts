/**
 * Draws the PNG icons from the two SVG files. Run by hand after changing a drawing: `node scripts/icons.ts`.
 * The PNGs are kept in the repository because a build must not need a browser.
 */
import { readFile } from 'node:fs/promises';
import { chromium } from 'playwright';
import { findChromium, LAUNCH_FLAGS } from './chromium.mjs';

const ICONS = new URL('../static/icons/', import.meta.url);

/** Which drawing, at which size, under which name. */
const DRAWINGS = [
	['fireweed.svg', 64, 'fireweed-64.png'],
	['fireweed.svg', 180, 'fireweed-180.png'],
	['fireweed.svg', 192, 'fireweed-192.png'],
	['fireweed.svg', 512, 'fireweed-512.png'],
	['fireweed-maskable.svg', 512, 'fireweed-maskable-512.png']
] as const;

const browser = await chromium.launch({ executablePath: await findChromium(), args: LAUNCH_FLAGS });
try {
	for (const [drawing, size, name] of DRAWINGS) {
		const page = await browser.newPage({ viewport: { width: size, height: size } });
		const svg = await readFile(new URL(drawing, ICONS), 'utf8');
		await page.setContent(`<style>body{margin:0}svg{display:block;width:100vw;height:100vh}</style>${svg}`);
		await page.screenshot({ path: new URL(name, ICONS).pathname, omitBackground: true });
		await page.close();
	}
} finally {
	await browser.close();
}

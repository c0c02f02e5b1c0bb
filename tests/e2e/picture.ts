/** Pictures of a page as people see it, a desk in light, a phone in dark, and axe's judgement of each. `npm run screens` keeps them in docs/screens; other runs throw them away. */
import path from 'node:path';
import process from 'node:process';
import { expect, type Page } from 'playwright/test';
import { violations } from './axe.ts';

const FOLDER = process.env['FIREWEED_SCREENS'] ?? 'test-results/screens';

export const VIEWS = {
	desk: { viewport: { width: 1280, height: 800 }, theme: 'light' },
	phone: { viewport: { width: 390, height: 844 }, theme: 'dark' }
} as const;
export type View = keyof typeof VIEWS;

/** Makes the page what `view` is; a phone is touched, and nothing hovers over it. */
export async function seenAs(page: Page, view: View): Promise<void> {
	await page.setViewportSize(VIEWS[view].viewport);
	await page.emulateMedia({ colorScheme: VIEWS[view].theme });
	const devtools = await page.context().newCDPSession(page);
	await devtools.send('Emulation.setTouchEmulationEnabled', { enabled: view === 'phone' });
}

/** Where the picture of a name in a view is kept. */
export const pictureFile = (name: string, view: View): string => path.join(FOLDER, `${name}.${view}.png`);

/** One picture, `<name>.<view>.png`, of what axe finds nothing wrong with; the page keeps the view. */
export async function picture(page: Page, name: string, view: View): Promise<void> {
	await seenAs(page, view);
	await page.bringToFront();
	await page.screenshot({ path: pictureFile(name, view), animations: 'disabled' });
	expect(await violations(page), `${name}, ${view}`).toEqual([]);
}

/** A picture in each view, ending in the desk's. */
export async function pictures(page: Page, name: string): Promise<void> {
	await picture(page, name, 'phone');
	await picture(page, name, 'desk');
}

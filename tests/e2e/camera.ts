/** A browser with a camera that sees a film made for the test. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { chromium, type Browser, type Page } from 'playwright/test';
import { findChromium, LAUNCH_FLAGS } from '../../scripts/chromium.mjs';
import { pictureOf, writeFilm } from '../doubles/film.ts';

/** Opens `url` in a browser whose camera sees codes with these texts, one after the other. */
export async function withCamera(
	texts: readonly string[],
	url: string,
	work: (page: Page) => Promise<void>
): Promise<void> {
	const folder = await mkdtemp(path.join(tmpdir(), 'fireweed-film-'));
	const film = path.join(folder, 'film.y4m');
	await writeFilm(film, texts.map(pictureOf), 5);
	const camera = ['--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream'];
	const browser: Browser = await chromium.launch({
		executablePath: findChromium({ install: false }),
		args: [...LAUNCH_FLAGS, ...camera, `--use-file-for-fake-video-capture=${film}`]
	});
	try {
		const page = await browser.newPage();
		await page.goto(url);
		await work(page);
	} finally {
		await browser.close();
		await rm(folder, { recursive: true, force: true });
	}
}

/** What axe finds wrong on a page, as it stands once nothing moves any more. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Page } from 'playwright/test';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** One line for each place: the rule, the element, and how to mend it. */
export async function violations(page: Page): Promise<string[]> {
	await page.evaluate(AXE);
	return page.evaluate(async () => {
		// A colour on its way to another is neither of the two.
		const moving = document.getAnimations().filter((each) => each instanceof CSSTransition);
		await Promise.all(moving.map(({ finished }) => finished.catch(() => undefined)));
		const { axe } = globalThis as unknown as {
			axe: { run(): Promise<{ violations: { id: string; nodes: { html: string; failureSummary: string }[] }[] }> };
		};
		const found = await axe.run();
		return found.violations.flatMap(({ id, nodes }) =>
			nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 160)} ${failureSummary}`)
		);
	});
}

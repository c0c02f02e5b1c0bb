/** How the app looks: what was chosen is worn before anything is painted, by the page itself, and by the app as the page began it. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { Appearance, densityOf, themeOf, type Wearer } from '#lib/ui/appearance/appearance.svelte.ts';
import { Remembered } from '#lib/ui/remembered.ts';

const PAGE = readFileSync(path.resolve(import.meta.dirname, '../../src/app.html'), 'utf8');

/** A storage that holds these, as a browser's. */
function storage(values: Record<string, string> = {}): Storage {
	const kept = new Map(Object.entries(values));
	return {
		getItem: (key) => kept.get(key) ?? null,
		setItem: (key, value) => void kept.set(key, value),
		removeItem: (key) => void kept.delete(key),
		clear: () => kept.clear(),
		key: () => null,
		get length() {
			return kept.size;
		}
	};
}

/** What the page as it is served has to wear. */
function page(): Wearer & { readonly scheme: { content: string } } {
	const colours = [...PAGE.matchAll(/<meta name="theme-color" data-scheme="(\w+)" media="([^"]+)"/g)].map(
		([, scheme = '', media = '']) => ({ media, dataset: { scheme } })
	);
	expect(colours).toHaveLength(2);
	const [, content = ''] = /<meta name="color-scheme" content="([^"]+)"/.exec(PAGE) ?? [];
	return { root: { dataset: {} }, scheme: { content }, colours };
}

/** Runs the script of the page over it. */
function began(wearer: Wearer, kept: Storage | undefined): Wearer {
	const [, script = ''] = /<script>([\s\S]*?)<\/script>/.exec(PAGE) ?? [];
	expect(script).toContain('fireweed.theme');
	const document = {
		documentElement: wearer.root,
		querySelector: (wanted: string) => (wanted === 'meta[name="color-scheme"]' ? wearer.scheme : null),
		querySelectorAll: (wanted: string) => (wanted === 'meta[name="theme-color"]' ? wearer.colours : [])
	};
	runInNewContext(script, {
		document,
		get localStorage() {
			if (kept === undefined) throw new Error('SecurityError');
			return kept;
		}
	});
	return wearer;
}

const THEMES = [undefined, 'light', 'dark', 'system', 'purple', ''];
const DENSITIES = [undefined, 'compact', 'comfortable', 'vast'];

describe('how the app looks', () => {
	test.each(THEMES.flatMap((theme) => DENSITIES.map((density) => [theme, density] as const)))(
		'the page begins as the app goes on: %s, %s',
		(theme, density) => {
			const kept = storage({
				...(theme !== undefined && { 'fireweed.theme': theme }),
				...(density !== undefined && { 'fireweed.density': density })
			});
			const own = page();
			new Appearance().start(Remembered.ofBrowser(kept), own);
			expect(began(page(), kept)).toEqual(own);
			expect(own.root.dataset['theme']).toBe(theme === 'light' || theme === 'dark' ? theme : undefined);
			expect(own.root.dataset['density']).toBe(density === 'compact' ? 'compact' : undefined);
		}
	);

	test('a browser that keeps nothing looks as the system does, and a choice holds for the visit', () => {
		const own = began(page(), undefined);
		expect(own).toEqual(page());
		const appearance = new Appearance();
		appearance.start(new Remembered(undefined), own);
		appearance.choose({ theme: 'dark' });
		expect(own.root.dataset).toEqual({ theme: 'dark' });
		expect(own.scheme?.content).toBe('dark');
		expect(own.colours.map(({ media }) => media)).toEqual(['not all', 'all']);
	});

	test('a choice is kept, and the system’s is kept as nothing', () => {
		const kept = storage();
		const [one, own] = [new Appearance(), page()];
		one.start(Remembered.ofBrowser(kept), own);
		one.choose({ theme: 'light' });
		one.choose({ density: 'compact' });
		expect([kept.getItem('fireweed.theme'), kept.getItem('fireweed.density')]).toEqual(['light', 'compact']);
		one.choose({ theme: 'system', density: 'comfortable' });
		expect(kept.length).toBe(0);
		expect(own).toEqual(page());
	});

	test('what another tab chose is worn here too', () => {
		const kept = storage();
		const [here, there] = [new Appearance(), new Appearance()];
		const own = page();
		here.start(Remembered.ofBrowser(kept), own);
		there.start(Remembered.ofBrowser(kept), page());
		here.choose({ theme: 'light' });
		there.choose({ theme: 'dark' });
		expect(here.theme).toBe('light');
		here.heard('fireweed.theme');
		expect([here.theme, own.root.dataset['theme']]).toEqual(['dark', 'dark']);
		kept.clear();
		here.heard(null);
		expect([here.theme, own.root.dataset['theme']]).toEqual(['system', undefined]);
	});

	test('strangers’ texts are the defaults', () => {
		expect([themeOf('__proto__'), densityOf('constructor')]).toEqual(['system', 'comfortable']);
	});
});

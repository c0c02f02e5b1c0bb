/**
 * How the app looks: light, dark or as the system does, and how close things stand. Kept in this browser. `src/app.html` puts it on before
 * anything is painted, by the same rules; from then on this does.
 */
import { type Remembered, type BrowserKey } from '../remembered.ts';

export const THEMES = ['system', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];
export const DENSITIES = ['comfortable', 'compact'] as const;
export type Density = (typeof DENSITIES)[number];

/** The theme of this text; what is unknown is the system's. */
export const themeOf = (text: string | undefined): Theme => THEMES.find((one) => one === text) ?? 'system';
/** The density of this text; what is unknown is comfortable. */
export const densityOf = (text: string | undefined): Density => DENSITIES.find((one) => one === text) ?? 'comfortable';

/** What of a page wears it: `<html>`, and the colours it tells the browser around it. */
export interface Wearer {
	readonly root: { readonly dataset: DOMStringMap };
	/** `<meta name="color-scheme">`; absent in a carried page. */
	readonly scheme: { content: string } | undefined;
	/** `<meta name="theme-color" data-scheme="light">` and its dark twin; none in a carried page. */
	readonly colours: readonly { media: string; readonly dataset: DOMStringMap }[];
}

/** Puts it on. */
export function wear({ root, scheme, colours }: Wearer, theme: Theme, density: Density): void {
	if (theme === 'system') delete root.dataset['theme'];
	else root.dataset['theme'] = theme;
	if (density === 'comfortable') delete root.dataset['density'];
	else root.dataset['density'] = density;
	if (scheme) scheme.content = theme === 'system' ? 'light dark' : theme;
	for (const colour of colours) {
		const own = colour.dataset['scheme'];
		if (theme === 'system') colour.media = `(prefers-color-scheme: ${own})`;
		else colour.media = own === theme ? 'all' : 'not all';
	}
}

export class Appearance {
	theme = $state<Theme>('system');
	density = $state<Density>('comfortable');
	#remembered: Remembered<BrowserKey> | undefined;
	#page: Wearer | undefined;

	/** Wears what was chosen before. */
	start(remembered: Remembered<BrowserKey>, page: Wearer): void {
		this.#remembered = remembered;
		this.#page = page;
		this.#read();
	}

	/** Changes it at once and for the next visits. */
	choose({ theme = this.theme, density = this.density }: { theme?: Theme; density?: Density }): void {
		this.#remembered?.set('theme', theme === 'system' ? undefined : theme);
		this.#remembered?.set('density', density === 'comfortable' ? undefined : density);
		this.#read();
	}

	/** Another tab chose. `name` as the `storage` event has it. */
	heard(name: string | null): void {
		this.#remembered?.heard(name);
		this.#read();
	}

	#read(): void {
		this.theme = themeOf(this.#remembered?.get('theme'));
		this.density = densityOf(this.#remembered?.get('density'));
		if (this.#page) wear(this.#page, this.theme, this.density);
	}
}

/** The one appearance of this page. */
export const appearance = new Appearance();

/** Of this page. */
export const pageWearer = (): Wearer => ({
	root: document.documentElement,
	scheme: document.querySelector<HTMLMetaElement>('meta[name="color-scheme"]') ?? undefined,
	colours: [...document.querySelectorAll<HTMLMetaElement>('meta[name="theme-color"][data-scheme]')]
});

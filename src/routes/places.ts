import { afterNavigate, beforeNavigate } from '$app/navigation';

/**
 * The page at one end of a navigation; undefined for what was there before the app, of which SvelteKit knows no address, whatever its types say.
 * What follows a page's address, such as the sheet that stands open over it, makes it no other page.
 */
const pageOf = (end: { readonly url: URL | null } | null) => end?.url?.hash.split('?')[0];

/**
 * Every page is read from its top, and on the way back from where one was. SvelteKit does this for the window; here the part below
 * the strip is what moves. To be called once, by the root layout.
 */
export function keepPlaces(): void {
	const places = new Map<string, number>();
	const moving = () => document.getElementById('main');
	beforeNavigate(({ from }) => {
		const page = pageOf(from);
		if (page !== undefined) places.set(page, moving()?.scrollTop ?? 0);
	});
	afterNavigate(({ from, to, type }) => {
		const [main, page] = [moving(), pageOf(to)];
		if (!main || page === undefined || page === pageOf(from)) return;
		main.scrollTop = type === 'popstate' ? (places.get(page) ?? 0) : 0;
	});
}

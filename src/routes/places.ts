import { afterNavigate, beforeNavigate } from '$app/navigation';

/** What follows a page's address, such as the sheet that stands open over it, makes it no other page. */
const pageOf = (url: URL) => url.hash.split('?')[0] ?? '';

/**
 * Every page is read from its top, and on the way back from where one was. SvelteKit does this for the window; here the part below
 * the strip is what moves. To be called once, by the root layout.
 */
export function keepPlaces(): void {
	const places = new Map<string, number>();
	const moving = () => document.getElementById('main');
	beforeNavigate(({ from }) => {
		if (from) places.set(pageOf(from.url), moving()?.scrollTop ?? 0);
	});
	afterNavigate(({ from, to, type }) => {
		const main = moving();
		// Of what was there before the app, SvelteKit knows no address, whatever its types say.
		if (type === 'enter' || !main || !from || !to || pageOf(from.url) === pageOf(to.url)) return;
		main.scrollTop = type === 'popstate' ? (places.get(pageOf(to.url)) ?? 0) : 0;
	});
}

/**
 * The app inside a frame of another page.
 *
 * How it would be cheated: a page lays the app invisibly under the visitor's pointer and has them press what they do not see: lend, delete,
 * wipe, send. A file on any gateway cannot forbid being framed (that needs a header), so in a frame everything but the badge stays away, and
 * the badge's button works only while the browser vouches that it is seen.
 */

/** Whether this page stands in another one. */
export const isFramed = (): boolean => window.top !== window.self;

/** How long the badge must have been in full sight before a press counts; shorter than reading, longer than sliding under a pointer. */
const SEEN_MS = 1_000;

/** What version 2 of the intersection observer adds (W3C Intersection Observer, "visibility"); Chromium has it. */
interface SeenEntry extends IntersectionObserverEntry {
	readonly isVisible?: boolean;
}
interface SeenOptions extends IntersectionObserverInit {
	readonly trackVisibility: true;
	readonly delay: number;
}

/** Whether this browser can vouch that something is really seen: not covered, not faded, not moved. */
export const canVouch = (): boolean =>
	'IntersectionObserverEntry' in globalThis && 'isVisible' in IntersectionObserverEntry.prototype;

/** Tells when `element` has been in full, uncovered sight for a second, and when it no longer is. Returns how to stop. */
export function watchSeen(element: Element, say: (seen: boolean) => void): () => void {
	let timer: ReturnType<typeof setTimeout> | undefined;
	const options: SeenOptions = { threshold: [0.5, 1], trackVisibility: true, delay: 100 };
	const observer = new IntersectionObserver((entries) => {
		const last: SeenEntry | undefined = entries.at(-1);
		clearTimeout(timer);
		if (last?.isVisible === true && last.intersectionRatio === 1) timer = setTimeout(() => say(true), SEEN_MS);
		else say(false);
	}, options);
	observer.observe(element);
	return () => {
		clearTimeout(timer);
		observer.disconnect();
	};
}

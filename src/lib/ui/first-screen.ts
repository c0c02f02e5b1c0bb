/** When what the first screen does not show may begin: a slow phone draws and listens to keys with the one processor it has. */

/** A tab that is opened behind another is given no frames; what it lends or goes on with must not wait for one. */
const NO_FRAME_MS = 1_000;
/** A tab that neither starts nor fails must not keep the app from being held, or from hearing of a release that mends it. */
const AT_LATEST_MS = 5_000;

const after = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** The browser has nothing left to do; where it has no word for that, the next frame comes. */
function idle(): Promise<unknown> {
	const ask = (globalThis as Partial<typeof globalThis>).requestIdleCallback ?? requestAnimationFrame;
	return new Promise((resolve) => ask(resolve));
}

/** The first picture is drawn, the frame and what stands in it a task later: the tab may be loaded. */
export function drawn(): Promise<unknown> {
	const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
	return Promise.race([frame().then(idle).then(frame).then(idle), after(NO_FRAME_MS)]);
}

/** The tab has `settled`, running or not, and its work is done: what is kept for the next visit may be fetched. */
export function atRest(settled: Promise<void>): Promise<unknown> {
	return Promise.race([settled.then(idle), after(AT_LATEST_MS)]);
}

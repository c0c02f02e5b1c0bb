/** Keeps the screen on (W3C Screen Wake Lock). */

/**
 * Holds the screen on while this tab is looked at, and asks again whenever it comes back: browsers end the lock when a tab is hidden. A
 * browser that refuses (a low battery, a policy) is left in peace. Returns how to stop.
 */
export function keepAwake(): () => void {
	const { wakeLock } = navigator as Partial<Navigator>;
	let held: WakeLockSentinel | undefined;
	let stopped = false;
	const ask = async () => {
		if (wakeLock === undefined || document.hidden || stopped || (held !== undefined && !held.released)) return;
		const got = await wakeLock.request('screen').catch(() => undefined);
		if (stopped) await got?.release();
		else held = got;
	};
	const seen = () => void ask();
	document.addEventListener('visibilitychange', seen);
	void ask();
	return () => {
		stopped = true;
		document.removeEventListener('visibilitychange', seen);
		held?.release().catch(() => {});
	};
}

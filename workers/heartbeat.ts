/**
 * A timer that goes on in hidden tabs. The page posts the interval in milliseconds, the worker posts back once per interval.
 * It does nothing else on purpose: src/lib/mesh/ticker.ts is its only user, and terminating it is how it stops.
 */
const scope = globalThis as unknown as {
	onmessage: ((event: MessageEvent<unknown>) => void) | null;
	postMessage(message: null): void;
};

scope.onmessage = ({ data }) => {
	if (typeof data !== 'number' || !(data > 0)) return;
	scope.onmessage = null;
	setInterval(() => {
		scope.postMessage(null);
	}, data);
};

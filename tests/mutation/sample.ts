/** A share with what chance leaves open, and a drawn sample. Pure. */

/** Wilson's interval of a share at 95 % (E. B. Wilson, 1927). `of` must be positive. */
export function wilson(hits: number, of: number): readonly [number, number] {
	const z = 1.959964;
	const share = hits / of;
	const middle = share + (z * z) / (2 * of);
	const reach = z * Math.sqrt((share * (1 - share)) / of + (z * z) / (4 * of * of));
	const scale = 1 + (z * z) / of;
	return [(middle - reach) / scale, (middle + reach) / scale];
}

/** `count` of `values`, each equally likely, in their own order; all of them when there are no more. `below(n)` draws from 0 to n − 1. */
export function draw<T>(values: readonly T[], count: number, below: (n: number) => number): readonly T[] {
	const left = values.map((_, at) => at);
	const drawn: number[] = [];
	while (drawn.length < count && left.length > 0) {
		const at = below(left.length);
		drawn.push(left[at] as number);
		left[at] = left.at(-1) as number;
		left.pop();
	}
	return drawn.sort((a, b) => a - b).map((at) => values[at] as T);
}

/** Least-squares slope of `values` over `times`: units of value per unit of time. 0 for fewer than two points. */
export function slope(times: readonly number[], values: readonly number[]): number {
	const n = Math.min(times.length, values.length);
	if (n < 2) return 0;
	const mean = (list: readonly number[]) => list.slice(0, n).reduce((sum, each) => sum + each, 0) / n;
	const [t, v] = [mean(times), mean(values)];
	let [above, below] = [0, 0];
	for (let i = 0; i < n; i++) {
		above += ((times[i] as number) - t) * ((values[i] as number) - v);
		below += ((times[i] as number) - t) ** 2;
	}
	return below === 0 ? 0 : above / below;
}

/** Half precision to single, exactly; the library hands it out as bits. */

/** Converts IEEE 754 binary16, given as bits or as the platform's own Float16Array. */
export function fromHalf(half: ArrayLike<number> & ArrayBufferView): Float32Array {
	const bits = new Uint16Array(half.buffer, half.byteOffset, half.length);
	const single = new Float32Array(bits.length);
	for (let i = 0; i < bits.length; i++) single[i] = oneFromHalf(bits[i] as number);
	return single;
}

function oneFromHalf(bits: number): number {
	const sign = bits & 0x8000 ? -1 : 1;
	const exponent = (bits >> 10) & 31;
	const fraction = bits & 1023;
	if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
	// Below the smallest ordinary number there is no hidden one before the fraction.
	return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** The weights files a repository may hold for one model, and which of them is taken. Pure. */
import type { Precision } from '#workers/messages.ts';
import { fit, memoryNeeded, type DeviceFacts } from './fit.ts';

/** A weights file as it is known before it was read. */
export interface Variant {
	/** From the repository's folder. */
	readonly path: string;
	/** With the data beside it. */
	readonly bytes: number | undefined;
	readonly precision: Precision;
}

/** Folders in which weights lie, in the order they are tried. */
export const WEIGHT_FOLDERS = ['onnx/', ''] as const;

/**
 * Names in use, without the ending. A server does not list its folders, so these are asked for one by one; what is called otherwise can be
 * named by its own address.
 */
export const WEIGHT_NAMES = [
	'model_q4',
	'model',
	'model_fp32',
	'model_q8',
	'model_quantized',
	'model_int8',
	'model_fp16',
	'model_q4f16'
] as const;

/** Endings of the one data file that exporters put beside a graph. */
export const DATA_ENDINGS = ['_data', '.data'] as const;

/** What a name promises; the graph itself says later what it is. */
export function promisedBy(path: string): Precision {
	const name = (path.split('/').at(-1) ?? '').replace(/\.onnx$/i, '').toLowerCase();
	if (/q4f16|fp16|f16/.test(name)) return 'fp16';
	if (/q4|bnb4/.test(name)) return 'q4';
	if (/quantized|int8|uint8/.test(name)) return 'int8';
	if (/q8/.test(name)) return 'q8';
	return /fp32|^model$/.test(name) ? 'fp32' : 'unknown';
}

/** Whether answers of such weights can be checked, as far as the name tells: int8 scales its activations by what stands beside them. */
export function promisesChecks(precision: Precision): boolean {
	return precision !== 'int8';
}

/** The one to take: one that fits, then one whose answers can be checked (so that it may be lent), then the smallest. */
export function best<V extends Variant>(
	variants: readonly V[],
	kvBytesPerToken: number,
	contextTokens: number,
	facts: DeviceFacts
): V | undefined {
	const fits = ({ bytes }: Variant) => {
		const memoryBytes = memoryNeeded(bytes ?? 0, kvBytesPerToken, contextTokens);
		return fit({ weightBytes: bytes, largestFileBytes: undefined, memoryBytes, missingBytes: bytes }, facts).fits;
	};
	const rank = (variant: Variant) => (fits(variant) ? 0 : 2) + (promisesChecks(variant.precision) ? 0 : 1);
	const size = ({ bytes }: Variant) => bytes ?? Number.MAX_SAFE_INTEGER;
	return variants.toSorted((a, b) => rank(a) - rank(b) || size(a) - size(b))[0];
}

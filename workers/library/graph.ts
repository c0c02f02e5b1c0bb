/** What a weights file says of itself, read in pieces: from a file that is here as much as it takes, from a server with few requests. */
import { codeOf } from '#lib/protocol/errors.ts';
import { describeGraph, GRAPH_LIMITS } from '../cpu/graph.ts';
import { decoderLayout } from '../cpu/layout.ts';
import type { Precision } from '../messages.ts';
import type { Read } from './place.ts';

export interface Graph {
	readonly precision: Precision;
	/** Whether answers can be checked. */
	readonly verifiable: boolean;
	/** Files beside it that hold tensors, each once. */
	readonly external: readonly string[];
}

/**
 * Over a network: a graph whose tensors lie in other files is read in some ten requests; one with hundreds of tensors inside would take
 * hundreds, so it is left until it is here.
 */
const FROM_AFAR = { bytes: 16 * 1024 * 1024, reads: 24, fields: GRAPH_LIMITS.fields };

/** Refusals: `model-unsupported`, `oversized`, and those of `read`. */
export async function graphIn(read: Read, bytes: number): Promise<Graph> {
	return graph(read, bytes, GRAPH_LIMITS);
}

/** Undefined when it would take too many requests, or the server has no ranges. Refusals: `model-unsupported`, and those of `read`. */
export async function graphFromAfar(read: Read, bytes: number | undefined): Promise<Graph | undefined> {
	if (bytes === undefined) return undefined;
	try {
		return await graph(read, bytes, FROM_AFAR);
	} catch (error) {
		if (codeOf(error) === 'oversized') return undefined;
		throw error;
	}
}

async function graph(read: Read, bytes: number, limits: typeof GRAPH_LIMITS): Promise<Graph> {
	const description = await describeGraph(read, bytes, limits);
	// Turns away what is no decoder of the kind that runs here.
	decoderLayout(description.inputs, description.outputs);
	const { precision } = description;
	return {
		precision,
		verifiable: precision !== 'int8',
		external: [...new Set(description.external.map(({ location }) => location))]
	};
}

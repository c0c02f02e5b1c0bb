/** A channel to an executor in bounded time, and none that comes when nobody waits for it any more. */
import type { Channel, PeerId } from '#lib/ports/mesh.ts';
import { within } from './inbox.ts';
import type { NodePorts } from './ports.ts';

/** Refusals: those of `mesh.open`; `unreachable` when it takes longer than `ms`. */
export async function reach(
	executor: PeerId,
	addresses: readonly string[],
	ms: number,
	{ mesh, clock }: Pick<NodePorts, 'mesh' | 'clock'>,
	signal: AbortSignal
): Promise<Channel> {
	const late = new AbortController();
	const opening = mesh.open(executor, addresses, AbortSignal.any([signal, late.signal]));
	// Given up on, it may still come: nobody would close it.
	opening.then(
		(opened) => {
			if (late.signal.aborted) opened.abort();
		},
		() => undefined
	);
	try {
		return await within(clock, ms, 'unreachable', opening);
	} catch (error) {
		late.abort();
		throw error;
	}
}

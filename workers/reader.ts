/** The reader of a generation, as its worker knows it: how far it has read, and whether it gave up. */
import { STEPS_AHEAD, type ToWorker } from './messages.ts';

/** What the page says of a piece of work under way. */
export interface Reader {
	readonly aborted: boolean;
	/** Waits while the reader is too far behind `made` steps, unless it gave up. */
	keepUp(made: number): Promise<void>;
}

/** Listens on the port of one call. */
export function openReader(port: Pick<MessagePort, 'onmessage'>): Reader {
	const state = { aborted: false, taken: 0, wake: () => {} };
	port.onmessage = ({ data }: MessageEvent<ToWorker>) => {
		if (data.kind === 'abort') state.aborted = true;
		else state.taken = data.steps;
		state.wake();
	};
	return {
		get aborted() {
			return state.aborted;
		},
		keepUp: async (made) => {
			while (!state.aborted && made - state.taken >= STEPS_AHEAD)
				await new Promise<void>((resolve) => (state.wake = resolve));
		}
	};
}

import { describe, expect, it } from 'vitest';
import { openReader } from '#workers/reader.ts';
import { STEPS_AHEAD, TAKEN_EVERY, type ToWorker } from '#workers/messages.ts';

function pair() {
	const port: Pick<MessagePort, 'onmessage'> = { onmessage: null };
	const reader = openReader(port);
	const say = (data: ToWorker) => port.onmessage?.call(port as MessagePort, { data } as MessageEvent);
	/** Whether the worker may make the next step, once everything said was heard. */
	const free = async (made: number) => {
		let open = false;
		void reader.keepUp(made).then(() => (open = true));
		await new Promise((resolve) => setImmediate(resolve));
		return open;
	};
	return { reader, say, free };
}

describe('the reader of a generation', () => {
	it('lets the worker run ahead by one checkpoint interval and no further', async () => {
		const { free } = pair();
		expect(await free(STEPS_AHEAD - 1)).toBe(true);
		expect(await free(STEPS_AHEAD)).toBe(false);
	});
	it('lets it go on as it reads, without ever holding back a reader that reads', async () => {
		const { say, free } = pair();
		for (let made = 1; made < 200; made++) {
			if (made % TAKEN_EVERY === 0) say({ kind: 'taken', steps: made });
			expect(await free(made)).toBe(true);
		}
	});
	it('wakes a worker that waits, for more reading or for a stop', async () => {
		for (const word of [{ kind: 'taken', steps: TAKEN_EVERY }, { kind: 'abort' }] as const) {
			const { reader, say } = pair();
			const waiting = reader.keepUp(STEPS_AHEAD);
			say(word);
			await waiting;
			expect(reader.aborted).toBe(word.kind === 'abort');
		}
	});
});

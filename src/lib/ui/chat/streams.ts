/**
 * The streams of the tab as a chat wants them: one kind of event for both places, and an end whenever the person says stop.
 */
import type { App, LocalEvent, Wish } from '#lib/node/app.ts';
import type { OriginateEvent } from '#lib/node/events.ts';
import { hearDevice, hearMesh, type AnswerMessage, type Place, type Running } from './answering.ts';

/** A stopped engine ends within a step; whoever takes longer than this is not waited for. */
const STOP_PATIENCE_MS = 4000;

/** Both places speak different languages; what is heard is the same. */
export async function* events(
	app: App,
	wish: Wish,
	place: Place,
	signal: AbortSignal
): AsyncGenerator<(state: Running) => Running, void, void> {
	if (place === 'device')
		for await (const event of untilStopped<LocalEvent>(app.answerHere(wish, signal), signal))
			yield (state) => hearDevice(state, event);
	else
		for await (const event of untilStopped<OriginateEvent>(app.answerByMesh(wish, signal), signal))
			yield (state) => hearMesh(state, event);
}

/** An answer that a page before this one began; nothing when there is none to go on with. */
export async function* eventsAgain(
	app: App,
	{ id, text, answer }: AnswerMessage,
	signal: AbortSignal
): AsyncGenerator<(state: Running) => Running, void, void> {
	// A device that was answering has stopped with its page.
	if (answer.by !== 'mesh') return;
	const stream = app.reattach(id, { tokens: answer.tokens, text }, signal);
	for await (const event of untilStopped<OriginateEvent>(stream, signal)) yield (state) => hearMesh(state, event);
}

/**
 * Passes a stream on; once stopped, waits for its end only so long and then throws. A stream that is left before its end is read on in the
 * background: only so does it let go what it holds, and write down how it ended.
 */
async function* untilStopped<T>(stream: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T, void, void> {
	const iterator = stream[Symbol.asyncIterator]();
	const { promise: lastWord, reject } = Promise.withResolvers<never>();
	lastWord.catch(() => {});
	let timer: ReturnType<typeof setTimeout> | undefined;
	const wait = () => (timer = setTimeout(() => reject(new DOMException('stopped', 'AbortError')), STOP_PATIENCE_MS));
	if (signal.aborted) wait();
	else signal.addEventListener('abort', wait, { once: true });
	let over = false;
	try {
		for (;;) {
			const step = iterator.next();
			// One that failed has ended, also when nobody waits for it any more.
			step.then(
				({ done = false }) => (over = done),
				() => (over = true)
			);
			const next = await Promise.race([step, lastWord]);
			if (next.done) return;
			yield next.value;
		}
	} finally {
		if (!over) void readOn(iterator);
		clearTimeout(timer);
		signal.removeEventListener('abort', wait);
	}
}

async function readOn(iterator: AsyncIterator<unknown>): Promise<void> {
	try {
		while (!((await iterator.next()).done ?? false));
	} catch {
		// It has ended, and nobody is left to be told how.
	}
}

/** The value, unless the person stops first. */
export function unlessStopped<T>(value: Promise<T>, signal: AbortSignal): Promise<T> {
	return new Promise((resolve, reject) => {
		signal.addEventListener('abort', () => reject(new DOMException('stopped', 'AbortError')), { once: true });
		value.then(resolve, reject);
	});
}

/**
 * Code and formulas set by a worker that is given little time: hostile input may hang a grammar, and then the worker ends, the text stays
 * as it was written, and the page has not noticed.
 */
import type { Formula, Run, TypesetReply, TypesetRequest } from '#lib/ports/typeset.ts';

/** What is used of a Worker. */
export interface TypesetWorker {
	postMessage(request: TypesetRequest): void;
	terminate(): void;
	onmessage: ((event: MessageEvent<unknown>) => void) | null;
	onerror: ((event: ErrorEvent) => void) | null;
}

/** Ample for 50 kB of code on a slow phone; far less than a reader waits. */
const TIME_MS = 2_000;
/** A worker that cannot be loaded (offline, and never kept) is tried again after this. */
const AGAIN_MS = 30_000;
/** Longer code stays as it is. */
const LONGEST_CODE = 50_000;
/** Results remembered: a message that is scrolled out of sight and back is not set anew. */
const REMEMBERED = 300;

type Wanted =
	| { readonly job: 'code'; readonly language: string; readonly text: string }
	| { readonly job: 'formula'; readonly text: string; readonly display: boolean };
type Made = readonly Run[] | Formula | undefined;

export class Typesetter {
	readonly #make: () => TypesetWorker;
	readonly #made = new Map<string, Promise<Made>>();
	#worker: Promise<TypesetWorker | undefined> | undefined;
	#tail: Promise<unknown> = Promise.resolve();
	#id = 0;

	/** Makes no worker until something is asked. */
	constructor(make: () => TypesetWorker) {
		this.#make = make;
	}

	/** Runs of `text`; undefined when it stays as it is. */
	async code(language: string, text: string): Promise<readonly Run[] | undefined> {
		if (language === '' || text.length > LONGEST_CODE) return undefined;
		return (await this.#ask({ job: 'code', language: language.toLowerCase(), text })) as readonly Run[] | undefined;
	}

	/** The formula; undefined when it stays as it is. */
	async formula(text: string, display: boolean): Promise<Formula | undefined> {
		return (await this.#ask({ job: 'formula', text, display })) as Formula | undefined;
	}

	#ask(wanted: Wanted): Promise<Made> {
		const key = JSON.stringify(wanted);
		const known = this.#made.get(key);
		if (known) return known;
		const oldest = this.#made.keys().next();
		if (this.#made.size >= REMEMBERED && !oldest.done) this.#made.delete(oldest.value);
		// One after another: a time can only be kept of one that runs.
		const made = this.#tail.then(() => this.#run(wanted));
		this.#tail = made;
		this.#made.set(key, made);
		return made;
	}

	async #run(wanted: Wanted): Promise<Made> {
		this.#worker ??= this.#start();
		const worker = await this.#worker;
		if (!worker) return undefined;
		const request: TypesetRequest = { ...wanted, id: ++this.#id };
		return new Promise((resolve) => {
			const end = (made: Made) => {
				clearTimeout(timer);
				worker.onmessage = worker.onerror = null;
				resolve(made);
			};
			const giveUp = () => {
				worker.terminate();
				this.#worker = undefined;
				end(undefined);
			};
			const timer = setTimeout(giveUp, TIME_MS);
			worker.onerror = giveUp;
			worker.onmessage = ({ data }) => {
				const reply = data as TypesetReply;
				if (reply.id === request.id) end(reply.job === 'code' ? reply.runs : reply.formula);
			};
			worker.postMessage(request);
		});
	}

	/** A worker that said it is ready; undefined when it cannot be loaded. */
	#start(): Promise<TypesetWorker | undefined> {
		return new Promise((resolve) => {
			const failed = () => {
				setTimeout(() => (this.#worker = undefined), AGAIN_MS);
				this.#made.clear();
				resolve(undefined);
			};
			try {
				const worker = this.#make();
				worker.onerror = failed;
				worker.onmessage = () => resolve(worker);
			} catch {
				failed();
			}
		});
	}
}

/** The one of this page. */
export const typesetter = new Typesetter(
	() =>
		new Worker(new URL('../../../../workers/typeset.ts', import.meta.url), {
			type: 'module',
			name: 'fireweed-typeset'
		})
);

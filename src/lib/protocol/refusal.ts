/**
 * A refusal, apart from the table of its codes: the loader refuses too, and its bytes must not change because a sentence of the table did.
 */
import type { Code } from './errors.ts';

/** The one error type that crosses folders. `detail` is for developers and never holds a prompt, an answer or a key. */
export class Refusal extends Error {
	readonly code: Code;
	readonly detail: string | undefined;
	/** With `busy`: ms after which asking again makes sense. */
	readonly retryMs: number | undefined;
	constructor(code: Code, detail?: string, retryMs?: number) {
		super(detail === undefined ? code : `${code} (${detail})`);
		this.name = 'Refusal';
		this.code = code;
		this.detail = detail;
		this.retryMs = retryMs;
	}
}

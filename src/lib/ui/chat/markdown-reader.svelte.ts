/**
 * Reads Markdown once that is needed: building the library's patterns takes a slow phone longer than anything else before its first screen, so it
 * comes with the first conversation that is opened or begun.
 */
import type { Marked, Token } from 'marked';
import { mathBlock, mathInline } from './mathematics.ts';

/** A conversation waits so long for it, ms, rather than be shown in two forms, one after the other. */
const PATIENCE_MS = 1_000;

class MarkdownReader {
	#marked = $state.raw<Marked | undefined>();
	#coming: Promise<void> | undefined;

	/**
	 * Loads it, once. Resolves also when it does not come (no network, and nothing kept yet): answers are then shown as they were written, and the
	 * next call tries again. Never rejects.
	 */
	load(): Promise<void> {
		this.#coming ??= import('marked').then(
			({ Marked }) => {
				this.#marked = new Marked({ gfm: true, breaks: true, extensions: [mathBlock, mathInline] });
			},
			() => {
				this.#coming = undefined;
			}
		);
		return this.#coming;
	}

	/** Resolves when it is loaded, or has been waited for long enough. */
	soon(): Promise<unknown> {
		return Promise.race([this.load(), new Promise((resolve) => setTimeout(resolve, PATIENCE_MS))]);
	}

	/** The tokens of `text`; undefined until it is loaded. Whoever shows them is told when that changes. Throws what the library throws. */
	lexed(text: string): readonly Token[] | undefined {
		return this.#marked?.lexer(text);
	}
}

export const markdown = new MarkdownReader();

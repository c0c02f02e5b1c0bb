/**
 * Makes code of the catalogues: `src/lib/ui/language/messages/fa.json` (ICU MessageFormat, one file for each language) becomes a module
 * of small functions when the app is built. Nothing is parsed in the page, and `eval`, which the page's policy forbids, is not needed.
 */
import { readFile } from 'node:fs/promises';
import MessageFormat from '@messageformat/core';
import compileModule from '@messageformat/core/lib/compile-module.js';
import type { Plugin } from 'vite';

const CATALOGUE = /\/language\/messages\/([a-z]+)\.json$/;
/** Begins and ends the made module's name: it is no file, and nothing shall take it for JSON. */
const MADE = '\0messages:';
const END = '.js';

/** The code of one catalogue. Throws on a message that is not well-formed, or that uses a plural form its language does not have. */
export function compiled(language: string, messages: Readonly<Record<string, string>>): string {
	return compileModule(new MessageFormat(language, { strict: true, biDiSupport: false }), messages);
}

/** Vite plugin: an import of a catalogue gives its functions, in a file whose name tells the language. */
export function messages(): Plugin {
	return {
		name: 'fireweed:messages',
		enforce: 'pre',
		resolveId: {
			filter: { id: /messages\/[a-z]+\.json$/ },
			async handler(source, importer) {
				const found = await this.resolve(source, importer, { skipSelf: true });
				return found && CATALOGUE.test(found.id) ? MADE + found.id + END : null;
			}
		},
		load: {
			filter: { id: /^\0messages:/ },
			async handler(id) {
				const file = id.slice(MADE.length, -END.length);
				const [, language] = CATALOGUE.exec(file) ?? [];
				if (language === undefined) return null;
				this.addWatchFile(file);
				return { code: compiled(language, JSON.parse(await readFile(file, 'utf8'))), moduleType: 'js' };
			}
		},
		outputOptions(options) {
			const before = options.chunkFileNames;
			if (before === undefined) return null;
			return {
				...options,
				// By this name the service worker knows what only some readers need (workers/precache.ts).
				chunkFileNames: (chunk) => {
					const [, language] = CATALOGUE.exec((chunk.facadeModuleId ?? '').slice(0, -END.length)) ?? [];
					const name = typeof before === 'function' ? before(chunk) : before;
					return language === undefined ? name : name.replace(/[^/]*$/, `language-${language}-[hash].js`);
				}
			};
		}
	};
}

/**
 * Code in its colours: a syntax tree by lowlight (highlight.js without a page), flattened to runs of a few kinds. Pure, and no
 * markup on the way; but its grammars are regular expressions, so hostile code may take for ever: whoever calls ends it (typeset.ts).
 */
import bash from 'highlight.js/lib/languages/bash';
import c from 'highlight.js/lib/languages/c';
import cpp from 'highlight.js/lib/languages/cpp';
import csharp from 'highlight.js/lib/languages/csharp';
import css from 'highlight.js/lib/languages/css';
import diff from 'highlight.js/lib/languages/diff';
import go from 'highlight.js/lib/languages/go';
import ini from 'highlight.js/lib/languages/ini';
import java from 'highlight.js/lib/languages/java';
import javascript from 'highlight.js/lib/languages/javascript';
import json from 'highlight.js/lib/languages/json';
import kotlin from 'highlight.js/lib/languages/kotlin';
import lua from 'highlight.js/lib/languages/lua';
import markdown from 'highlight.js/lib/languages/markdown';
import php from 'highlight.js/lib/languages/php';
import python from 'highlight.js/lib/languages/python';
import r from 'highlight.js/lib/languages/r';
import ruby from 'highlight.js/lib/languages/ruby';
import rust from 'highlight.js/lib/languages/rust';
import shell from 'highlight.js/lib/languages/shell';
import sql from 'highlight.js/lib/languages/sql';
import swift from 'highlight.js/lib/languages/swift';
import typescript from 'highlight.js/lib/languages/typescript';
import xml from 'highlight.js/lib/languages/xml';
import yaml from 'highlight.js/lib/languages/yaml';
import { createLowlight } from 'lowlight';
import type { Run } from '#lib/ports/typeset.ts';

/** What models write most; each is a kilobyte or three, and all of them are kept offline. */
const LANGUAGES = {
	...{ bash, c, cpp, csharp, css, diff, go, ini, java, javascript, json, kotlin, lua, markdown, php, python, r, ruby },
	...{ rust, shell, sql, swift, typescript, xml, yaml }
};

/** The kinds that are drawn differently; every other scope of highlight.js is ordinary text. */
const KINDS: Readonly<Record<string, string>> = {
	...{ keyword: 'word', 'selector-tag': 'word', meta: 'word', operator: '', tag: '', name: 'word', doctag: 'word' },
	...{ string: 'string', regexp: 'string', char: 'string', addition: 'string', code: 'string', quote: 'note' },
	...{ number: 'value', literal: 'value', symbol: 'value', variable: 'value', link: 'value', attribute: 'value' },
	...{ title: 'name', section: 'name', type: 'name', built_in: 'name', attr: 'name', class: 'name', property: 'name' },
	...{ comment: 'note', deletion: 'gone' }
};

type Tree = ReturnType<ReturnType<typeof createLowlight>['highlight']>;
type Node = Tree['children'][number];

/** The runs of `text`, whose texts together are `text`; undefined for a language that is not known. */
export function highlighter(): (language: string, text: string) => readonly Run[] | undefined {
	const lowlight = createLowlight(LANGUAGES);
	return (language, text) => {
		if (!lowlight.registered(language)) return undefined;
		const runs: Run[] = [];
		const add = (kind: string, more: string) => {
			const last = runs.at(-1);
			if (last?.kind === kind) runs[runs.length - 1] = { kind, text: last.text + more };
			else if (more !== '') runs.push({ kind, text: more });
		};
		const walk = (nodes: readonly Node[], kind: string): void => {
			for (const node of nodes) {
				if (node.type === 'text') add(kind, node.value);
				else if (node.type === 'element')
					walk(node.children as readonly Node[], kindOf(node.properties['className']) ?? kind);
			}
		};
		walk(lowlight.highlight(language, text).children, '');
		return runs;
	};
}

function kindOf(classes: unknown): string | undefined {
	const first = Array.isArray(classes) ? String(classes[0]).replace('hljs-', '') : '';
	return Object.hasOwn(KINDS, first) ? KINDS[first] : undefined;
}

/** The catalogues: whole, alike, and with the plural forms of their language; and no word on a screen beside them. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parse as parseMessage, type Token } from '@messageformat/parser';
import { parse as parseComponent, type AST } from 'svelte/compiler';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';
import { compiled } from '../../scripts/messages.ts';
import { catalogueOf, ENGLISH, type Key, type Values } from '#lib/ui/language/catalogues.ts';
import { Speech, speech as pageSpeech, type LanguageComponents } from '#lib/ui/language/language.svelte.ts';
import { fittingLanguage, languageOf, LANGUAGES, localeOf } from '#lib/ui/language/languages.ts';
import { bytes, textSize } from '#lib/ui/numbers.ts';
import { FIXED_TEXTS } from '#lib/node/fixed.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const CATALOGUES = 'src/lib/ui/language/messages';

const read = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8');
const messagesOf = (code: string) => JSON.parse(read(`${CATALOGUES}/${code}.json`)) as Record<string, string>;
const english = messagesOf('en');

// ── The catalogues ───────────────────────────────────────────────────────────────────────────────────────────────────

interface Shape {
	/** Names of places outside and inside of choices. */
	readonly places: readonly string[];
	/** For each place that is counted, the forms there are. */
	readonly plurals: readonly (readonly string[])[];
}

/** What a message is made of. */
function shapeOf(message: string): Shape {
	const places = new Set<string>();
	const plurals: string[][] = [];
	const walk = (tokens: readonly Token[]) => {
		for (const token of tokens) {
			if (token.type === 'argument') places.add(token.arg);
			if (!('cases' in token)) continue;
			places.add(`${token.arg}, ${token.type}`);
			if (token.type === 'plural')
				plurals.push(token.cases.map(({ key }) => key).filter((key) => !key.startsWith('=')));
			for (const each of token.cases) walk(each.tokens);
		}
	};
	walk(parseMessage(message, { strict: true }));
	return { places: [...places].sort(), plurals };
}

/** The forms that whole numbers below a million take; what only fractions and millions take may be left to `other`. */
function formsOf(code: string): Set<string> {
	const rules = new Intl.PluralRules(code);
	const samples = [...Array.from({ length: 1200 }, (_, n) => n), 5000, 11_111, 100_000, 999_999];
	return new Set([...samples.map((n) => rules.select(n)), 'other']);
}

describe('the catalogues', () => {
	test('there is one for each language, and no other', () => {
		const files = readdirSync(path.join(ROOT, CATALOGUES)).map((name) => name.replace('.json', ''));
		expect(files.sort()).toEqual(LANGUAGES.map(({ code }) => code).sort());
	});

	test.each(LANGUAGES.map(({ code }) => code))('%s has every message and none besides', (code) => {
		expect(Object.keys(messagesOf(code)).sort()).toEqual(Object.keys(english).sort());
	});

	test.each(LANGUAGES.map(({ code }) => code))('%s has the same places in each message', (code) => {
		for (const [key, message] of Object.entries(messagesOf(code)))
			expect(shapeOf(message).places, `${code} ${key}`).toEqual(shapeOf(english[key] ?? '').places);
	});

	test.each(LANGUAGES.map(({ code }) => code))(
		'%s has the plural forms of its language wherever something is counted',
		(code) => {
			const forms = formsOf(code);
			for (const [key, message] of Object.entries(messagesOf(code)))
				for (const found of shapeOf(message).plurals) {
					// Where the words are the same for any number, `other` alone says so.
					if (found.length === 1) expect(found, `${code} ${key}`).toEqual(['other']);
					else expect(new Set(found), `${code} ${key}`).toEqual(forms);
				}
		}
	);

	test.each(LANGUAGES.map(({ code }) => code))(
		'%s keeps the link of a message, and is no message left empty',
		(code) => {
			for (const [key, message] of Object.entries(messagesOf(code))) {
				expect(message.trim(), `${code} ${key}`).not.toBe('');
				const links = (text: string) => text.match(/\[[^\]{]*\]/g)?.length ?? 0;
				expect(links(message), `${code} ${key}`).toBe(links(english[key] ?? ''));
			}
		}
	);

	test.each(LANGUAGES.slice(1).map(({ code }) => code))(
		'%s is a translation: next to nothing is left in English',
		(code) => {
			const own = messagesOf(code);
			const long = Object.keys(english).filter((key) => /[a-z]{3,} [a-z]{3,}/.test(english[key] ?? ''));
			expect(long.filter((key) => own[key] === english[key])).toEqual([]);
		}
	);

	test('a message that is broken, or has a plural form its language lacks, fails the build', () => {
		expect(() => compiled('en', { a: '{n, plural, one {# job}' })).toThrow();
		expect(() => compiled('zh', { a: '{n, plural, one {# job} other {# jobs}}' })).toThrow();
		expect(compiled('ru', { a: '{n, plural, one {# a} few {# b} many {# c} other {# d}}' })).toContain('few');
	});

	test('the fixed answers stand in the English catalogue word for word as they are given', () => {
		for (const [topic, text] of Object.entries(FIXED_TEXTS)) expect(english[`fixed.${topic}`]).toBe(text);
	});
});

// ── The language of the page ─────────────────────────────────────────────────────────────────────────────────────────

/** A page whose browser wants these languages. */
function page(wanted: readonly string[], kept: Record<string, string> = {}): LanguageComponents & { kept: Storage } {
	const storage = {
		getItem: (key: string) => kept[key] ?? null,
		setItem: (key: string, value: string) => void (kept[key] = value),
		removeItem: (key: string) => void delete kept[key]
	} as unknown as Storage;
	return { wanted, kept: storage, page: { lang: 'en', dir: 'ltr' }, fetch: catalogueOf };
}

describe('the language of the page', () => {
	test('is the first of the browser’s that there is, else English', () => {
		expect(fittingLanguage(['de-AT', 'fa-IR', 'en']).code).toBe('fa');
		expect(fittingLanguage(['zh-Hant-TW']).code).toBe('zh');
		expect(fittingLanguage(['de']).code).toBe('en');
		expect(fittingLanguage([]).code).toBe('en');
		expect(languageOf('__proto__')).toBeUndefined();
		expect(localeOf(LANGUAGES[0] as (typeof LANGUAGES)[0], ['de', 'en-GB'])).toBe('en-GB');
	});

	test('changes there and back without a reload, marks the page, and is kept', async () => {
		const speech = new Speech();
		const at = page(['en-US']);
		await speech.start(at);
		expect(speech.say('all.this-device')).toBe('This device');
		await speech.choose('fa');
		expect(speech.say('all.this-device')).toBe('این دستگاه');
		expect(at.page).toEqual({ lang: 'fa', dir: 'rtl' });
		expect(speech.say('number.messages', { n: 12 })).toBe('۱۲ پیام');
		const next = new Speech();
		await next.start({ ...page(['en-US']), kept: at.kept });
		expect(next.language.code).toBe('fa');
		await speech.choose(undefined);
		expect(speech.say('number.messages', { n: 1 })).toBe('1 message');
		expect(at.page).toEqual({ lang: 'en', dir: 'ltr' });
	});

	test('a number keeps its unit beside it, whichever way the line runs', async () => {
		await pageSpeech.start(page(['fa']));
		try {
			expect(bytes(5_400_000)).toMatch(/^\u2068۵٫۴.*\u2069$/u);
			expect(textSize(3_000)).toMatch(/^\u2068.*\u2069$/u);
		} finally {
			await pageSpeech.start(page(['en-US']));
		}
		expect(bytes(5_400_000)).toBe('5.4 MB');
	});

	test('stays as it is when the words of another cannot be had', async () => {
		const speech = new Speech();
		const away = { ...page(['fa']), fetch: () => Promise.reject(new Error('offline')) };
		await speech.start(away);
		expect(speech.language.code).toBe('en');
		await expect(speech.choose('ru')).rejects.toThrow('offline');
		expect([speech.language.code, speech.chosen, away.page?.lang]).toEqual(['en', undefined, 'en']);
	});

	test('starts where the browser refuses to keep anything', async () => {
		const speech = new Speech();
		const getItem = () => {
			throw new DOMException('no', 'SecurityError');
		};
		await speech.start({ ...page(['es-MX']), kept: { getItem, setItem: getItem, removeItem: getItem } });
		expect(speech.language.code).toBe('es');
		await speech.choose('tr');
		expect(speech.language.code).toBe('tr');
		expect(speech.locale).toBe('tr');
	});
});

// ── The screens ──────────────────────────────────────────────────────────────────────────────────────────────────────

const screens = ['src/lib/ui', 'src/routes'].flatMap((folder) =>
	readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' })
		.filter((name) => /\.(svelte|ts)$/.test(name))
		.map((name) => `${folder}/${name}`)
);

/** Words that are the same in every language, or that no reader of the screen is meant to read. */
const NOT_WORDS =
	/^(Fireweed|Markdown|JSON|Escape|Enter|AbortError|NotAllowedError|Files|Top-[pk]|IntersectionObserverEntry|ArrowUp|ArrowDown|Comma|Slash|Dead|AltGraph|Ctrl|Alt|Shift|Meta|Control|fireweed conversations|light dark|not all|https:\S+)$/;
/** What looks like words and is none: addresses, selectors, markup, names of keys and files. */
const MARKS = /^(https:|#\/|\[data-|<iframe|\.json|[a-z]+\/[a-z]|\(|M\d|[a-z-]+(,\s?[a-z-]+)+$)/;
/** Whose words are not the screen's: what is written for those who mend Fireweed, what is said to a model, what goes into a file. */
const SPOKEN_ELSEWHERE: readonly string[] = [
	'src/lib/ui/network/diagnostics.ts',
	'src/lib/ui/language/languages.ts',
	'src/lib/ui/chat/EmptyChat.svelte: What is',
	'src/lib/ui/chat/EmptyChat.svelte: Tell me',
	'src/lib/ui/chat/EmptyChat.svelte: Who can',
	'src/lib/ui/chat/attachments.ts: File ',
	'src/lib/ui/transfer/markdown-file.ts',
	'src/lib/ui/badge/BadgeCode.svelte: <iframe'
];

const hasWord = (text: string) => /\p{L}{2}/u.test(text);
const looksLikeWords = (text: string) =>
	(/\p{L}{2,}[,.;:]? \p{L}/u.test(text) || /^\p{Lu}\p{Ll}+/u.test(text) || /\p{L}…$/u.test(text)) &&
	!NOT_WORDS.test(text) &&
	!MARKS.test(text);

/** Words for readers that stand in a file beside the catalogue. */
function wordsIn(file: string, text: string): string[] {
	const found: string[] = [];
	const add = (words: string) => {
		const line = `${file}: ${words.replaceAll(/\s+/g, ' ').trim()}`;
		if (!SPOKEN_ELSEWHERE.some((each) => line.startsWith(each))) found.push(line);
	};
	const code = (source: string) => {
		const walk = (node: ts.Node) => {
			if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node) || ts.isTypeNode(node)) return;
			if (ts.isCallExpression(node) && /^(t|querySelector|closest)$/.test(lastName(node.expression))) return;
			if (ts.isNewExpression(node) && /Error|Refusal/.test(node.expression.getText())) return;
			if (ts.isStringLiteralLike(node) && looksLikeWords(node.text)) add(node.text);
			if (ts.isTemplateExpression(node)) {
				const whole = [node.head.text, ...node.templateSpans.map(({ literal }) => literal.text)].join('¤');
				if (
					looksLikeWords(whole.replaceAll('¤', ' ¤ ').trim()) ||
					/ \p{L}{2,} /u.test(` ${whole.replaceAll('¤', ' ')} `)
				)
					if (!MARKS.test(whole) && hasWord(whole) && / |^\p{Lu}/u.test(whole)) add(whole);
			}
			ts.forEachChild(node, walk);
		};
		walk(ts.createSourceFile('x.ts', source, ts.ScriptTarget.Latest, true));
	};
	if (file.endsWith('.ts')) {
		code(text);
		return found;
	}
	const root = parseComponent(text, { modern: true, filename: file });
	for (const script of [root.module, root.instance]) {
		if (script) code(text.slice((script.content as unknown as Span).start, (script.content as unknown as Span).end));
	}
	const walk = (node: unknown): void => {
		if (Array.isArray(node)) return node.forEach(walk);
		if (typeof node !== 'object' || node === null || !('type' in node)) return;
		const { type, ...rest } = node as { type: string };
		if (type === 'Text') {
			const { data } = node as AST.Text;
			if (hasWord(data) && !NOT_WORDS.test(data.trim())) add(data);
			return;
		}
		if (type === 'Attribute') {
			const { name, value } = node as AST.Attribute;
			const parts = Array.isArray(value) ? value : value === true ? [] : [value];
			for (const part of parts) {
				if (part.type === 'ExpressionTag') walk(part);
				else if (UNREAD.test(name)) continue;
				else if (READ_OUT.test(name) ? hasWord(part.data) && !MARKS.test(part.data) : looksLikeWords(part.data))
					add(part.data);
			}
			return;
		}
		const expression = EXPRESSIONS.map((key) => (node as Record<string, unknown>)[key]).filter(isSpan);
		for (const { start, end } of expression) code(`(${text.slice(start, end)})`);
		for (const [key, value] of Object.entries(rest)) if (!EXPRESSIONS.includes(key)) walk(value);
	};
	walk(root.fragment);
	return found;
}

interface Span {
	readonly start: number;
	readonly end: number;
}
const isSpan = (value: unknown): value is Span => typeof value === 'object' && value !== null && 'start' in value;
/** Attributes that are shown or read out. */
const READ_OUT = /^(aria-label|aria-description|aria-roledescription|title|placeholder|alt|label)$/;
/** What no reader meets. */
const UNREAD = /^(class|style|accept|rel|d|viewBox|autocomplete|allow|sandbox)$/;
const EXPRESSIONS = ['expression', 'test', 'declaration', 'key', 'context'];

function lastName(node: ts.Expression): string {
	return ts.isPropertyAccessExpression(node) ? node.name.text : node.getText();
}

/** Every message asked for in a file, and what is put into its places; undefined where that is not written out. */
function asked(text: string): { readonly keys: readonly string[]; readonly values: readonly string[] | undefined }[] {
	const found: { keys: string[]; values: string[] | undefined }[] = [];
	for (const [start] of [...text.matchAll(/(?<![\w.$])t\(/g)].map((match) => [match.index])) {
		const source = ts.createSourceFile('x.ts', text.slice(start), ts.ScriptTarget.Latest, true);
		const [statement] = source.statements;
		if (!statement || !ts.isExpressionStatement(statement)) continue;
		let call: ts.Node = statement.expression;
		while (!ts.isCallExpression(call) || call.expression.getText() !== 't') {
			const [first] = call.getChildren();
			if (!first) break;
			call = first;
		}
		if (!ts.isCallExpression(call)) continue;
		const [key, values] = call.arguments;
		if (!key) continue;
		const keys: string[] = [];
		const literals = (node: ts.Node): void => {
			if (ts.isConditionalExpression(node)) [node.whenTrue, node.whenFalse].forEach(literals);
			else if (ts.isStringLiteralLike(node)) keys.push(node.text);
		};
		literals(key);
		const given =
			values === undefined
				? []
				: ts.isObjectLiteralExpression(values)
					? values.properties.map((property) => property.name?.getText() ?? '')
					: undefined;
		found.push({ keys, values: given });
	}
	return found;
}

describe('the screens', () => {
	test.each(screens)('%s says nothing beside the catalogue', (file) => {
		expect(wordsIn(file, read(file))).toEqual([]);
	});

	test('words beside the catalogue are found, wherever they stand', () => {
		const component = `<script lang="ts">
			const said = 'Nothing was sent.';
			let { n } = $props();
		</script>
		<p>Hello there</p><button aria-label="close">{t('all.copy')}</button>
		<Icon label="Open it" />{n > 1 ? 'many words' : ''}<b title={\`Rename \${n}\`}></b>`;
		const found = wordsIn('x.svelte', component).map((line) => line.replace('x.svelte: ', ''));
		expect(found.sort()).toEqual(['Hello there', 'Nothing was sent.', 'Open it', 'Rename ¤', 'close', 'many words']);
		expect(wordsIn('x.ts', "const a = t('all.copy'); const b = 'mesh'; throw new Error('not for readers');")).toEqual(
			[]
		);
	});

	test('every message is asked for with what its places need', () => {
		for (const file of screens)
			for (const { keys, values } of asked(read(file)))
				for (const key of keys) {
					const places = new Set(shapeOf(english[key] ?? '').places.map((place) => place.replace(/,.*/, '')));
					if (values !== undefined) expect(new Set(values), `${file} ${key}`).toEqual(places);
				}
	});

	test('no message is left that nobody asks for', () => {
		const all = screens.map(read).join('\n');
		const unused = Object.keys(english).filter((key) => !all.includes(`'${key}'`) && !key.startsWith('fixed.'));
		expect(unused).toEqual([]);
	});

	test('every message says something with anything in its places', () => {
		for (const [key, message] of Object.entries(english)) {
			const values: Values = Object.fromEntries(
				shapeOf(message).places.map((place) => [place.replace(/,.*/, ''), place.endsWith(', plural') ? 2 : 'x'])
			);
			expect(ENGLISH[key as Key](values), key).not.toMatch(/undefined|NaN|\{|\}/);
		}
	});
});

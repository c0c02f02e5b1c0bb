/** Answers are hostile input: what the reader makes of them may hold no image, no tag, no script, and no link that opens by itself. */
import fc from 'fast-check';
import { render } from 'svelte/server';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import Blocks from '#lib/ui/chat/Blocks.svelte';
import { markdown } from '#lib/ui/chat/markdown-reader.svelte.ts';
import { GrowingMarkdown, openable, parse, withTurnersShown } from '#lib/ui/chat/markdown.ts';

const html = (text: string): string =>
	render(Blocks, { props: { blocks: parse(text), onlink: () => {} } }).body.replaceAll(/<!--.*?-->/g, '');

test('until its reader is loaded an answer stands as it was written; then it is read anew, whatever was shown of it', async () => {
	// Copies of their own: another file may have had the reader loaded.
	vi.resetModules();
	const fresh = await import('#lib/ui/chat/markdown.ts');
	const { markdown } = await import('#lib/ui/chat/markdown-reader.svelte.ts');
	const growing = new fresh.GrowingMarkdown();
	const written = '# Title\n\nwords **stressed**';
	expect(growing.update('# Title')).toEqual([{ kind: 'paragraph', parts: [{ kind: 'text', text: '# Title' }] }]);
	expect(growing.update(written)).toEqual([{ kind: 'paragraph', parts: [{ kind: 'text', text: written }] }]);
	await markdown.load();
	expect(growing.update(written).map(({ kind }) => kind)).toEqual(['heading', 'paragraph']);
	expect(growing.update(`${written} more`)).toEqual(parse(`${written} more`));
});

beforeAll(() => markdown.load());

/** All that a rendered answer may consist of. */
const TAGS = new Set(
	'p h3 h4 h5 h6 ul ol li blockquote figure figcaption pre code table thead tbody tr th td div span strong em del br hr button bdi svg path'.split(
		' '
	)
);
const ATTRIBUTES =
	/^(class|dir|type|title|start|role|aria-[a-z]+|tabindex|scope|style|width|height|viewbox|fill|stroke[a-z-]*|focusable|d)$/;

/** Every tag and attribute of a piece of HTML. Text and values are escaped, so what looks like a tag is one. */
function outlaws(body: string): string[] {
	const found: string[] = [];
	for (const [, name = '', rest = ''] of body.matchAll(/<([a-z][\w-]*)((?:\s+[^\s=>"]+(?:="[^"]*")?)*)\s*\/?>/gi)) {
		if (!TAGS.has(name.toLowerCase())) found.push(name);
		for (const [, attribute = '', value = ''] of rest.matchAll(/\s([^\s=>"]+)(?:="([^"]*)")?/g)) {
			if (!ATTRIBUTES.test(attribute.toLowerCase())) found.push(`${name} ${attribute}`);
			if (attribute === 'style' && !/^text-align: ?(start|end|center);?$/.test(value)) found.push(`style ${value}`);
		}
	}
	if (/<(?![/a-z!])/i.test(body)) found.push('a bare <');
	return found;
}

const HOSTILE = [
	'<script>alert(1)</script>',
	'<img src=x onerror=alert(1)>',
	'hello <b onmouseover="alert(1)">you</b>',
	'![x](https://evil.example/pixel.png)',
	'![x][1]\n\n[1]: https://evil.example/pixel.png',
	'[click](javascript:alert(1))',
	'[click](JaVaScRiPt:alert(1))',
	'[click](java\nscript:alert(1))',
	'[click](&#106;avascript:alert(1))',
	'[click](data:text/html,<script>alert(1)</script>)',
	'[click](vbscript:x) [click](file:///etc/passwd) [click](blob:x) [click](//evil.example)',
	'<javascript:alert(1)> <https://evil.example/?q=<script>>',
	'<style>*{display:none}</style>',
	'<iframe src="https://evil.example"></iframe>',
	'<svg onload=alert(1)><a xlink:href="javascript:alert(1)">x</a></svg>',
	'<!-- --><form action="https://evil.example"><input name=q></form>',
	'```"><img src=x onerror=alert(1)>\ncode\n```',
	'```html\n<script>alert(1)</script>\n```',
	'| a | b |\n| :-: | -: |\n| <img src=x> | ![x](https://evil.example) |',
	'> <marquee>x</marquee>\n> - <object data=x>',
	'- [ ] <input type=checkbox autofocus onfocus=alert(1)>',
	'[a](https://x.example "onclick=\'alert(1)\'")',
	'# <a href="https://evil.example">x</a>',
	`${'>'.repeat(500)} deep`,
	`${'- '.repeat(400)}deep`,
	'*'.repeat(20_000),
	`${'['.repeat(5_000)}${']'.repeat(5_000)}`,
	'\u0000\u202e<img>'
];

describe('markdown', () => {
	test.each(HOSTILE.map((text) => [text.slice(0, 60), text]))('%j stays harmless', (_, text) => {
		const began = performance.now();
		const body = html(text);
		expect(outlaws(body)).toEqual([]);
		expect(body).not.toMatch(/<(img|script|iframe|a|style|form|input|object|svg[^>]*onload)\b/i);
		expect(performance.now() - began).toBeLessThan(3_000);
	});

	test('nothing but the known tags and attributes comes out of any text', () => {
		const piece = fc.oneof(
			fc.string(),
			fc.constantFrom(
				...HOSTILE.slice(0, 24),
				'\n\n',
				'\n',
				'`',
				'*',
				'$',
				'$$',
				'\\\\(',
				'\\\\]',
				'| a |',
				'\n---\n',
				'1. '
			)
		);
		fc.assert(
			fc.property(fc.array(piece, { maxLength: 12 }), (parts) => {
				expect(outlaws(html(parts.join('')))).toEqual([]);
			}),
			{ numRuns: 300 }
		);
	});

	test('what a person should see is there', () => {
		expect(html('**bold** `code`')).toContain('<strong>bold</strong>');
		expect(html('![cat](https://x.example/a.png)')).toContain('[Image: cat] (');
		expect(html('![cat](https://x.example/a.png)')).toContain('https://x.example/a.png');
		expect(html('<b>raw</b>')).toContain('&lt;b>raw&lt;/b>');
		expect(html('[words](javascript:alert(1))')).toContain('javascript:alert(1)');
		expect(html('[words](https://x.example/a)')).toMatch(
			/<button type="button" class="link[^>]*title="https:\/\/x\.example\/a"/
		);
		expect(html('# Title')).toContain('<h3');
	});

	test('addresses that may be opened', () => {
		expect(openable('https://x.example/ü')).toBe('https://x.example/%C3%BC');
		expect(openable('HTTPS://X.example')).toBe('https://x.example/');
		expect(openable('mailto:a@b.example')).toBe('mailto:a@b.example');
		// An international name is shown as it is resolved, so that a look-alike is seen.
		expect(openable('https://аpple.example')).toMatch(/^https:\/\/xn--/);
		for (const address of [
			'javascript:alert(1)',
			' javascript:1',
			'data:text/html,x',
			'file:///x',
			'//x',
			'/x',
			'#x',
			'https://bank.example@evil.example'
		])
			expect(openable(address)).toBeUndefined();
	});

	test('marks that turn the direction are seen in code, not obeyed', () => {
		expect(withTurnersShown('a\u202eb\u2066c')).toBe('a⟨U+202E⟩b⟨U+2066⟩c');
		expect(html('`a\u202eb`')).toContain('⟨U+202E⟩');
	});

	test('mathematics by all four marks; prices and lone dollars are none', () => {
		const maths = (text: string) => {
			const found: string[] = [];
			JSON.stringify(parse(text), (_, value) => {
				if (value?.kind === 'math') found.push(value.text);
				return value;
			});
			return found;
		};
		expect(maths('the area $\\pi r^2$, or \\(a+b\\), of $x$-axis')).toEqual(['\\pi r^2', 'a+b', 'x']);
		expect(maths('$$\na\n- b\n= c\n$$\n\nand \\[x\\]')).toEqual(['a\n- b\n= c', 'x']);
		expect(maths('text\n\\[\n\\frac{1}{2}\n\\]\nmore')).toEqual(['\\frac{1}{2}']);
		expect(maths('It costs $5 and $10, or $ 7 $; \\$x\\$ and `$y$`')).toEqual([]);
		expect(maths('$$never closed\n\n$$'), 'a blank line ends it').toEqual([]);
		expect(maths('```\n$$x$$\n```')).toEqual([]);
		expect(html('$<b>$'), 'as written until it is set').toMatch(/<code [^>]*dir="ltr"[^>]*>&lt;b><\/code>/);
	});

	test('a growing text ends as the whole would, at every step', () => {
		const text =
			'# One\n\ntext *with* marks\n\n- a\n- b\n\n- c\n\n1. x\n2. y\n\n```js\nlet a = 1;\n\nlet b;\n```\n\n> quote\n> more\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n<div>raw\n</div>\n\n$$\na\n- b\n\nnot closed\n$$\nx\n= y\n$$\nafter\n\n\\\\[ z \\\\] $i$ costs $5\n\nend\r\nof it';
		const growing = new GrowingMarkdown();
		for (let length = 1; length <= text.length; length++)
			expect(growing.update(text.slice(0, length)), `after ${length}`).toEqual(parse(text.slice(0, length)));
		expect(growing.update('other')).toEqual(parse('other'));
	});
});

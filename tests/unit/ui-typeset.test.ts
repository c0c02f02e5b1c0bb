/** Code and formulas as data: nothing but named kinds comes out, no letter is lost, and what hangs is ended. */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Formula, TypesetRequest } from '#lib/ports/typeset.ts';
import { Typesetter, type TypesetWorker } from '#lib/ui/chat/typeset.ts';
import { formulaOf } from '#workers/formula.ts';
import { highlighter } from '#workers/highlight.ts';

const highlight = highlighter();

describe('code', () => {
	test('runs of the known kinds, whose texts together are the code', () => {
		const text = 'const a: number = 1; // note\nfunction b() { return `x${a}`; }';
		const runs = highlight('ts', text) ?? [];
		expect(runs.map((run) => run.text).join('')).toBe(text);
		expect(runs).toContainEqual({ kind: 'word', text: 'const' });
		expect(runs).toContainEqual({ kind: 'note', text: '// note' });
		expect(highlight('klingon', 'x')).toBeUndefined();
		expect(highlight('constructor', 'x')).toBeUndefined();
	});

	test('whatever the code, no letter is lost and no kind is new', () => {
		const languages = fc.constantFrom(
			'js',
			'python',
			'html',
			'md',
			'bash',
			'rust',
			'sql',
			'yaml',
			'cpp',
			'php',
			'diff'
		);
		const piece = fc.oneof(
			fc.string(),
			fc.constantFrom(
				'<script>alert(1)</script>',
				'"',
				"'",
				'`',
				'/*',
				'#{',
				'<?php',
				'${',
				'\n',
				'<img src=x>',
				'\u202e'
			)
		);
		fc.assert(
			fc.property(languages, fc.array(piece, { maxLength: 20 }), (language, parts) => {
				const text = parts.join('');
				const runs = highlight(language, text) ?? [];
				expect(runs.map((run) => run.text).join('')).toBe(text);
				for (const run of runs) expect(['', 'word', 'string', 'value', 'name', 'note', 'gone']).toContain(run.kind);
			}),
			{ numRuns: 200 }
		);
	});
});

const nodesOf = (formula: Formula): Exclude<Formula, string>[] =>
	typeof formula === 'string' ? [] : [formula, ...formula.children.flatMap(nodesOf)];
const lettersOf = (formula: Formula): string =>
	typeof formula === 'string' ? formula : formula.children.map(lettersOf).join('');

describe('formulas', () => {
	test('what people and models write is set', () => {
		for (const [tex, letters] of [
			['\\frac{a}{b}+\\sqrt[3]{x_1^2}', 'ab+x123'],
			['\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}', '(1234)'],
			['\\left(\\sum_{i=0}^n i\\right)', '(∑i=0ni)'],
			['\\begin{aligned}a&=b\\\\c&=d\\end{aligned}', 'a=bc=d'],
			['\\int_0^\\infty e^{-x}\\,dx', '∫0∞e−xdx'],
			['\\text{if } x \\in \\mathbb{R}', 'if x∈ℝ']
		] as const) {
			const formula = formulaOf(tex, true);
			expect(
				formula &&
					lettersOf(formula)
						.replaceAll(/[\s\u2061-\u2064\u00a0]+/g, ' ')
						.replaceAll(' ', ''),
				tex
			).toBe(letters.replaceAll(' ', ''));
		}
		expect(formulaOf('\\frac{a', true)).toBeUndefined();
		expect(formulaOf('\\nosuchthing', true)).toBeUndefined();
	});

	test('no link, picture, colour, style or far shift comes through', () => {
		for (const tex of [
			'\\href{javascript:alert(1)}{x}',
			'\\url{https://evil.example}',
			'\\includegraphics{https://evil.example/p.png}',
			'\\class{button primary}{x}',
			'\\style{position:fixed;inset:0}{x}',
			'\\htmlData{x=y}{z}',
			'\\id{main}{x}',
			'\\color{red}{x}\\colorbox{white}{y}\\boxed{z}\\fcolorbox{red}{blue}{a}',
			'\\kern-100em x\\rule{100em}{100em}\\raisebox{90em}{x}',
			'\\def\\x{\\x\\x}\\x',
			'\\text{<img src=x onerror=alert(1)>}'
		]) {
			const formula = formulaOf(tex, false);
			if (!formula) continue;
			const text = JSON.stringify(nodesOf(formula).map(({ tag, attributes }) => [tag, attributes]));
			expect(text, tex).not.toMatch(/href|src|"style"|color|background|script:|\d\dem|button|"id"|<a|<img/i);
		}
		expect(formulaOf('{'.repeat(3_000) + 'x' + '}'.repeat(3_000), true)).toBeUndefined();
		expect(formulaOf('x'.repeat(60_000), true)).toBeUndefined();
	});

	test('whatever is written: only elements and attributes of mathematics', () => {
		const piece = fc.oneof(
			fc.string({ maxLength: 6 }),
			fc.constantFrom(
				...['\\frac', '{', '}', '^', '_', '&', '\\\\', '\\left(', '\\right)', '\\begin{matrix}', '\\end{matrix}'],
				...['\\text{', '\\color{red}', '\\href{x}', '\\hspace{3em}', '\\mathbb', '\\sum', '\\cancel{x}', '\\def\\a{b}']
			)
		);
		fc.assert(
			fc.property(fc.array(piece, { maxLength: 14 }), fc.boolean(), (parts, display) => {
				const formula = formulaOf(parts.join(''), display);
				for (const { tag, attributes } of formula ? nodesOf(formula) : []) {
					expect(tag).toMatch(/^(math|none|m[a-z]+)$/);
					for (const [name, value] of Object.entries(attributes)) {
						expect(name).toMatch(/^[a-z]+$/);
						expect(name).not.toMatch(/^(on|style|href|src|id)/);
						expect(value).toMatch(/^[\w.+-]{1,24}$/);
					}
				}
			}),
			{ numRuns: 300 }
		);
	});
});

describe('the typesetter', () => {
	beforeEach(() => void vi.useFakeTimers());
	afterEach(() => void vi.useRealTimers());

	/** Workers that answer as `react` says, and are counted. */
	function made(
		react: (request: TypesetRequest, worker: TypesetWorker) => void,
		load = (worker: TypesetWorker) => worker.onmessage?.({ data: 'ready' } as never)
	) {
		const workers: (TypesetWorker & { ended: boolean })[] = [];
		const typesetter = new Typesetter(() => {
			const worker = {
				ended: false,
				onmessage: null,
				onerror: null,
				postMessage: (request: TypesetRequest) => queueMicrotask(() => react(request, worker)),
				terminate: () => void (worker.ended = true)
			} as TypesetWorker & { ended: boolean };
			workers.push(worker);
			queueMicrotask(() => load(worker));
			return worker;
		});
		return { typesetter, workers };
	}
	const reply = (request: TypesetRequest, worker: TypesetWorker) =>
		worker.onmessage?.({ data: { id: request.id, job: 'code', runs: [{ kind: '', text: request.text }] } } as never);

	test('makes no worker before it is asked, one for all, and sets nothing twice', async () => {
		let asked = 0;
		const { typesetter, workers } = made((request, worker) => (asked++, reply(request, worker)));
		expect(workers).toHaveLength(0);
		const [first, second] = await Promise.all([typesetter.code('js', 'a'), typesetter.code('js', 'b')]);
		expect([first?.[0]?.text, second?.[0]?.text]).toEqual(['a', 'b']);
		await typesetter.code('JS', 'a');
		expect([workers.length, asked]).toEqual([1, 2]);
		expect(await typesetter.code('', 'a')).toBeUndefined();
		expect(await typesetter.code('js', 'x'.repeat(50_001))).toBeUndefined();
		expect(asked).toBe(2);
	});

	test('ends a worker that hangs, and the next is set by another', async () => {
		const { typesetter, workers } = made((request, worker) => {
			if (request.text !== 'hang') reply(request, worker);
		});
		const hung = typesetter.code('js', 'hang');
		const after = typesetter.code('js', 'fine');
		await vi.advanceTimersByTimeAsync(2_001);
		expect(await hung).toBeUndefined();
		expect((await after)?.[0]?.text).toBe('fine');
		expect(workers.map(({ ended }) => ended)).toEqual([true, false]);
	});

	test('a worker that cannot be loaded leaves everything as it is, and is tried again later', async () => {
		let broken = true;
		const { typesetter, workers } = made(reply, (worker) =>
			broken ? worker.onerror?.({} as never) : worker.onmessage?.({ data: 'ready' } as never)
		);
		expect(await typesetter.code('js', 'a')).toBeUndefined();
		expect(await typesetter.code('js', 'b')).toBeUndefined();
		expect(workers).toHaveLength(1);
		broken = false;
		await vi.advanceTimersByTimeAsync(30_001);
		expect((await typesetter.code('js', 'c'))?.[0]?.text).toBe('c');
	});
});

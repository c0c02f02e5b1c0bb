/**
 * A formula in TeX as a tree of MathML by Temml, of which only named elements and attributes are let through. Colours, links, borders,
 * backgrounds and every style are left out: a formula of an answer may show mathematics and nothing that could pass for a part of the app.
 */
import temml from 'temml';
import type { Formula } from '#lib/ports/typeset.ts';

const TAGS = new Set(
	(
		'math mrow mi mn mo mtext mspace mfrac msqrt mroot msub msup msubsup munder mover munderover mmultiscripts mprescripts ' +
		'mtable mtr mtd mpadded mphantom mstyle none'
	).split(' ')
);

/** A length of less than ten times the size of the text, either way. */
const LENGTH = /^[+-]?\d?(\.\d{1,6})?em$/;
const WORD = /^[a-z-]{1,24}$/;
const NUMBER = /^[+-]?\d(\.\d{1,4})?$/;
const FLAG = /^(true|false)$/;

const ATTRIBUTES: Readonly<Record<string, RegExp>> = {
	...{ display: /^(block|inline)$/, displaystyle: FLAG, scriptlevel: NUMBER, mathvariant: WORD, form: WORD },
	...{
		fence: FLAG,
		stretchy: FLAG,
		separator: FLAG,
		largeop: FLAG,
		movablelimits: FLAG,
		symmetric: FLAG,
		accent: FLAG
	},
	...{ accentunder: FLAG, lspace: LENGTH, rspace: LENGTH, minsize: LENGTH, maxsize: LENGTH, linethickness: LENGTH },
	...{ width: LENGTH, height: LENGTH, depth: LENGTH, voffset: LENGTH }
};

/** Columns of a system of equations, which Temml tells by class. */
const SIDES: Readonly<Record<string, string>> = { 'tml-left': 'left', 'tml-right': 'right' };

/** No formula that is read has more. */
const MOST_NODES = 5_000;
const DEEPEST = 80;

/** What is relied on of Temml's tree; its makers call it unstable, so the version is exact and a test draws every kind of node. */
interface TemmlNode {
	readonly type?: unknown;
	readonly text?: unknown;
	readonly attributes?: unknown;
	readonly children?: unknown;
	readonly classes?: unknown;
}

/** The formula, or undefined when it cannot be read or is too large to draw. */
export function formulaOf(text: string, display: boolean): Formula | undefined {
	let tree: TemmlNode;
	try {
		tree = temml.__renderToMathMLTree(text, {
			displayMode: display,
			throwOnError: true,
			trust: false,
			annotate: false,
			maxExpand: 500
		}) as TemmlNode;
	} catch {
		return undefined;
	}
	let nodes = 0;
	const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
	const walk = (value: unknown, depth: number): readonly Formula[] | undefined => {
		if (++nodes > MOST_NODES || depth > DEEPEST) return undefined;
		const node = (value ?? {}) as TemmlNode;
		if (typeof node.text === 'string') return [node.text];
		const children: Formula[] = [];
		for (const child of listOf(node.children)) {
			const made = walk(child, depth + 1);
			if (made === undefined) return undefined;
			children.push(...made);
		}
		// A fragment, or an element that is not let through: what it holds stands in its place.
		if (typeof node.type !== 'string' || !TAGS.has(node.type)) return children;
		return [{ tag: node.type, attributes: attributesOf(node), children }];
	};
	const made = walk(tree, 0);
	return made?.length === 1 && typeof made[0] === 'object' && made[0].tag === 'math' ? made[0] : undefined;
}

function attributesOf({ attributes, classes }: TemmlNode): Record<string, string> {
	const kept: Record<string, string> = {};
	for (const [name, value] of Object.entries({ ...(attributes ?? {}) }))
		if (Object.hasOwn(ATTRIBUTES, name) && ATTRIBUTES[name]?.test(String(value))) kept[name] = String(value);
	for (const name of Array.isArray(classes) ? classes : [])
		if (Object.hasOwn(SIDES, String(name))) kept['class'] = SIDES[String(name)] ?? '';
	return kept;
}

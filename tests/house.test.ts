/**
 * The rules of the house, held: who may import whom, what a file may be called, how long it may grow, and words that would rot.
 *
 * The rules are one function from files to findings, so that the tests below can plant each violation and see it found.
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';

const ROOT = path.resolve(import.meta.dirname, '..');

// ── The table ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** What one folder may import beside itself. Types of ports and protocol are allowed everywhere and are not listed. */
interface Rights {
	/** Folders whose values it may import. A trailing `.ts` names one file. */
	readonly rings: readonly string[];
	/** Folders or files it may import types of, and nothing else. */
	readonly types?: readonly string[];
	/** Packages by name or by scope; `any` except for those in `never`. */
	readonly packages: readonly string[] | 'any';
	readonly never?: readonly string[];
	/** Whether it may use Node's own modules. */
	readonly node?: boolean;
}

const RIM: Rights = { rings: ['*'], packages: 'any', node: true };
const PORT_MAKER: Rights = {
	rings: ['protocol', 'ports'],
	packages: 'any',
	never: ['$app', '@sveltejs/kit', 'svelte']
};
const PURE: Rights = { rings: ['protocol'], packages: [] };

/** house.md, "Who may import whom", as data. */
const TABLE: Record<string, Rights> = {
	protocol: { rings: [], packages: ['@noble', 'multiformats', '@ipld/dag-cbor'] },
	market: PURE,
	verify: PURE,
	ledger: PURE,
	plan: PURE,
	ports: { rings: [], packages: [] },
	node: { rings: ['ports', 'protocol', 'market', 'verify', 'ledger', 'plan'], packages: [] },
	mesh: PORT_MAKER,
	engine: { ...PORT_MAKER, rings: ['protocol', 'ports', 'workers/messages.ts', 'models'] },
	store: PORT_MAKER,
	keys: PORT_MAKER,
	doors: PORT_MAKER,
	rails: PORT_MAKER,
	survival: PORT_MAKER,
	ui: {
		rings: ['src/lib/node/events.ts'],
		types: ['node', 'protocol'],
		packages: 'any',
		never: ['libp2p', '@libp2p', 'onnxruntime-web', 'idb']
	},
	// The offline shell must stand even where the tab cannot start: docs/decisions/offline-shell-before-the-tab.md
	// Where everything is deleted no tab may start: docs/decisions/moving-house.md
	// It judges signatures with the browser's own arithmetic: docs/decisions/first-screen.md
	routes: {
		rings: [
			...['ui', 'src/lib/tab.ts', 'src/lib/survival/shell.ts', 'src/lib/keys/crypto.ts'],
			...['src/lib/survival/wipe.ts', 'src/lib/survival/tidings.ts']
		],
		packages: ['svelte', '$app']
	},
	tab: RIM,
	workers: {
		rings: [
			// One verifier for page, worker and scripts: docs/decisions/loader.md
			...['protocol', 'verify', 'engine', 'src/lib/survival/release.ts'],
			// A release from gateways nobody has to trust, before any page runs: docs/decisions/loader.md
			...['src/lib/survival/gateways/elsewhere.ts', 'src/lib/survival/gateways/patience.ts'],
			// The boot of a carried copy is built as a file of its own: docs/decisions/carried-file.md
			...['src/lib/survival/carried/boot.ts', 'src/lib/survival/root.ts', 'src/lib/survival/floor.ts']
		],
		packages: 'any',
		never: ['$app', '@sveltejs/kit', 'svelte', 'libp2p', '@libp2p']
	},
	'service-worker': { rings: ['workers', 'src/lib/survival/root.ts'], packages: [] },
	relay: {
		rings: ['protocol', 'mesh', 'ports'],
		packages: 'any',
		never: ['$app', '@sveltejs/kit', 'svelte'],
		node: true
	},
	rim: RIM
};

/** The relay introduces; what passes between two strangers is none of its business. Held for everything it imports, however far away. */
const RELAY_NEVER_REACHES = [
	'src/lib/protocol/assignment.ts',
	'src/lib/protocol/frame.ts',
	'src/lib/node/originate.ts'
];

/** The top level is the user's. */
const TOP_LEVEL = new Set([
	...['README.md', 'LICENSE', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md'],
	...['package.json', 'package-lock.json', 'svelte.config.js', 'vite.config.ts', 'tsconfig.json', 'eslint.config.js'],
	...['.prettierrc', '.prettierignore', '.gitignore', '.npmrc', '.ci'],
	...[
		'src',
		'workers',
		'relay',
		'gateway',
		'static',
		'tests',
		'contracts',
		'bench',
		'docs',
		'models',
		'patches',
		'scripts'
	]
]);

const LONGEST_FILE_LINES = 500;
const LONGEST_PAGE_LINES = 79;
const LONGEST_README_LINES = 199;

/** An exception: one dated row with its reason. It ends by itself, and it must be used while it stands. */
interface Exception {
	readonly rule: string;
	/** A file, or a folder when it ends with a slash. */
	readonly file: string;
	/** How the excused findings begin. */
	readonly what: string;
	readonly reason: string;
	readonly expires: `${number}-${number}-${number}`;
}

const EXCEPTIONS: readonly Exception[] = [
	{
		rule: 'imports',
		file: 'src/lib/survival/carried/boot.ts',
		what: '(computed)',
		reason:
			'a carried page has no folder to import from: its modules are blobs made from files it has checked (carried-file.md)',
		expires: '2027-11-21'
	}
];

// ── From files to findings ───────────────────────────────────────────────────────────────────────────────────────────

interface Finding {
	readonly rule: string;
	readonly file: string;
	readonly what: string;
}

interface Import {
	readonly specifier: string;
	/** Erased before anything runs. */
	readonly typeOnly: boolean;
}

type Files = ReadonlyMap<string, string>;

/** Every finding in `files` (path from the checkout's root → text). */
function findings(files: Files): Finding[] {
	const found: Finding[] = [];
	const add = (rule: string, file: string, what: string) => found.push({ rule, file, what });
	for (const [file, text] of files) {
		nameRules(file, add);
		if (isCode(file)) codeRules(file, text, add);
		if (file.endsWith('.md')) wordRules(file, text, files, add);
		const isOurs = !/^(models|patches)\//.test(file) && file !== 'package-lock.json' && file !== 'tests/house.test.ts';
		if (isOurs && /\b(TODO|FIXME)\b/.test(text))
			add('unfinished', file, 'says TODO or FIXME; open an issue or finish it');
	}
	relayReach(files, add);
	return found;
}

type Add = (rule: string, file: string, what: string) => void;

function nameRules(file: string, add: Add): void {
	const steps = file.split('/');
	if (!TOP_LEVEL.has(steps[0] ?? '')) add('top-level', file, `${steps[0]} is not in the top level's list`);
	for (const step of steps) {
		if (/(^|[^a-z])(utils?|helpers?|common|misc|managers?)([^a-z]|$)/i.test(step)) {
			add('names', file, `"${step}" says nothing; a helper lives with its only user or earns a noun`);
		}
	}
}

function codeRules(file: string, text: string, add: Add): void {
	const ring = ringOf(file);
	const lines = text.split('\n').length - 1;
	const isTest = file.startsWith('tests/');
	if (lines > LONGEST_FILE_LINES && !isTest && file !== 'src/lib/tab.ts') add('length', file, `${lines} lines`);
	if (/^src\/routes\/.*\+page\.svelte$/.test(file) && lines > LONGEST_PAGE_LINES) {
		add('length', file, `a page places components; ${lines} lines are more than placing`);
	}
	for (const { text: script, isInstance } of scriptsOf(file, text)) {
		const source = ts.createSourceFile(file, script, ts.ScriptTarget.Latest, true, scriptKind(file));
		for (const found of importsOf(source)) {
			const why = importFault(file, ring, found);
			if (why) add('imports', file, `${found.specifier}: ${why}`);
		}
		for (const statement of source.statements) {
			const mutable =
				ts.isVariableStatement(statement) &&
				(statement.declarationList.flags & ts.NodeFlags.Const) === 0 &&
				!isAmbient(statement);
			if (mutable && !isTest && !isInstance)
				add('module-state', file, `module-level ${statement.getText().slice(0, 60)}`);
		}
		visit(source, (node) => {
			if (node.kind === ts.SyntaxKind.AnyKeyword) add('any', file, `any at ${lineOf(source, node)}`);
			if (isConsole(node) && !mayPrint(file)) add('console', file, `console at ${lineOf(source, node)}; take a Log`);
		});
	}
}

function importFault(file: string, ring: string, { specifier, typeOnly }: Import): string | undefined {
	const rights = TABLE[ring];
	if (!rights) return `folder ${ring} is not in the table`;
	const target = resolve(file, specifier);
	if (target === undefined) {
		if (specifier === COMPUTED) return rights === RIM ? undefined : 'a computed import() cannot be checked';
		if (specifier.startsWith('node:')) return rights.node ? undefined : `${ring} has no Node`;
		return packageFault(ring, rights, specifier);
	}
	if (!/\.(ts|svelte|mjs|js|json|css|svg|wasm|onnx|txt)(\?url|\?raw|\?worker&url)?$/.test(specifier))
		return 'names a file without its extension';
	const to = ringOf(target);
	if (to === ring || rights.rings.includes('*')) return undefined;
	if (typeOnly && (to === 'ports' || to === 'protocol')) return undefined;
	const names = [to, target, target.replace(/\?.*$/, '')];
	if (ring === 'relay' && RELAY_NEVER_REACHES.includes(target)) return 'the relay never sees this';
	if (rights.rings.some((each) => names.includes(each) || target === each || `${to}/${path.basename(target)}` === each))
		return undefined;
	if (typeOnly && rights.types?.some((each) => names.includes(each))) return undefined;
	return `${ring} may not import ${to}${rights.types?.includes(to) ? ' except its types' : ''}`;
}

function packageFault(ring: string, rights: Rights, specifier: string): string | undefined {
	const isOf = (name: string) => specifier === name || specifier.startsWith(`${name}/`);
	if (rights.never?.some(isOf)) return `${ring} never uses ${specifier}`;
	if (rights.packages === 'any' || rights.packages.some(isOf)) return undefined;
	return `${ring} may not use the package ${specifier}`;
}

/** Follows imports that survive into running code, from every file of the relay. */
function relayReach(files: Files, add: Add): void {
	for (const start of [...files.keys()].filter((file) => file.startsWith('relay/') && isCode(file))) {
		const from = new Map<string, string>([[start, '']]);
		for (const file of from.keys()) {
			if (RELAY_NEVER_REACHES.includes(file)) {
				const steps = [];
				for (let step = file; step; step = from.get(step) ?? '') steps.unshift(step);
				add('relay-reach', start, steps.join(' → '));
			}
			for (const { specifier, typeOnly } of importsIn(file, files.get(file) ?? '')) {
				const target = resolve(file, specifier);
				if (!typeOnly && target && files.has(target) && !from.has(target)) from.set(target, file);
			}
		}
	}
}

function wordRules(file: string, text: string, files: Files, add: Add): void {
	const prose = text.replaceAll(/```[\s\S]*?```/g, '');
	for (const [, target = ''] of prose.matchAll(/\]\(([^)\s]+)(?:\s+"[^"]*")?\)/g)) {
		if (/^[a-z]+:/i.test(target) || target.startsWith('#')) continue;
		const aim = path.posix
			.normalize(path.posix.join(path.posix.dirname(file), target.replace(/#.*$/, '')))
			.replace(/\/$/, '');
		const exists = files.has(aim) || [...files.keys()].some((each) => each.startsWith(`${aim}/`));
		if (!exists) add('links', file, `${target} leads nowhere`);
	}
	const scripts = (JSON.parse(files.get('package.json') ?? '{}') as { scripts?: Record<string, string> }).scripts ?? {};
	for (const [, run, short] of text.matchAll(/npm (?:run ([\w:.-]*\w)|(start|test)\b)/g)) {
		const name = run ?? short ?? '';
		if (!Object.hasOwn(scripts, name)) add('npm-scripts', file, `npm run ${name} does not exist`);
	}
	if (file === 'README.md' && text.split('\n').length - 1 > LONGEST_README_LINES)
		add('length', file, 'the README is too long');
	if (/^docs\/decisions\/.*\.md$/.test(file) && !file.endsWith('/README.md')) {
		if (!/^\d{4}-\d{2}-\d{2}\b/m.test(text)) add('decisions', file, 'has no date');
		if (!/^## Refused\b/m.test(text)) add('decisions', file, 'does not say what was refused');
		if (!/^## What is bad about it\b/m.test(text)) add('decisions', file, 'does not say what is bad about it');
	}
}

// ── Reading code ─────────────────────────────────────────────────────────────────────────────────────────────────────

const COMPUTED = '(computed)';

/** The row of the table a file stands under. */
function ringOf(file: string): string {
	if (file === 'src/lib/tab.ts') return 'tab';
	if (/^(relay|gateway)\/main\.ts$/.test(file)) return 'rim';
	const lib = /^src\/lib\/([^/]+)\//.exec(file);
	if (lib?.[1]) return lib[1];
	if (/^src\/routes\//.test(file)) return 'routes';
	if (file === 'src/service-worker.ts') return 'service-worker';
	// A model named by an engine is an address (`?url`), not code.
	if (/^(workers|relay|models)\//.test(file)) return file.split('/')[0] ?? '';
	return 'rim';
}

/** Where an import leads inside the checkout; undefined for packages and Node's modules. */
function resolve(file: string, specifier: string): string | undefined {
	if (specifier.startsWith('#lib/')) return path.posix.normalize(`src/lib/${specifier.slice(5)}`);
	if (specifier.startsWith('#workers/')) return path.posix.normalize(`workers/${specifier.slice(9)}`);
	if (specifier.startsWith('$lib')) return path.posix.normalize(`src/lib${specifier.slice(4)}`);
	if (specifier.startsWith('./$types')) return undefined;
	if (specifier.startsWith('.')) return path.posix.join(path.posix.dirname(file), specifier);
	return undefined;
}

function importsIn(file: string, text: string): Import[] {
	return isCode(file)
		? scriptsOf(file, text).flatMap(({ text: script }) =>
				importsOf(ts.createSourceFile(file, script, ts.ScriptTarget.Latest, true, scriptKind(file)))
			)
		: [];
}

function importsOf(source: ts.SourceFile): Import[] {
	const found: Import[] = [];
	const add = (node: ts.Node | undefined, typeOnly: boolean) => {
		const isText = node !== undefined && ts.isStringLiteralLike(node);
		found.push({ specifier: isText ? node.text : COMPUTED, typeOnly });
	};
	visit(source, (node) => {
		if (ts.isImportDeclaration(node)) {
			const clause = node.importClause;
			const named = clause?.namedBindings;
			const onlyTypes =
				!clause?.name &&
				named &&
				ts.isNamedImports(named) &&
				named.elements.length > 0 &&
				named.elements.every((each) => each.isTypeOnly);
			add(node.moduleSpecifier, clause?.phaseModifier === ts.SyntaxKind.TypeKeyword || onlyTypes === true);
		} else if (ts.isExportDeclaration(node) && node.moduleSpecifier) {
			const clause = node.exportClause;
			const onlyTypes =
				clause &&
				ts.isNamedExports(clause) &&
				clause.elements.length > 0 &&
				clause.elements.every((each) => each.isTypeOnly);
			add(node.moduleSpecifier, node.isTypeOnly || onlyTypes === true);
		} else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
			add(node.argument.literal, true);
		} else if (ts.isImportEqualsDeclaration(node) && ts.isExternalModuleReference(node.moduleReference)) {
			add(node.moduleReference.expression, node.isTypeOnly);
		} else if (ts.isCallExpression(node) && isLoad(node.expression)) {
			add(node.arguments[0], false);
		}
	});
	return found;
}

/** `import(...)` or a bare `require(...)`. */
function isLoad(callee: ts.Expression): boolean {
	return callee.kind === ts.SyntaxKind.ImportKeyword || (ts.isIdentifier(callee) && callee.text === 'require');
}

/** The scripts in a file. The instance script of a component runs once per component: its `let` is not module state. */
function scriptsOf(file: string, text: string): { text: string; isInstance: boolean }[] {
	if (!file.endsWith('.svelte')) return [{ text, isInstance: false }];
	return [...text.matchAll(/<script([^>]*)>([\s\S]*?)<\/script>/g)].map(([, attributes = '', script = '']) => ({
		text: script,
		isInstance: !/\bmodule\b/.test(attributes)
	}));
}

function isCode(file: string): boolean {
	return /\.(ts|mts|js|mjs|svelte)$/.test(file) && !/^(patches|models|static)\//.test(file);
}

function scriptKind(file: string): ts.ScriptKind {
	return /\.m?js$/.test(file) ? ts.ScriptKind.JS : ts.ScriptKind.TS;
}

function isAmbient(statement: ts.VariableStatement): boolean {
	return statement.modifiers?.some((each) => each.kind === ts.SyntaxKind.DeclareKeyword) === true;
}

function isConsole(node: ts.Node): boolean {
	return ts.isPropertyAccessExpression(node) && ts.isIdentifier(node.expression) && node.expression.text === 'console';
}

/** Programs print; everything else takes a Log. `logger.ts` is the Log that prints. */
function mayPrint(file: string): boolean {
	return /^(scripts|bench|tests)\//.test(file) || file === 'relay/main.ts' || path.basename(file) === 'logger.ts';
}

function visit(node: ts.Node, each: (node: ts.Node) => void): void {
	each(node);
	ts.forEachChild(node, (child) => visit(child, each));
}

function lineOf(source: ts.SourceFile, node: ts.Node): string {
	return `line ${source.getLineAndCharacterOfPosition(node.getStart()).line + 1}`;
}

/** Every file of the checkout that is ours: what git would not ignore, without asking git. */
function checkout(): Files {
	const ignored = new Set(['.git', 'node_modules', '.toolchain', '.svelte-kit', 'build', 'test-results', '.fireweed']);
	const files = new Map<string, string>();
	const walk = (folder: string) => {
		for (const entry of readdirSync(path.join(ROOT, folder), { withFileTypes: true })) {
			if (ignored.has(entry.name)) continue;
			const name = folder ? `${folder}/${entry.name}` : entry.name;
			if (entry.isDirectory()) walk(name);
			else files.set(name, /\.(onnx|png|wasm)$/.test(name) ? '' : readFileSync(path.join(ROOT, name), 'utf8'));
		}
	};
	walk('');
	return files;
}

// ── The tests ────────────────────────────────────────────────────────────────────────────────────────────────────────

describe('this checkout', () => {
	const found = findings(checkout());
	const covers = (row: Exception, { rule, file, what }: Finding) =>
		row.rule === rule &&
		what.startsWith(row.what) &&
		(row.file.endsWith('/') ? file.startsWith(row.file) : file === row.file);

	test('keeps the rules of the house', () => {
		const left = found.filter((finding) => !EXCEPTIONS.some((row) => covers(row, finding)));
		expect(left.map(({ rule, file, what }) => `${rule}: ${file}: ${what}`)).toEqual([]);
	});

	test.each(EXCEPTIONS)('the exception for $file, $what is still needed and not expired', (row) => {
		expect(row.reason.length).toBeGreaterThan(20);
		expect(found.some((finding) => covers(row, finding))).toBe(true);
		expect(new Date().toISOString().slice(0, 10) < row.expires, `expired on ${row.expires}`).toBe(true);
	});
});

describe('a planted violation is found', () => {
	const planted = (files: Record<string, string>, rule: string) =>
		findings(new Map(Object.entries(files))).filter((finding) => finding.rule === rule);
	const README = { 'package.json': '{"scripts":{"start":"x"}}' };

	const FORBIDDEN: [string, string][] = [
		['src/lib/protocol/id.ts', "import { a } from '#lib/market/price.ts'"],
		['src/lib/protocol/id.ts', "import type { Mesh } from '#lib/mesh/mesh.ts'"],
		['src/lib/protocol/id.ts', "import { readFile } from 'node:fs'"],
		['src/lib/protocol/id.ts', "import { x } from 'idb'"],
		['src/lib/market/price.ts', "import { x } from '../verify/judge.ts'"],
		['src/lib/market/price.ts', "export { x } from '../ledger/apply.ts'"],
		['src/lib/market/price.ts', "export * from '#lib/ports/clock.ts'"],
		['src/lib/node/originate.ts', "import { x } from '#lib/mesh/mesh.ts'"],
		['src/lib/node/originate.ts', "const x = await import('#lib/engine/cpu.ts')"],
		['src/lib/node/originate.ts', "type X = import('#lib/store/store.ts').Store"],
		['src/lib/mesh/mesh.ts', "import { x } from '#lib/node/originate.ts'"],
		['src/lib/mesh/mesh.ts', "import { x } from '#workers/messages.ts'"],
		['src/lib/store/store.ts', "import { x } from '#lib/keys/keys.ts'"],
		['src/lib/store/store.ts', 'const x = await import(name)'],
		['src/lib/ui/chat/Composer.svelte', '<script lang="ts">import { x } from \'#lib/node/originate.ts\'</script>'],
		['src/lib/ui/chat/Composer.svelte', "<script module>import { x } from '#lib/protocol/receipt.ts'</script>"],
		['src/routes/+page.svelte', "<script>import { x } from '#lib/store/store.ts'</script>"],
		['workers/cpu.ts', "import { x } from '#lib/node/execute.ts'"],
		['workers/cpu.ts', "import { createLibp2p } from 'libp2p'"],
		['relay/relay.ts', "import { x } from '#lib/node/execute.ts'"],
		['relay/relay.ts', "import { x } from '../src/lib/protocol/frame.ts'"],
		['src/lib/mesh/mesh.ts', "import { x } from './dial'"],
		['src/lib/novel/thing.ts', "import { x } from '#lib/protocol/id.ts'"]
	];
	test.each(FORBIDDEN)('import in %s: %s', (file, text) => {
		expect(planted({ [file]: text }, 'imports')).toHaveLength(1);
	});

	const ALLOWED: [string, string][] = [
		['src/lib/protocol/id.ts', "import { sha256 } from '@noble/hashes/sha2.js'; import { x } from './errors.ts'"],
		['src/lib/market/price.ts', "import { x } from '#lib/protocol/limits.ts'"],
		[
			'src/lib/market/price.ts',
			"import type { Clock } from '#lib/ports/clock.ts'; import { type Log } from '#lib/ports/log.ts'"
		],
		['src/lib/engine/cpu.ts', "import { x } from '#workers/messages.ts'; import * as comlink from 'comlink'"],
		['src/lib/ui/chat/Message.svelte', "<script>import type { Receipt } from '#lib/protocol/receipt.ts'</script>"],
		[
			'src/lib/ui/session.svelte.ts',
			"import { x } from '#lib/node/events.ts'; import type { App } from '#lib/node/app.ts'"
		],
		[
			'src/routes/+page.svelte',
			"<script>import Page from '#lib/ui/chat/Page.svelte'; import { tab } from '#lib/tab.ts'</script>"
		],
		['src/lib/tab.ts', "import { a } from '#lib/mesh/mesh.ts'; import { b } from '#lib/node/originate.ts'"],
		['relay/relay.ts', "import { createServer } from 'node:http'; import { x } from '#lib/mesh/node.ts'"],
		['tests/walk.test.ts', "import { x } from '#lib/node/originate.ts'; const y = await import(name)"]
	];
	test.each(ALLOWED)('but not in %s: %s', (file, text) => {
		expect(planted({ [file]: text }, 'imports')).toEqual([]);
	});

	test('the relay reaching sealed messages through others', () => {
		const files = {
			'relay/relay.ts': "import { x } from '#lib/mesh/mesh.ts'",
			'src/lib/mesh/mesh.ts': "export * from './topics.ts'",
			'src/lib/mesh/topics.ts': "const x = import('#lib/protocol/assignment.ts')",
			'src/lib/protocol/assignment.ts': ''
		};
		expect(planted(files, 'relay-reach').map((finding) => finding.what)).toEqual([
			'relay/relay.ts → src/lib/mesh/mesh.ts → src/lib/mesh/topics.ts → src/lib/protocol/assignment.ts'
		]);
		const typesOnly = { ...files, 'src/lib/mesh/topics.ts': "import type { A } from '#lib/protocol/assignment.ts'" };
		expect(planted(typesOnly, 'relay-reach')).toEqual([]);
	});

	const lines = (count: number) => 'const a = 1;\n'.repeat(count);
	test.each<[string, Record<string, string>]>([
		['names', { 'src/lib/mesh/utils.ts': '' }],
		['names', { 'src/lib/helpers/dial.ts': '' }],
		['names', { 'src/lib/mesh/peer-manager.ts': '' }],
		['top-level', { 'notes.txt': '' }],
		['module-state', { 'src/lib/mesh/dial.ts': 'export let count = 0;' }],
		['module-state', { 'scripts/x.mjs': 'var count = 0;' }],
		['module-state', { 'src/lib/ui/A.svelte': '<script module lang="ts">let a = 1;</script>' }],
		['length', { 'src/lib/mesh/dial.ts': lines(501) }],
		['length', { 'src/routes/contribute/+page.svelte': '<p></p>\n'.repeat(80) }],
		['length', { 'README.md': 'x\n'.repeat(200) }],
		['console', { 'src/lib/mesh/dial.ts': 'if (1) console.warn(1);' }],
		['any', { 'src/lib/mesh/dial.ts': 'export const a = (b: any) => b;' }],
		['any', { 'tests/unit/dial.test.ts': 'const a = 1 as any;' }],
		['unfinished', { 'src/lib/mesh/dial.ts': '// TO' + 'DO later' }],
		['npm-scripts', { ...README, 'README.md': 'Run `npm run nothing`.' }],
		['npm-scripts', { ...README, 'CONTRIBUTING.md': 'Run `npm test`.' }],
		['links', { 'docs/a.md': 'See [b](../src/b.ts).' }],
		['decisions', { 'docs/decisions/a.md': '# A\n\n2026-11-21\n\n## What is bad about it\n' }],
		['decisions', { 'docs/decisions/a.md': '# A\n\n## Refused\n\n## What is bad about it\n' }]
	])('%s in %o', (rule, files) => {
		expect(planted(files, rule)).toHaveLength(1);
	});

	test.each<[string, Record<string, string>]>([
		[
			'module-state',
			{ 'src/lib/ui/A.svelte': '<script>let a = $state(1);</script>', 'src/a.d.ts': 'declare let a: 1;' }
		],
		['length', { 'src/lib/mesh/dial.ts': lines(500), 'src/lib/tab.ts': lines(501), 'tests/a.test.ts': lines(501) }],
		['console', { 'relay/main.ts': 'console.log(1)', 'src/lib/logger.ts': 'console.log(1)' }],
		['names', { 'src/lib/mesh/commonest.ts': '', 'src/lib/store/utility.ts': '' }],
		['links', { 'docs/a.md': '[b](./b.md#x) [c](https://example.org) [d](#d) [e](../docs)', 'docs/b.md': '' }],
		['npm-scripts', { ...README, 'README.md': '`npm start`' }]
	])('but not %s in %o', (rule, files) => {
		expect(planted(files, rule)).toEqual([]);
	});
});

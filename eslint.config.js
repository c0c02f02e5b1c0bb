import svelte from 'eslint-plugin-svelte';
import ts from 'typescript-eslint';
import svelteConfig from './svelte.config.js';

/** Node's names, which exist in the type checker's view of browser code (one tsconfig) but not in a browser. */
const NODE_NAMES = [
	'process',
	'Buffer',
	'global',
	'__dirname',
	'__filename',
	'require',
	'setImmediate',
	'clearImmediate'
];

export default ts.config(
	{
		ignores: [
			'build/',
			'**/.svelte-kit/',
			'.toolchain/',
			'.fireweed/',
			'node_modules/',
			'patches/',
			'test-results/',
			'models/',
			'contracts/',
			'bench/results/'
		]
	},
	...ts.configs.recommended,
	...svelte.configs.recommended,
	...svelte.configs.prettier,
	{
		languageOptions: { parserOptions: { projectService: true, extraFileExtensions: ['.svelte'] } },
		linterOptions: { reportUnusedDisableDirectives: 'error' },
		rules: {
			eqeqeq: ['error', 'always', { null: 'ignore' }],
			'no-var': 'error',
			'prefer-const': 'error',
			'no-eval': 'error',
			'no-implied-eval': 'error',
			'no-new-func': 'error',
			'@typescript-eslint/no-unused-vars': [
				'error',
				{ argsIgnorePattern: '^_', varsIgnorePattern: '^_', caughtErrorsIgnorePattern: '^_', ignoreRestSiblings: true }
			],
			'@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
			// TypeScript checks names itself; this rule does not know types.
			'no-undef': 'off',
			// {@html} is allowed in one place only: sanitised markdown, with its own exception beside it.
			'svelte/no-at-html-tags': 'error'
		}
	},
	{
		files: ['**/*.ts', '**/*.svelte'],
		rules: {
			// A promise nobody waits for hides its failure: await it, return it, or write `void` to say it is meant.
			'@typescript-eslint/no-floating-promises': 'error',
			'@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: { attributes: false } }],
			'@typescript-eslint/switch-exhaustiveness-check': [
				'error',
				{ considerDefaultExhaustiveForUnions: true, requireDefaultForNonUnion: false }
			]
		}
	},
	{
		files: ['src/**/*.ts', 'src/**/*.svelte', 'workers/**/*.ts'],
		rules: {
			'no-restricted-globals': [
				'error',
				...NODE_NAMES.map((name) => ({ name, message: 'A browser has no such name.' }))
			]
		}
	},
	{
		files: ['**/*.svelte', '**/*.svelte.ts'],
		rules: { 'prefer-const': 'off', 'svelte/prefer-const': 'error' },
		languageOptions: { parserOptions: { parser: ts.parser, svelteConfig } }
	},
	{
		// Plain JavaScript runs before anything is installed and is in no tsconfig.
		files: ['**/*.js', '**/*.mjs'],
		...ts.configs.disableTypeChecked,
		languageOptions: { parserOptions: { projectService: false, program: null } }
	}
);

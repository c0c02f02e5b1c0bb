/**
 * The last touch on the built page: addresses relative to wherever it is served from, and a Content-Security-Policy.
 *
 * SvelteKit writes `/_app/...` into the page of a hash-routed app whatever `paths.relative` says. Under `/ipfs/<cid>/` those
 * addresses miss. The page is mended after SvelteKit wrote it and before the precache list is made, so that the list, the
 * page in `build/` and the hash in the policy are all of the same bytes.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Plugin } from 'vite';

const OUTPUT = path.resolve('.svelte-kit/output');
const PAGE = path.join(OUTPUT, 'prerendered/pages/index.html');

const MANIFEST = path.join(OUTPUT, 'client/.vite/manifest.json');

/** What the page may load and from where. Everything not named is refused. */
function policy(inlineScripts: string[]): string {
	const hashes = inlineScripts.map((text) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`);
	const rules: Record<string, string> = {
		'default-src': "'self'",
		// 'wasm-unsafe-eval' lets the engine compile its WebAssembly; it does not allow eval of JavaScript.
		'script-src': ["'self'", "'wasm-unsafe-eval'", ...hashes].join(' '),
		'worker-src': "'self' blob:",
		'style-src': "'self'",
		// Svelte writes style attributes into templates; an attribute cannot load anything that img-src does not allow.
		'style-src-attr': "'unsafe-inline'",
		'img-src': "'self' data: blob:",
		// ws: and wss: are relays, whose addresses are the person's choice and cannot be known at build time.
		'connect-src': "'self' ws: wss:",
		'manifest-src': "'self'",
		'object-src': "'none'",
		'frame-src': "'none'",
		'base-uri': "'none'",
		'form-action': "'none'"
	};
	return Object.entries(rules)
		.map(([name, value]) => `${name} ${value}`)
		.join('; ');
}

/** Makes every address of the page relative and puts the policy first in its head. Refuses a page that would still reach for the root. */
export function mendPage(html: string): string {
	const relative = html.replaceAll(/(href|src)="\/(?!\/)/g, '$1="./').replaceAll(/import\("\/(?!\/)/g, 'import("./');
	const left = /(?:href|src)="\/|import\("\/|["'`]\/_app\//.exec(relative);
	if (left)
		throw new Error(`the built page still names an absolute address: ${relative.slice(left.index, left.index + 60)}`);
	const scripts = [...relative.matchAll(/<script(?![^>]*\ssrc=)[^>]*>([\s\S]*?)<\/script>/g)].map(
		(match) => match[1] ?? ''
	);
	const mark = '<meta charset="utf-8" />';
	if (!relative.includes(mark)) throw new Error(`the built page has no ${mark}; the policy must follow it directly`);
	return relative.replace(
		mark,
		() => `${mark}\n\t\t<meta http-equiv="content-security-policy" content="${policy(scripts)}" />`
	);
}

/** What Vite's manifest says of one file of the build. */
interface Built {
	readonly file: string;
	readonly imports?: readonly string[];
	readonly css?: readonly string[];
}

/**
 * Names the files of `entry`, and all they import, in the page's head where they are not named yet: the first page is fetched beside the
 * frame around it, one round trip earlier. `entry` and the keys are those of Vite's client manifest.
 */
export function preload(html: string, manifest: Readonly<Record<string, Built>>, entry: string): string {
	const scripts = new Set<string>();
	const styles = new Set<string>();
	const visit = (key: string): void => {
		const built = manifest[key];
		if (!built) throw new Error(`the manifest of the build does not know ${key}`);
		if (scripts.has(built.file)) return;
		scripts.add(built.file);
		for (const style of built.css ?? []) styles.add(style);
		built.imports?.forEach(visit);
	};
	visit(entry);
	const missing = (file: string) => !html.includes(`"./${file}"`);
	const links = [
		...[...scripts].filter(missing).map((file) => `<link href="./${file}" rel="modulepreload">`),
		...[...styles].filter(missing).map((file) => `<link href="./${file}" rel="stylesheet">`)
	];
	if (!html.includes('</head>')) throw new Error('the built page has no head');
	return stylesFirst(html.replace('</head>', () => `${links.map((link) => `\t${link}\n\t`).join('')}</head>`));
}

/** A browser with six connections to a gateway fetches in the order of the page, and paints nothing without its style sheets. */
function stylesFirst(html: string): string {
	const styles = html.match(/<link [^>]*rel="stylesheet">/g) ?? [];
	const rest = html.replaceAll(/\s*<link [^>]*rel="stylesheet">/g, '');
	if (!rest.includes('<link href'))
		throw new Error('the built page names no script for its style sheets to stand before');
	return rest.replace('<link href', () => `${styles.join('\n\t\t')}\n\t\t<link href`);
}

/** The client manifest's key of the page that most visits begin with. */
async function firstPage(): Promise<string> {
	const nodes = '.svelte-kit/generated/client-optimized/nodes';
	for (const name of await readdir(nodes)) {
		const source = await readFile(path.join(nodes, name), 'utf8');
		if (/["'][./]*\/src\/routes\/\+page\.svelte["']/.test(source)) return `${nodes}/${name}`;
	}
	throw new Error('the build has no page for "/"');
}

/** Vite plugin: mends the prerendered page. It must stand before the plugin that makes the precache list. */
export function mendShellPage(): Plugin {
	let forServer = false;
	return {
		name: 'fireweed:shell-page',
		apply: 'build',
		enforce: 'pre',
		configResolved(config) {
			forServer = Boolean(config.build.ssr);
		},
		closeBundle: {
			sequential: true,
			async handler() {
				// SvelteKit builds twice, server and client; the page exists when the server build closes.
				if (!forServer) return;
				const manifest = JSON.parse(await readFile(MANIFEST, 'utf8')) as Record<string, Built>;
				await writeFile(PAGE, preload(mendPage(await readFile(PAGE, 'utf8')), manifest, await firstPage()));
			}
		}
	};
}

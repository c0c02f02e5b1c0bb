/** Where the contest is run: one Chromium, a profile of its own for each turn, and one server on loopback that has everything. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { chromium, type Browser, type Page } from 'playwright';
import { build } from 'vite';
import { ROOT } from '../../scripts/bootstrap.mjs';
import { findChromium, LAUNCH_FLAGS } from '../../scripts/chromium.mjs';
import { pocketOnDisk } from '../../tests/doubles/ort-node.ts';
import {
	nameOf,
	type Answer,
	type Ask,
	type Contestant,
	type ContestPage,
	type Library,
	type ModelPlace,
	type Weights
} from './contest.ts';
import { pocketToGguf, type BpeTokenizer, type LlamaConfig } from './convert.ts';
import { PEERS } from './peers.ts';
import { serveContest } from './server.ts';
import { residentOf, settle } from './memory.ts';

declare const contest: ContestPage;

export interface ContestStage {
	readonly browser: Browser;
	/** A file as it is served. */
	readonly files: ReadonlyMap<string, Uint8Array>;
	/** A fresh profile with this engine loaded. Whoever opens it closes it. */
	open(contestant: Contestant): Promise<Opened>;
	stop(): Promise<void>;
}

export interface Opened {
	readonly loadMs: number;
	/** Files that were sent since the page stood empty, by their path, with how many times each. */
	readonly fetched: ReadonlyMap<string, number>;
	answer(ask: Ask): Promise<Answer>;
	/** Of the page's process, over what it was before the load; undefined where the system does not say. */
	memory(): { readonly peakBytes: number; readonly endBytes: number } | undefined;
	/** Throws when anything but the bench's server was asked, or something that it does not have. */
	close(): Promise<void>;
}

/** Nothing but loopback has a name or a way. The policy of the server's answers reports who tried. */
const NOWHERE_ELSE = ['--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1', '--no-proxy-server'];

export async function openContest(): Promise<ContestStage> {
	const files = new Map([...(await builtPage()), ...(await models())]);
	const server = await serveContest(files);
	const executablePath = findChromium({ install: false });
	const browser = await chromium.launch({ executablePath, args: [...LAUNCH_FLAGS, ...NOWHERE_ELSE] });
	const places = await placesOf();
	return {
		browser,
		files,
		open: async (contestant) => {
			const context = await browser.newContext();
			try {
				const page = await context.newPage();
				await page.goto(`${server.url}index.html`);
				await page.waitForFunction(() => 'contest' in globalThis);
				const pid = await settle(browser, page);
				const before = pid === undefined ? undefined : residentOf(pid);
				server.answered();
				const place = places(contestant);
				const loadMs = await load(page, contestant.library, place);
				const fetched = server.answered();
				return {
					loadMs,
					fetched,
					answer: (ask) => page.evaluate((wanted) => contest.answer(wanted), ask),
					memory: () => {
						const after = pid === undefined ? undefined : residentOf(pid);
						return after && before && { peakBytes: after.peak - before.now, endBytes: after.now - before.now };
					},
					close: async () => {
						await context.close();
						const strays = server.strays();
						if (strays.length > 0) throw new Error(`${nameOf(contestant)} asked for ${strays.join(', ')}`);
					}
				};
			} catch (error) {
				await context.close();
				const why = error instanceof Error ? error.message : String(error);
				const strays = server.strays();
				const asked = strays.length === 0 ? '' : `; asked for ${strays.join(', ')}`;
				throw new Error(`${nameOf(contestant)} did not load: ${why}${asked}`, { cause: error });
			}
		},
		stop: async () => {
			await browser.close();
			await server.close();
		}
	};
}

function load(page: Page, library: Library, place: ModelPlace): Promise<number> {
	return page.evaluate(([name, where]) => contest.load(name, where), [library, place] as const);
}

/** As vite.config.ts builds the product, without Svelte and the service worker. */
async function builtPage(): Promise<Map<string, Uint8Array>> {
	const folder = await mkdtemp(path.join(tmpdir(), 'fireweed-contest-'));
	try {
		const modules = (name: string) => path.join(PEERS, 'node_modules', name);
		await build({
			root: path.join(import.meta.dirname, 'page'),
			base: './',
			configFile: false,
			logLevel: 'error',
			resolve: {
				alias: {
					'@wllama/wllama': modules('@wllama/wllama/esm/index.js'),
					'@huggingface/transformers': modules('@huggingface/transformers/dist/transformers.web.js')
				}
			},
			// As tests/interop/engine-page.ts: page and worker put their files in different places.
			worker: { format: 'es', rollupOptions: { output: { assetFileNames: 'workers/assets/[name]-[hash][extname]' } } },
			build: { outDir: folder, emptyOutDir: true, target: 'es2022', assetsInlineLimit: 0 }
		});
		const names = await readdir(folder, { recursive: true, withFileTypes: true });
		const whole = names.filter((each) => each.isFile()).map((each) => path.join(each.parentPath, each.name));
		return new Map(
			await Promise.all(
				whole.map(async (file) => [`/${path.relative(folder, file)}`, new Uint8Array(await readFile(file))] as const)
			)
		);
	} finally {
		await rm(folder, { recursive: true, force: true });
	}
}

/** The pocket model as each library wants it; the same numbers in all of them. */
async function models(): Promise<Map<string, Uint8Array>> {
	const read = async (name: string) => new Uint8Array(await readFile(path.join(ROOT, 'models/pocket', name)));
	const parsed = async (name: string): Promise<unknown> => JSON.parse(new TextDecoder().decode(await read(name)));
	const weights: Record<Weights, Uint8Array> = { q4: await read('model_q4.onnx'), fp32: await read('model_fp32.onnx') };
	const { chat_template: chatTemplate } = (await parsed('tokenizer_config.json')) as { chat_template: string };
	const config = (await parsed('config.json')) as LlamaConfig;
	const tokenizer = (await parsed('tokenizer.json')) as BpeTokenizer;
	const gguf = (file: Uint8Array) => pocketToGguf({ config, tokenizer, chatTemplate, weights: file });
	const { bytes } = await pocketOnDisk('fp32');
	const found = new Map<string, Uint8Array>([
		['/gguf/pocket-fp32.gguf', gguf(weights.fp32)],
		['/gguf/pocket-q4.gguf', gguf(weights.q4)],
		['/fireweed/model_fp32.onnx', weights.fp32],
		['/fireweed/self_test.json', bytes.reference],
		['/transformers/pocket/onnx/model.onnx', weights.fp32],
		['/transformers/pocket/onnx/model_q4.onnx', weights.q4]
	]);
	for (const name of ['config.json', 'generation_config.json', 'tokenizer.json', 'tokenizer_config.json'])
		found.set(`/transformers/pocket/${name}`, await read(name));
	return found;
}

async function placesOf(): Promise<(contestant: Contestant) => ModelPlace> {
	const { record } = await pocketOnDisk('fp32');
	return ({ library, weights }) => {
		if (library === 'wllama') return { weights, address: `gguf/pocket-${weights}.gguf` };
		if (library === 'transformers') return { weights, address: 'transformers/pocket/' };
		if (weights === 'q4') return { weights, address: '' };
		return { weights, address: 'fireweed/model_fp32.onnx', record, selfTest: 'fireweed/self_test.json' };
	};
}

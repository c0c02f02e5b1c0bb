/**
 * Starts the app out of the page it was carried in (docs/spec/carried.md): reads the files, checks them against the signed release that
 * lies among them, and stands in for the server they think they have.
 *
 * How it would be cheated: a copy that was changed on its way. Every file is compared with the release, the release with the keys
 * baked in here. Whoever changes this boot as well can leave that out; so the screen says who signed, and a copy is worth as much as the one
 * who handed it over, until its SHA-256 was compared with one that was published.
 */
import type { CarriedFacts } from '#lib/ports/carried.ts';
import { verifySignature } from '#lib/protocol/signature.ts';
import { equalBytes } from '#lib/protocol/encode.ts';
import { codeOf, Refusal } from '#lib/protocol/errors.ts';
import type { Place as ReleasePlace } from '#lib/protocol/release.ts';
import { PARTS, verifyRelease } from '../release.ts';
import { fromPageText, readIndex, unpacked, type Place } from './container.ts';
import { CARRIED_ORIGIN, importsOf, inOrder, linked } from './links.ts';
import { BOOT_ID, carriedPage, FILES_ID, INDEX_ID } from './pack.ts';
import { workerSource } from './worker-shim.ts';

/** What is believed beforehand: the line's first keys and the oldest place accepted. */
export interface CarriedTrust {
	readonly root: Uint8Array;
	readonly floor: ReleasePlace;
}

const LOADER = 'globalThis.fireweedImport';
const TYPES: Readonly<Record<string, string>> = {
	js: 'text/javascript',
	css: 'text/css',
	html: 'text/html',
	json: 'application/json',
	wasm: 'application/wasm',
	svg: 'image/svg+xml'
};

/** Starts, or says in the page why not. Never throws. */
export async function boot(trust: CarriedTrust): Promise<void> {
	try {
		await start(trust);
	} catch (error) {
		const say = document.getElementById('fireweed-say');
		if (say !== null)
			say.textContent = `This copy of Fireweed does not open: ${words(error)} Ask for it again, by another way.`;
		throw error;
	}
}

function words(error: unknown): string {
	if (codeOf(error) === 'weights-corrupt') return 'a file in it is not the one that was released.';
	return error instanceof Refusal ? error.message : 'it was damaged or this browser is too old.';
}

async function start(trust: CarriedTrust): Promise<void> {
	const packedBytes = fromPageText(document.getElementById(FILES_ID)?.textContent ?? '');
	const places = new Map(
		readIndex(document.getElementById(INDEX_ID)?.textContent ?? '', packedBytes.length).map((place) => [
			place.path,
			place
		])
	);
	const listed = new Map<string, Uint8Array>();
	const read = async (path: string): Promise<Uint8Array> => {
		const place = places.get(path);
		if (place === undefined) throw new Refusal('malformed', `${path} is not in this copy`);
		const bytes = await opened(place, packedBytes);
		const wanted = listed.get(path);
		if (listed.size > 0 && !path.startsWith('release/')) {
			const got = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes.slice()));
			if (wanted === undefined || !equalBytes(got, wanted)) throw new Refusal('weights-corrupt', path);
		}
		return bytes;
	};
	const facts = await believed(trust, places, read, listed);
	const text = async (path: string) => new TextDecoder().decode(await read(path));
	const shell = await text('index.html');
	standIn(places, read);
	await styles(shell, places, text);
	const load = await modules(places, text);
	Object.assign(globalThis, { fireweedImport: load, fireweedCarried: { ...facts, page } });
	await run(shell, load);
}

async function opened({ at, length, packed }: Place, all: Uint8Array): Promise<Uint8Array> {
	const bytes = all.subarray(at, at + length);
	return packed ? unpacked(bytes) : bytes.slice();
}

/** Fills `listed` with the release's hashes and says who signed. A copy without a release says so and is opened: it may be one's own build. */
async function believed(
	trust: CarriedTrust,
	places: ReadonlyMap<string, Place>,
	read: (path: string) => Promise<Uint8Array>,
	listed: Map<string, Uint8Array>
): Promise<CarriedFacts> {
	if (!places.has(PARTS.manifest.path)) return { signers: undefined, needed: 0, release: undefined, development: true };
	const [keys, manifest, files] = await Promise.all([
		read(PARTS.keys.path),
		read(PARTS.manifest.path),
		read(PARTS.files.path)
	]);
	const verifier = {
		verify: (key: Uint8Array, preimage: Uint8Array, signature: Uint8Array) =>
			Promise.resolve(verifySignature(key, preimage, signature))
	};
	const release = await verifyRelease({ keys, manifest, files }, trust, verifier, Date.now());
	for (const { path, sha256 } of release.files) listed.set(path, sha256);
	const { signers, needed, cid, development } = release;
	return { signers, needed, release: cid, development };
}

/** Answers what the app asks of its own folder, in the page; workers ask through the page. */
function standIn(places: ReadonlyMap<string, Place>, read: (path: string) => Promise<Uint8Array>): void {
	const folder = new URL('.', location.href).href;
	const pathOf = (address: string): string | undefined => {
		for (const base of [CARRIED_ORIGIN, folder]) {
			const path = address.startsWith(base) ? address.slice(base.length).replace(/[?#].*$/, '') : undefined;
			if (path !== undefined && places.has(path)) return path;
		}
		return undefined;
	};
	const answer = async (path: string): Promise<Response> =>
		new Response((await read(path)).slice(), {
			headers: { 'content-type': TYPES[path.split('.').at(-1) ?? ''] ?? 'application/octet-stream' }
		});
	const { fetch: outside, Worker: PlainWorker } = globalThis;
	globalThis.fetch = (input, init) => {
		const path = pathOf(input instanceof Request ? input.url : new URL(String(input), document.baseURI).href);
		return path === undefined ? outside(input, init) : answer(path);
	};
	globalThis.Worker = class extends PlainWorker {
		constructor(address: string | URL, options?: WorkerOptions) {
			const path = pathOf(String(address));
			if (path === undefined) {
				super(address, options);
				return;
			}
			// Classic: Chromium starts no module worker from a blob of a page on disk (docs/decisions/carried-file.md).
			super(
				URL.createObjectURL(new Blob([workerSource()], { type: 'text/javascript' })),
				options?.name === undefined ? {} : { name: options.name }
			);
			const { port1, port2 } = new MessageChannel();
			port1.onmessage = ({ data: { id, address: asked } }: MessageEvent<{ id: number; address: string }>) => {
				const wanted = pathOf(asked);
				void (wanted === undefined ? Promise.resolve(undefined) : read(wanted).catch(() => undefined)).then((bytes) =>
					port1.postMessage({ id, bytes })
				);
			};
			void read(path).then((bytes) => {
				const code = linked(new TextDecoder().decode(bytes), path, () => undefined, LOADER);
				this.postMessage({ fireweedCode: code, base: CARRIED_ORIGIN, port: port2 }, [port2]);
			});
		}
	};
}

/** All style sheets at once, those of the shell first and in its order; the app is told that each is there already. */
async function styles(
	shell: string,
	places: ReadonlyMap<string, Place>,
	text: (path: string) => Promise<string>
): Promise<void> {
	const first = [...shell.matchAll(/href="\.\/([^"]+\.css)"/g)].map(([, path = '']) => path);
	const all = [...new Set([...first, ...[...places.keys()].filter((path) => path.endsWith('.css'))])];
	const sheets = await Promise.all(
		all.map(async (path) => {
			const sheet = new CSSStyleSheet();
			sheet.replaceSync(await text(path));
			return sheet;
		})
	);
	document.adoptedStyleSheets = sheets;
	for (const path of places.keys()) {
		if (!/\.(css|js)$/.test(path)) continue;
		const link = document.createElement('link');
		// Vite's preloading passes over what a link of the page names already. A disabled sheet and an unknown relation fetch nothing.
		link.setAttribute('disabled', '');
		link.rel = path.endsWith('.css') ? 'stylesheet' : 'x-carried';
		link.href = CARRIED_ORIGIN + path;
		document.head.append(link);
	}
}

/** The app's own `import()`. Each module becomes a blob when it is first needed, after those it needs itself. */
async function modules(
	places: ReadonlyMap<string, Place>,
	text: (path: string) => Promise<string>
): Promise<(path: string) => Promise<unknown>> {
	const blobs = new Map<string, string>();
	const codes = new Map<string, string>();
	for (const path of places.keys())
		if (/^_app\/immutable\/(chunks|entry|nodes)\/.*\.js$/.test(path)) codes.set(path, await text(path));
	const exists = (path: string) => codes.has(path);
	const order = inOrder(new Map([...codes].map(([path, code]) => [path, importsOf(code, path, exists).first])));
	if (order === undefined) throw new Refusal('malformed', 'its modules need each other in a circle.');
	for (const path of order) {
		const code = linked(codes.get(path) ?? '', path, (target) => blobs.get(target), LOADER);
		blobs.set(path, URL.createObjectURL(new Blob([code], { type: 'text/javascript' })));
	}
	return (path) => {
		const address = blobs.get(path);
		if (address === undefined) return Promise.reject(new Refusal('malformed', `${path} is not in this copy`));
		return import(/* @vite-ignore */ address);
	};
}

/** What the script in SvelteKit's own page does. */
async function run(shell: string, load: (path: string) => Promise<unknown>): Promise<void> {
	const name = /__sveltekit_\w+/.exec(shell)?.[0];
	const [start, app] = [...shell.matchAll(/import\("\.\/([^"]+)"\)/g)].map(([, path = '']) => path);
	const element = document.getElementById('app');
	if (name === undefined || start === undefined || app === undefined || element === null)
		throw new Refusal('malformed', 'its first page.');
	Object.assign(globalThis, { [name]: { base: new URL('.', location.href).pathname.slice(0, -1) } });
	const kit = (await load(start)) as { start(app: unknown, element: HTMLElement): Promise<void> };
	const loaded = await load(app);
	element.replaceChildren();
	await kit.start(loaded, element);
}

/** This page again, as it came: to hand on. */
async function page(): Promise<Blob> {
	const bytes = fromPageText(document.getElementById(FILES_ID)?.textContent ?? '');
	const places = readIndex(document.getElementById(INDEX_ID)?.textContent ?? '', bytes.length);
	const files = places.map(({ path, at, length, packed }) => ({
		path,
		bytes: bytes.subarray(at, at + length),
		packed
	}));
	return new Blob([...(await carriedPage(files, document.getElementById(BOOT_ID)?.textContent ?? ''))], {
		type: 'text/html'
	});
}

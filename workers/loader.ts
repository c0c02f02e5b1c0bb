/**
 * The loader: which release a page gets, and how a newer one comes. Every document is verified against the baked-in keys before it is
 * believed, every file against its hash whenever it is handed out; nothing is switched without the person's word.
 *
 * What is decided stands in loader-state.ts and in survival/release.ts; here it is done.
 */
import type { Code } from '#lib/protocol/errors.ts';
import { Refusal } from '#lib/protocol/refusal.ts';
import type { Crypto } from '#lib/ports/crypto.ts';
import type { Place } from '#lib/protocol/release.ts';
import { addressedFolder, openElsewhere } from '#lib/survival/gateways/elsewhere.ts';
import { PATIENCE_MS, patience } from '#lib/survival/gateways/patience.ts';
import {
	chainWith,
	encodeChain,
	followKeys,
	PARTS,
	verifyManifest,
	verifyRelease,
	type ReleaseWord,
	type SignedParts,
	type VerifiedRelease
} from '#lib/survival/release.ts';
import { bodyOf } from './body.ts';
import {
	decodeState,
	encodeState,
	keptOf,
	MAX_TRIES,
	withFirst,
	withKeys,
	withLoss,
	withOffer,
	withOpening,
	withStart,
	withSwitch,
	type Kept,
	type LoaderState
} from './loader-state.ts';
import {
	clearExcept,
	entriesOf,
	precache,
	PrecacheMismatch,
	type Holding,
	type OnFill,
	type Precache,
	type PrecacheComponents
} from './precache.ts';
import { CID } from 'multiformats/cid';
import { create as createDigest } from 'multiformats/hashes/digest';
import { recoveryPage, type RecoveryFacts } from './recovery.ts';

/** The loader's own floor. The real one is baked into pages, which look for themselves: the loader's bytes stay the same from release to release. */
const BEGINNING: Place = { keys: 1, sequence: 0 };

/** Of the list of files as a block of its own: one leaf, since it is shorter than a block. */
const RAW = 0x55;
const SHA2_256 = 0x12;

/** What the loader needs from the worker's world. */
export interface LoaderComponents extends PrecacheComponents {
	/** Absolute, ends with a slash. */
	readonly scope: string;
	/** Encoded first keys of the line. */
	readonly root: Uint8Array;
	readonly crypto: Crypto;
	/** Unix ms. */
	readonly now: () => number;
	/** Told while files come: bytes that are here, and all. */
	readonly tell?: OnFill | undefined;
}

/** Where a document of a release comes from; undefined when it is not there. */
type Source = (part: keyof SignedParts) => Promise<Uint8Array | undefined>;

/** What a look at the server found. */
export type Found =
	/** Nothing newer, or nothing signed at all. */
	| { readonly kind: 'none' }
	| { readonly kind: 'unreachable' }
	/** Verified; some files did not come yet. */
	| ({ readonly kind: 'incoming' } & Holding)
	/** Verified and whole. `apply` by asking `switch` with this `cid`. */
	| {
			readonly kind: 'offered';
			readonly cid: string;
			readonly name: string;
			readonly signers: readonly string[];
			readonly development: boolean;
	  }
	| { readonly kind: 'refused'; readonly code: Code }
	/** It was tried here and did not start; the one before runs. */
	| { readonly kind: 'failed'; readonly name: string };

/** What runs, for a page that verifies for itself. */
export interface About {
	readonly cid: string;
	readonly parts: SignedParts;
	/** A newer release was gone back from. */
	readonly fellBack: boolean;
}

export interface Loader {
	/** The first release of this scope, verified and whole as far as a first start needs it. Rejects with a Refusal, or when files are missing. */
	install(): Promise<void>;
	/** Drops the caches no release of this scope uses. */
	tidy(): Promise<void>;
	/** Answers the opening of a page. */
	page(request: Request): Promise<Response>;
	/** Answers for a file inside the scope. */
	file(request: Request, address: string): Promise<Response>;
	/** Fetches the rest of what runs. */
	complete(): Promise<Holding>;
	/** Looks for a newer release and fetches it: at the server, and when that has none, the one that peers gave `word` of, from the gateways a person named. */
	check(word?: ReleaseWord): Promise<Found>;
	/** Starts the release that was offered under this name. False when it is not there. */
	switchTo(cid: string): Promise<boolean>;
	started(cid: string): Promise<void>;
	about(): Promise<About | undefined>;
}

/** A release that was verified since this worker started, and its files. */
interface Opened {
	readonly release: VerifiedRelease;
	readonly shell: Precache;
}

export function openLoader(components: LoaderComponents): Loader {
	const { scope, root, crypto, now, caches, tell } = components;
	const elsewhere = openElsewhere(components);
	/** The content address this folder stands under, where it does: then gateways have its documents too. */
	const folder = addressedFolder(scope);
	const statePlace = { cache: `fireweed-loader ${scope}`, key: `${scope}release/state` };
	const openings = new Map<string, Promise<Opened | undefined>>();
	let state: LoaderState | undefined;
	let reading: Promise<LoaderState> | undefined;

	/** The state as of now; read once in a worker's life. */
	async function present(): Promise<LoaderState> {
		reading ??= (async () => {
			const kept = await (await caches.open(statePlace.cache)).match(statePlace.key);
			return decodeState(new Uint8Array((await kept?.arrayBuffer()) ?? new ArrayBuffer(0)));
		})();
		state ??= await reading;
		return state;
	}

	/** One step, remembered. A full disk forgets it at the worker's end; until then it holds. */
	async function step(take: (from: LoaderState) => LoaderState): Promise<LoaderState> {
		const before = await present();
		const after = take(state ?? before);
		if (after !== state) {
			state = after;
			const response = new Response(encodeState(after) as Uint8Array<ArrayBuffer>);
			await (await caches.open(statePlace.cache)).put(statePlace.key, response).catch(() => undefined);
		}
		return after;
	}

	/** Verified again, because what lies in a cache is a stranger's word. Undefined when it does not hold. */
	function opened(kept: Kept | undefined): Promise<Opened | undefined> {
		if (kept === undefined) return Promise.resolve(undefined);
		const known = openings.get(kept.cid);
		if (known) return known;
		const work = verifyRelease(kept, { root, floor: kept.place }, crypto, now()).then(
			(release) => (release.cid === kept.cid ? { release, shell: shellOf(release) } : undefined),
			() => undefined
		);
		openings.set(kept.cid, work);
		return work;
	}

	const shellOf = ({ files, manifest }: VerifiedRelease) =>
		precache(entriesOf(files), scope, components, (path, max, onBytes) =>
			elsewhere.file(manifest.app.toString(), path, max, onBytes)
		);

	/** From the server this app came from. */
	const atServer: Source = async (part) => {
		const { path, max } = PARTS[part];
		const waiting = patience(components.patienceMs ?? PATIENCE_MS);
		try {
			const init = { cache: 'no-store', credentials: 'same-origin', signal: waiting.signal } as const;
			const response = await waiting.piece(components.fetch(`${scope}${path}`, init));
			if (response.status >= 400 && response.status < 500) return undefined;
			if (!response.ok) throw new TypeError(`${path}: status ${response.status}`);
			const body = await bodyOf(response, max, (work) => waiting.piece(work));
			if (body === undefined) throw new Refusal('oversized', path);
			return new Uint8Array(body);
		} finally {
			waiting.end();
		}
	};

	/** From gateways, by the content address this folder stands under. */
	const atGateways: Source = async (part) =>
		folder === undefined ? undefined : elsewhere.file(folder, PARTS[part].path, PARTS[part].max);

	/** What a peer gave word of. The list of files is asked for by its hash, and only once the manifest that names it is believed. */
	const asTold =
		({ manifest, keySet }: ReleaseWord): Source =>
		async (part) => {
			if (part === 'manifest') return manifest;
			const chain = chainWith((await present()).running?.keys ?? encodeChain([root]), keySet, root);
			if (part === 'keys') return chain;
			const { files } = (await verifyManifest(manifest, await followKeys(chain, root, crypto), crypto)).manifest;
			return elsewhere.file(CID.createV1(RAW, createDigest(SHA2_256, files)).toString(), '', PARTS.files.max);
		};

	async function partsWith(manifest: Uint8Array, from: Source): Promise<SignedParts> {
		const [keys, files] = await Promise.all([from('keys'), from('files')]);
		if (keys === undefined || files === undefined) throw new Refusal('mixed-release', 'a document is missing');
		return { keys, manifest, files };
	}

	/** What is believed beforehand. The newest keys are remembered even when the release under them is refused. */
	async function verified(parts: SignedParts): Promise<VerifiedRelease> {
		const { version } = await followKeys(parts.keys, root, crypto);
		const { furthest, keysSeen } = await step((from) => withKeys(from, version));
		const held = furthest && { ...furthest.place, cid: furthest.cid };
		return verifyRelease(parts, { root, floor: BEGINNING, held, keysSeen }, crypto, now());
	}

	async function first(from: Source): Promise<VerifiedRelease> {
		const manifest = await from('manifest');
		if (manifest === undefined) throw new Refusal('too-few-keys', 'nothing here is signed');
		return verified(await partsWith(manifest, from));
	}

	async function lookFor(from: Source): Promise<Found> {
		const { running, good, failed } = await present();
		const manifest = await from('manifest');
		// A server that still has the one before is behind, not hostile.
		const known = [running, good].some((kept) => kept && manifest && same(manifest, kept.manifest));
		if (manifest === undefined || known) return { kind: 'none' };
		const release = await verified(await partsWith(manifest, from));
		const { cid, signers, development } = release;
		const { name } = release.manifest;
		// Other signatures under the same words.
		if (cid === running?.cid) return { kind: 'none' };
		if (failed.includes(cid)) return { kind: 'failed', name };
		const shell = shellOf(release);
		const holding = await shell.fill('small', tell);
		if (holding.wrong > 0) throw new Refusal('mixed-release', `${holding.wrong} files`);
		if (holding.have < holding.want) return { kind: 'incoming', ...holding };
		openings.set(cid, Promise.resolve({ release, shell }));
		await step((from) => withOffer(from, keptOf(release)));
		return { kind: 'offered', cid, name, signers, development };
	}

	async function check(word?: ReleaseWord): Promise<Found> {
		const here = await looked(atServer);
		if (word === undefined || here.kind === 'offered' || here.kind === 'incoming') return here;
		const there = await looked(asTold(word));
		return there.kind === 'offered' || there.kind === 'incoming' ? there : here;
	}

	async function looked(from: Source): Promise<Found> {
		try {
			return await lookFor(from);
		} catch (error) {
			return error instanceof Refusal ? { kind: 'refused', code: error.code } : { kind: 'unreachable' };
		}
	}

	async function tidy(): Promise<void> {
		const { running, good, offered } = await present();
		const kept = await Promise.all([running, good, offered].map(opened));
		const shells = kept.flatMap((each) => (each ? [each.shell] : []));
		// Nothing that runs, nothing to compare with: better a stale cache than none.
		if (shells.length > 0) await clearExcept(shells, scope, caches);
	}

	async function switchTo(cid: string): Promise<boolean> {
		const { offered } = await present();
		if (offered?.cid !== cid || !(await opened(offered))) return false;
		await step(withSwitch);
		await tidy();
		return true;
	}

	/** A person chose on the recovery page. Taken only while there is something to recover from. */
	async function chosen(choice: string | null, facts: RecoveryFacts): Promise<boolean> {
		const state = await present();
		if (choice === 'again') await step((from) => ({ ...from, tries: 0 }));
		else if (choice === 'newer' && facts.newer) return switchTo(facts.newer.cid);
		else if (choice === 'previous' && state.good) {
			const { good } = state;
			await step(({ good: _good, ...from }) => ({ ...from, running: good, started: false, tries: 0 }));
		} else return false;
		return true;
	}

	async function recover(request: Request, why: RecoveryFacts['why']): Promise<Response> {
		const found = await check();
		const { good } = await present();
		const facts: RecoveryFacts = {
			why,
			newer: found.kind === 'offered' ? found : undefined,
			refused: found.kind === 'refused' ? found.code : undefined,
			previous: (await opened(good)) && good?.name
		};
		if (await chosen(new URL(request.url).searchParams.get('loader'), facts)) return Response.redirect(scope, 303);
		return recoveryPage(facts);
	}

	return {
		async install() {
			if (await opened((await present()).running)) return;
			const release = await first(atServer).catch((error: unknown) => {
				if (folder === undefined) throw error;
				return first(atGateways).catch(() => Promise.reject(error as Error));
			});
			const shell = shellOf(release);
			const { have, want } = await shell.fill('small', tell);
			// What came stays, so the browser's next try goes on from here.
			if (have < want) throw new Error(`the shell is not whole yet: ${have} of ${want} files`);
			openings.set(release.cid, Promise.resolve({ release, shell }));
			await step((from) => withFirst(from, keptOf(release)));
		},
		tidy,
		async page(request) {
			const before = await present();
			const after = await step(withOpening);
			const running = await opened(after.running);
			if (!running) return components.fetch(request.url, { cache: 'default', credentials: 'same-origin' });
			// A reload too many is counted, but only a release with nothing to go back to ends here.
			if (!after.started && before.tries >= MAX_TRIES) return recover(request, 'did-not-start');
			try {
				return await running.shell.read(scope);
			} catch (error) {
				return recover(request, error instanceof PrecacheMismatch ? 'gone' : 'offline');
			}
		},
		async file(request, address) {
			const { running, good, offered } = await present();
			for (const kept of [running, good, offered]) {
				const shell = (await opened(kept))?.shell;
				if (!shell?.has(address)) continue;
				try {
					return await shell.read(address);
				} catch (error) {
					if (!(error instanceof PrecacheMismatch)) throw error;
					if (kept === running) await step(withLoss);
					return new Response(error.message, { status: 502 });
				}
			}
			if (running && address.startsWith(`${scope}_app/`)) {
				return new Response(`${address} belongs to no release held here`, { status: 502 });
			}
			return components.fetch(request.url, { credentials: 'same-origin' });
		},
		async complete() {
			const running = await opened((await present()).running);
			if (!running) return { have: 0, want: 1, wrong: 0 };
			const holding = await running.shell.fill('all', tell);
			if (holding.have === holding.want) await elsewhere.tidy();
			return holding;
		},
		check,
		switchTo,
		async started(cid) {
			await step((from) => withStart(from, cid));
		},
		async about() {
			const { running, failed, furthest } = await present();
			if (running === undefined || !(await opened(running))) return undefined;
			const { keys, manifest, files } = running;
			const fellBack = furthest !== undefined && furthest.cid !== running.cid && failed.includes(furthest.cid);
			return { cid: running.cid, parts: { keys, manifest, files }, fellBack };
		}
	};
}

function same(a: Uint8Array, b: Uint8Array): boolean {
	return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

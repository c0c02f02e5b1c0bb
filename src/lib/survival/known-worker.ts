/**
 * Whether the service worker is one that this page knows. A worker cannot refuse its own replacement by a hostile origin, so pages look:
 * at what the worker says runs, and at the script the server has, both against what the release keys signed.
 *
 * What this cannot see: a worker that took over before the page came, since that one wrote the page (docs/spec/loader.md).
 */
import { sha256 } from '@noble/hashes/sha2.js';
import type { Crypto } from '#lib/ports/crypto.ts';
import type { LoaderAlarm } from '#lib/ports/shell.ts';
import { toHex } from '#lib/protocol/encode.ts';
import type { Place } from '#lib/protocol/release.ts';
import { PARTS, verifyRelease, type SignedParts, type VerifiedRelease } from './release.ts';

/** What is compared against what. */
export interface Witness {
	/** The page's folder. */
	readonly base: string;
	/** Encoded first keys of the line, and the oldest place accepted, as baked into this page. */
	readonly root: Uint8Array;
	readonly floor: Place;
	/** The page's own, past every cache. */
	readonly fetch: (url: string) => Promise<Response>;
	/** Where the hash of the loader last seen at rest is kept; undefined where nothing is. */
	readonly memory: Pick<Storage, 'getItem' | 'setItem'> | undefined;
	readonly now: () => number;
	readonly crypto: Crypto;
}

/** Largest loader taken for one; today's has about 40,000 bytes. */
const MAX_SCRIPT = 1024 * 1024;
const SCRIPT = 'service-worker.js';

/** Each signature in a task of its own: where the browser knows no Ed25519 one takes a slow phone a tenth of a second, and somebody is typing. */
const apart = ({ crypto }: Witness): Crypto => ({
	verify: async (...signed) => {
		await new Promise((resolve) => setTimeout(resolve));
		return crypto.verify(...signed);
	}
});

/** The release a worker says runs, or why it cannot be believed. `said` is whatever came. */
export async function believed(said: unknown, witness: Witness): Promise<VerifiedRelease | LoaderAlarm> {
	const { parts } = Object(said) as { parts?: unknown };
	if (!isParts(parts)) return 'not-signed';
	const { root, floor, now } = witness;
	return verifyRelease(parts, { root, floor }, apart(witness), now()).catch(() => 'not-signed' as const);
}

/**
 * Looks at the loader the server has. `running` is what runs here; `replaced` says that the browser has found another loader than the one
 * at work. Undefined when all is well or nothing can be said (offline, a captive portal).
 */
export async function lookAtLoader(
	running: VerifiedRelease,
	replaced: boolean,
	witness: Witness
): Promise<LoaderAlarm | undefined> {
	const place = `fireweed-loader:${witness.base}`;
	const script = await scriptAt(witness);
	// The browser found another script where we find none: that is no accident.
	if (script === undefined) return replaced ? 'other-loader' : undefined;
	const remembered = recall(witness, place);
	// A server that still has the release before serves the loader before, which was named by what ran when it was remembered.
	const asBefore = !replaced && remembered === script;
	const named = loaderOf(running) === script || asBefore || (await newerNames(script, running, witness));
	if (!named) return 'other-loader';
	// The same script as when no other was about, and yet the browser was given another: we are shown one thing, the browser another.
	if (replaced && remembered === script) return 'other-loader';
	if (!replaced) remember(witness, place, script);
	return undefined;
}

/** Hash of the loader that a release names. */
function loaderOf({ files }: VerifiedRelease): string | undefined {
	const file = files.find(({ path }) => path === SCRIPT);
	return file && toHex(file.sha256);
}

/** Whether a newer release at the server, signed as it must be, names this loader. */
async function newerNames(script: string, running: VerifiedRelease, witness: Witness): Promise<boolean> {
	try {
		const [keys, manifest, files] = await Promise.all(
			(['keys', 'manifest', 'files'] as const).map((part) => bytesAt(PARTS[part].path, PARTS[part].max, witness))
		);
		if (!keys || !manifest || !files) return false;
		const held = { keys: running.manifest.keys, sequence: running.manifest.sequence, cid: running.cid };
		const { root, floor, now } = witness;
		const newer = await verifyRelease({ keys, manifest, files }, { root, floor, held }, apart(witness), now());
		return loaderOf(newer) === script;
	} catch {
		return false;
	}
}

/** Hash of the script at the server; undefined when no script came. */
async function scriptAt(witness: Witness): Promise<string | undefined> {
	try {
		const bytes = await bytesAt(SCRIPT, MAX_SCRIPT, witness, /javascript|ecmascript/);
		return bytes && toHex(sha256(bytes));
	} catch {
		return undefined;
	}
}

/** A file at the server, or undefined when there is none of this kind and size. */
async function bytesAt(
	path: string,
	max: number,
	{ base, fetch }: Witness,
	type = /./
): Promise<Uint8Array | undefined> {
	const response = await fetch(new URL(path, base).href);
	// A login page in front of the network answers everything with a page of its own; browsers take no worker from that either.
	if (!response.ok || response.redirected || !type.test(response.headers.get('content-type') ?? '')) return undefined;
	const bytes = new Uint8Array(await response.arrayBuffer());
	return bytes.length > max ? undefined : bytes;
}

function isParts(value: unknown): value is SignedParts {
	const parts = Object(value) as Record<string, unknown>;
	return (['keys', 'manifest', 'files'] as const).every((part) => parts[part] instanceof Uint8Array);
}

function recall({ memory }: Witness, place: string): string | undefined {
	try {
		return memory?.getItem(place) ?? undefined;
	} catch {
		return undefined;
	}
}

function remember({ memory }: Witness, place: string, script: string): void {
	try {
		memory?.setItem(place, script);
	} catch {
		// A private window, or a full disk: the next look has less to compare with.
	}
}

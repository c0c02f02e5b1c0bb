/** The steps of a release's papers, each from documents to a document: found, rotate, draft, sign, accept. Nothing here asks or prints. */
import { cosign, draft, readCoSigned, type CoSigned } from '../../src/lib/protocol/co-signed.ts';
import { decodeCanonical, toHex } from '../../src/lib/protocol/encode.ts';
import type { Kind } from '../../src/lib/protocol/envelope.ts';
import { DEVELOPMENT_LINE, releaseKeys, type ReleaseKeys, type RoleName } from '../../src/lib/protocol/release-keys.ts';
import { releaseManifest, type ReleaseManifest } from '../../src/lib/protocol/release.ts';
import { directoryText } from '../../src/lib/doors/directory.ts';
import { directory, encodeSignedDirectory, type Directory } from '../../src/lib/protocol/directory.ts';
import { believeDirectory } from '../../src/lib/survival/directory.ts';
import { verifySignature } from '../../src/lib/protocol/signature.ts';
import { decodeChain, encodeChain, followKeys, verifyManifest } from '../../src/lib/survival/release.ts';
import { dagOf } from '../release/dag.ts';
import { listOf, type Folder } from '../release/folder.ts';
import { KeyTrouble, type OpenKey, type PublicKeyFile } from './keyfile.ts';

const crypto = {
	verify: async (key: Uint8Array, text: Uint8Array, signature: Uint8Array) => verifySignature(key, text, signature)
};

/** Each kind of paper. */
export type Paper =
	| { readonly kind: 'keys'; readonly document: CoSigned<ReleaseKeys> }
	| { readonly kind: 'manifest'; readonly document: CoSigned<ReleaseManifest> }
	| { readonly kind: 'directory'; readonly document: CoSigned<Directory> };

/** Largest paper read. */
const MAX_PAPER = 64 * 1024;

/** Reads a paper, whichever it is. Throws a Refusal. */
export function readPaper(bytes: Uint8Array): Paper {
	const { type } = Object(decodeCanonical(bytes, MAX_PAPER)) as { type?: unknown };
	if (type === releaseKeys.type) return { kind: 'keys', document: readCoSigned(releaseKeys, bytes) };
	if (type === directory.type) return { kind: 'directory', document: readCoSigned(directory, bytes) };
	return { kind: 'manifest', document: readCoSigned(releaseManifest, bytes) };
}

/** The first keys of a line, unsigned. */
export function found(
	line: string,
	keys: readonly PublicKeyFile[],
	thresholds: Readonly<Record<RoleName, number>>,
	now: number
): Uint8Array {
	if (line === DEVELOPMENT_LINE) throw new KeyTrouble('That line is everybody’s; choose another name.');
	const role = (name: RoleName) => ({ threshold: thresholds[name], keys: entriesOf(keys, name) });
	const body = {
		line,
		version: 1,
		release: role('release'),
		directory: role('directory'),
		issuedAt: now,
		extensions: {}
	};
	return draft(releaseKeys, body).bytes;
}

/** What changes from one set of keys to the next. */
export interface Change {
	/** Names of keys that count no more. */
	readonly drop: readonly string[];
	readonly add: readonly PublicKeyFile[];
	readonly thresholds: Partial<Record<RoleName, number>>;
}

/** The next keys of a line, unsigned. `chain` is `keys.cbor`. */
export async function rotate(chain: Uint8Array, { drop, add, thresholds }: Change, now: number): Promise<Uint8Array> {
	const current = await newest(chain);
	const all = [...current.release.keys, ...current.directory.keys].map(({ name }) => name);
	const unknown = drop.filter((name) => !all.includes(name));
	if (unknown.length > 0)
		throw new KeyTrouble(`There is no key named ${unknown.join(', ')}. There are: ${all.join(', ')}.`);
	const role = (name: RoleName) => ({
		threshold: thresholds[name] ?? current[name].threshold,
		keys: [...current[name].keys.filter((key) => !drop.includes(key.name)), ...entriesOf(add, name)]
	});
	const body = {
		...current,
		version: current.version + 1,
		release: role('release'),
		directory: role('directory'),
		issuedAt: now
	};
	return draft(releaseKeys, body).bytes;
}

/** A release of `payload`, unsigned. `days` until its readers are warned. */
export async function draftRelease(
	chain: Uint8Array,
	payload: Folder,
	about: { readonly name: string; readonly sequence: number; readonly days: number },
	now: number
): Promise<Uint8Array> {
	const keys = await newest(chain);
	const list = listOf(payload);
	const body = {
		line: keys.line,
		keys: keys.version,
		sequence: about.sequence,
		name: about.name,
		app: (await dagOf(payload)).root,
		files: list.sha256,
		count: list.count,
		bytes: list.bytes,
		issuedAt: now,
		expiresAt: now + about.days * 86_400_000,
		extensions: {}
	};
	return draft(releaseManifest, body).bytes;
}

/** A list of relays, unsigned. `days` until its readers are warned. Throws a Refusal for what is no relay's address. */
export async function draftDirectory(
	chain: Uint8Array,
	relays: readonly string[],
	about: { readonly sequence: number; readonly days: number },
	now: number
): Promise<Uint8Array> {
	const { line, version } = await newest(chain);
	const expiresAt = now + about.days * 86_400_000;
	const body = { line, keys: version, sequence: about.sequence, relays, issuedAt: now, expiresAt, extensions: {} };
	return draft(directory, body).bytes;
}

/** The text of `directory.json`. Throws the verifier's Refusal when too few have signed, or others than may. */
export async function handOut(chain: Uint8Array, paper: Uint8Array, now: number) {
	const root = decodeChain(chain)[0] as Uint8Array;
	const believed = await believeDirectory(encodeSignedDirectory(chain, paper), { root }, crypto, now);
	return { text: directoryText(believed.bytes), signers: believed.signers, needed: believed.needed };
}

/** The paper with one more signature. A directory key signs no release and no keys, a release key no directory. */
export async function sign(paper: Uint8Array, key: OpenKey): Promise<Uint8Array> {
	const read = readPaper(paper);
	if ((key.role === 'directory') !== (read.kind === 'directory'))
		throw new KeyTrouble(
			key.role === 'directory'
				? 'A directory key signs lists of doors, and neither releases nor keys.'
				: 'A release key signs releases and keys; lists of doors are signed by directory keys.'
		);
	const add = async <T>(kind: Kind<T>, document: CoSigned<T>) => (await cosign(kind, document, key.signer)).bytes;
	if (read.kind === 'directory') return add(directory, read.document);
	return read.kind === 'keys' ? add(releaseKeys, read.document) : add(releaseManifest, read.document);
}

/** `keys.cbor` with this set of keys at its end; without a chain it begins one. Throws the verifier's Refusal when too few have signed. */
export async function accept(chain: Uint8Array | undefined, next: Uint8Array): Promise<Uint8Array> {
	const documents = [...(chain === undefined ? [] : decodeChain(chain)), next];
	const whole = encodeChain(documents);
	await followKeys(whole, documents[0] as Uint8Array, crypto);
	return whole;
}

/** Whether the folder is the one a manifest speaks of: its CID, and its list of files. */
export async function isOf(payload: Folder, manifest: ReleaseManifest): Promise<boolean> {
	const list = listOf(payload);
	return (await dagOf(payload)).root.equals(manifest.app) && toHex(list.sha256) === toHex(manifest.files);
}

/** Who signed a finished manifest, and how many had to. Throws the verifier's Refusal. */
export async function signersOfManifest(chain: Uint8Array, manifest: Uint8Array) {
	return verifyManifest(manifest, await newest(chain), crypto);
}

/** The newest keys of a chain that begins with itself: whether it is the right one, the reader's baked-in first keys say. */
export async function newest(chain: Uint8Array): Promise<ReleaseKeys> {
	return followKeys(chain, decodeChain(chain)[0] as Uint8Array, crypto);
}

/** The source file that bakes first keys in, with these in the place of those it has. */
export function bakedIn(source: string, first: Uint8Array): string {
	const mended = source.replace(/'[A-Za-z0-9+/=]{100,}'/, `'${Buffer.from(first).toString('base64')}'`);
	if (mended === source) throw new KeyTrouble('The source file already has these keys, or none.');
	return mended;
}

function entriesOf(keys: readonly PublicKeyFile[], role: RoleName) {
	return keys
		.filter((each) => each.role === role)
		.map(({ name, key }) => ({ name, key: new Uint8Array(Buffer.from(key, 'hex')) }));
}

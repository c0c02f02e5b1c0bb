/**
 * What is written down about one model of the library, `record.json` in its folder (docs/spec/models.md): where it comes from, its facts,
 * and for each file its hash and whether it is here. It is read as a stranger's bytes: on a shared origin other pages can write it.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import { Refusal } from '#lib/protocol/errors.ts';
import { fields, flag, integer, list, optional, text, word, type Infer, type Shape } from '#lib/protocol/shape.ts';
import type { RecordedFile, RecordedModel } from '#workers/messages.ts';
import { isPlainLocation, MOST_LOCATION, MOST_NAME } from './names.ts';

/** Name of the record in a model's folder. */
export const RECORD_NAME = 'record.json';
/** The format this version writes. A record of a later one is left alone: it is a model that a newer app keeps. */
export const RECORD_FORMAT = 1;
/** A record of 70 files with four addresses each takes 600 KB; anything longer is none. */
export const MOST_RECORD_BYTES = 1024 * 1024;
/** One file: what a browser hands to a WebAssembly memory in one piece. */
export const MOST_FILE_BYTES = 2 ** 31 - 1;
/** External files of one model; publishers cut at 2 GB, so 64 are 128 GB. */
export const MOST_EXTERNAL = 64;
/** Addresses that one file can be had from. */
export const MOST_MIRRORS = 4;
export const MOST_ADDRESS = 2048;
/** Longer contexts than ten million tokens are a mistake in a file. */
export const MOST_CONTEXT = 10_000_000;
/** The largest vocabularies in use have 262,144 tokens. */
export const MOST_VOCABULARY = 2_000_000;
export const MOST_STOP_TOKENS = 32;
/** 2 × layers × heads × width × 4 bytes: 128 layers of 64 heads of 256 take 16 MiB. */
export const MOST_KV_BYTES = 16 * 1024 * 1024;

const hash: Shape<string> = {
	check: (value, path) => {
		if (typeof value === 'string' && /^[0-9a-f]{64}$/.test(value)) return value;
		throw new Refusal('malformed', `${path}: expected a hash`);
	}
};

const part = fields({
	role: word('weights', 'tokenizer', 'tokenizerConfig', 'template', 'reference', 'external'),
	location: optional(text(MOST_LOCATION, 1)),
	addresses: list(text(MOST_ADDRESS, 1), MOST_MIRRORS),
	bytes: optional(integer(1, MOST_FILE_BYTES)),
	validator: optional(text(512, 1)),
	sha256: optional(hash),
	kept: flag
});

const record = fields({
	format: integer(RECORD_FORMAT, RECORD_FORMAT),
	name: text(MOST_NAME, 1),
	origin: word('listed', 'added'),
	from: optional(text(255, 1)),
	licence: optional(text(64, 1)),
	contextTokens: integer(1, MOST_CONTEXT),
	vocabularySize: integer(1, MOST_VOCABULARY),
	stopTokens: list(integer(0, MOST_VOCABULARY), MOST_STOP_TOKENS, 1),
	kvBytesPerToken: integer(0, MOST_KV_BYTES),
	precision: word('fp32', 'fp16', 'q4', 'q8', 'int8', 'unknown'),
	verifiable: flag,
	parts: list(part, MOST_EXTERNAL + 5)
});

/**
 * One file of a model. `bytes` and `sha256` are what a copy must have, as released or as first seen; `kept` says that one is here.
 * `validator` is what the server called the version that is coming.
 */
export type Part = Infer<typeof part>;
export type LibraryRecord = Infer<typeof record>;
export type Role = Part['role'];

export type ReadRecord =
	| { readonly kind: 'record'; readonly record: LibraryRecord }
	/** Made by a later version. */
	| { readonly kind: 'newer' }
	| { readonly kind: 'damaged' };

/** Reads a record.json; never throws. */
export function readRecord(json: string): ReadRecord {
	if (json.length > MOST_RECORD_BYTES) return { kind: 'damaged' };
	try {
		const value: unknown = JSON.parse(json);
		const { format } = (value ?? {}) as { readonly format?: unknown };
		if (typeof format === 'number' && format > RECORD_FORMAT) return { kind: 'newer' };
		return { kind: 'record', record: checkRecord(value) };
	} catch {
		return { kind: 'damaged' };
	}
}

/** Refusal `malformed` for anything that is not a whole record. */
export function checkRecord(value: unknown): LibraryRecord {
	const checked = record.check(value, 'record');
	const roles = checked.parts.map(({ role }) => role);
	const times = (wanted: Role) => roles.filter((role) => role === wanted).length;
	const once = times('weights') === 1 && times('tokenizer') === 1 && times('tokenizerConfig') === 1;
	if (!once || times('template') > 1 || times('reference') > 1) throw new Refusal('malformed', 'record.parts');
	const external = checked.parts.filter(({ role }) => role === 'external').map(({ location = '' }) => location);
	if (new Set(external).size !== external.length || !external.every(isPlainLocation))
		throw new Refusal('malformed', 'record.parts.location');
	if (checked.parts.some((each) => each.kept && fileOf(each) === undefined))
		throw new Refusal('malformed', 'record.parts.kept');
	return checked;
}

/** Whether every file is here. */
export function isWhole({ parts }: LibraryRecord): boolean {
	return parts.every(({ kept }) => kept);
}

/** The record with one part changed. */
export function withPart(of: LibraryRecord, index: number, change: Partial<Part>): LibraryRecord {
	return { ...of, parts: of.parts.map((each, i) => (i === index ? { ...each, ...change } : each)) };
}

/** Bytes of all files together; undefined while that of one is unknown. */
export function bytesOf({ parts }: Pick<LibraryRecord, 'parts'>): number | undefined {
	return parts.reduce<number | undefined>(
		(sum, { bytes }) => (sum === undefined || bytes === undefined ? undefined : sum + bytes),
		0
	);
}

/**
 * The id of a model whose hashes are known: made of the bytes of its weights and nothing else, so that it is the same on every device,
 * whatever the folder was called there. Undefined while a hash is missing.
 */
export function idOf({ parts }: Pick<LibraryRecord, 'parts'>): string | undefined {
	const weights = parts.filter(({ role }) => role === 'weights' || role === 'external');
	const hashes = weights.map((each) => each.sha256);
	if (!hashes.every((each) => each !== undefined)) return undefined;
	// 64 bits: two models of one person never meet. Who must be sure compares the whole hash, which offers carry beside the id.
	const whole = hashes.length === 1 ? (hashes[0] ?? '') : bytesToHex(sha256(utf8ToBytes(hashes.join('\n'))));
	return `onnx-${whole.slice(0, 16)}`;
}

/** What the CPU engine loads; undefined until every file is here. */
export function modelOf(of: LibraryRecord): RecordedModel | undefined {
	const id = idOf(of);
	if (id === undefined || !isWhole(of)) return undefined;
	const file = (role: Role) => of.parts.filter((each) => each.role === role).map(fileOf)[0];
	const [weights, tokenizer, tokenizerConfig] = [file('weights'), file('tokenizer'), file('tokenizerConfig')];
	if (weights === undefined || tokenizer === undefined || tokenizerConfig === undefined) return undefined;
	const [template, reference] = [file('template'), file('reference')];
	const external = of.parts.flatMap((each) => {
		const recorded = each.role === 'external' ? fileOf(each) : undefined;
		return recorded === undefined ? [] : [{ location: each.location ?? '', ...recorded }];
	});
	const { name, contextTokens, vocabularySize, stopTokens, precision } = of;
	return {
		...{ id, name, contextTokens, vocabularySize, stopTokens, precision, external },
		files: {
			...{ weights, tokenizer, tokenizerConfig },
			...(template === undefined ? {} : { template }),
			...(reference === undefined ? {} : { reference })
		}
	};
}

function fileOf({ sha256: known, bytes }: Part): RecordedFile | undefined {
	return known === undefined || bytes === undefined ? undefined : { sha256: known, bytes };
}

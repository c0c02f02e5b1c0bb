/** Whether this device can keep and run a model, from facts that a browser gives before anything large is fetched. Pure. */
import type { Fit } from '#lib/ports/models.ts';
import { MOST_WEIGHT_BYTES } from '../cpu-limits.ts';
import { MOST_FILE_BYTES } from './record.ts';

const MIB = 2 ** 20;
const GIB = 2 ** 30;

/** A WebAssembly memory ends at 4 GiB; the library's own code, stack and fragments take a part of it. */
export const MOST_WASM_BYTES = 4 * GIB - 256 * MIB;
/** The library, the tokenizer and the worker around them. */
const RUNTIME_BYTES = 96 * MIB;
/** A context is filled up to here at most while the estimate is made; who talks longer needs more. */
const ESTIMATED_CONTEXT = 4096;
/** Of a device's memory, what one tab can have before the system ends it. */
const SHARE_OF_MEMORY = 0.5;
/** `navigator.deviceMemory` says 8 for everything above, too. */
const MOST_TOLD_MEMORY = 8 * GIB;
/** Room that is left over: a disk filled to the last byte breaks more than this app. */
export const SPARE_BYTES = 64 * MIB;

/** What a browser tells about its device. Bytes; undefined where it does not say. */
export interface DeviceFacts {
	readonly secure: boolean;
	/** The origin private file system is there and lets itself be opened. */
	readonly canKeep: boolean;
	readonly memoryBytes: number | undefined;
	readonly quota: number | undefined;
	readonly used: number;
}

/** What a model asks for. Bytes; undefined while unknown, which never counts against it. */
export interface Need {
	readonly weightBytes: number | undefined;
	readonly largestFileBytes: number | undefined;
	readonly memoryBytes: number | undefined;
	/** Still to be kept. */
	readonly missingBytes: number | undefined;
}

/** The first thing in the way, the ones that no deletion can mend first. */
export function fit(need: Need, facts: DeviceFacts): Fit {
	if (!facts.secure) return { fits: false, why: 'insecure-context' };
	if (!facts.canKeep) return { fits: false, why: 'storage-unavailable' };
	const { weightBytes = 0, largestFileBytes = 0, memoryBytes = 0, missingBytes = 0 } = need;
	const tooLarge = weightBytes > MOST_WEIGHT_BYTES || largestFileBytes > MOST_FILE_BYTES;
	if (tooLarge || memoryBytes > mostMemory(facts)) return { fits: false, why: 'out-of-memory' };
	if (!hasRoom(missingBytes, facts)) return { fits: false, why: 'storage-full' };
	return { fits: true };
}

/** Whether `bytes` more can be kept and the spare room stays. True where the browser does not say. */
export function hasRoom(bytes: number, { quota, used }: Pick<DeviceFacts, 'quota' | 'used'>): boolean {
	return bytes === 0 || quota === undefined || used + bytes + SPARE_BYTES <= quota;
}

/** While a model runs: its weights as a file and as tensors while they are unpacked, keys and values of a long talk, the library. */
export function memoryNeeded(weightBytes: number, kvBytesPerToken: number, contextTokens: number): number {
	return 2 * weightBytes + kvBytesPerToken * Math.min(contextTokens, ESTIMATED_CONTEXT) + RUNTIME_BYTES;
}

function mostMemory({ memoryBytes }: DeviceFacts): number {
	if (memoryBytes === undefined || memoryBytes >= MOST_TOLD_MEMORY) return MOST_WASM_BYTES;
	return Math.min(MOST_WASM_BYTES, memoryBytes * SHARE_OF_MEMORY);
}

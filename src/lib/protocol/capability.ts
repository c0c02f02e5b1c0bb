/** CapabilityAdvertisementV1: what a node offers just now, signed by its node key, spread over gossip, forgotten after its time. */
import type { SelfTest } from '#lib/ports/engine.ts';
import { kind, type BodyOf } from './envelope.ts';
import {
	MAX_ADDRESS,
	MAX_ADDRESSES,
	MAX_CAPABILITY_TTL_MS,
	MAX_GOSSIP_MESSAGE,
	MAX_PRICE,
	MIN_SELF_TEST_POSITIONS
} from './limits.ts';
import { offeredModel } from './model.ts';
import { extensions, fields, flag, integer, list, optional, stamp, text, word } from './shape.ts';

export const capabilityAdvertisement = kind(
	'CapabilityAdvertisement',
	1,
	fields({
		models: list(
			fields({
				model: offeredModel,
				/** Measured at load, thousandths of a token per second. */
				milliTokensPerSecond: integer(0, 1_000_000_000),
				/** Microcredits per 1,000 tokens. */
				pricePer1k: integer(0, MAX_PRICE),
				loaded: flag,
				/** What the engine proved before it offered itself: its own word, which audits check. */
				selfTest: fields({
					kind: word('reference', 'consistency'),
					positions: integer(MIN_SELF_TEST_POSITIONS, 1_000_000),
					/** Largest difference of a logit seen, and the largest allowed, in millionths. */
					worstMicro: integer(0, 1_000_000_000),
					toleranceMicro: integer(0, 1_000_000_000)
				})
			}),
			8
		),
		/** Jobs running and waiting, and how many may run at once. */
		running: integer(0, 1000),
		queued: integer(0, 10_000),
		capacity: integer(0, 1000),
		/** Self-declared, e.g. `Lisbon`. */
		region: optional(text(32, 1)),
		/** Schema versions spoken, e.g. `fireweed-schema@1.0.0`. */
		versions: list(text(40, 1), 8, 1),
		/** What the browser tells of the graphics adapter; absent without WebGPU. */
		adapter: optional(text(64, 1)),
		f16: flag,
		subgroups: flag,
		/** GiB the browser admits to, 0 when it does not say. */
		memoryGib: integer(0, 4096),
		wasmSimd: flag,
		wasmThreads: integer(1, 1024),
		addresses: list(text(MAX_ADDRESS, 1), MAX_ADDRESSES),
		/** Grows with every statement of this node; an older one never replaces a newer one. */
		sequence: integer(0, Number.MAX_SAFE_INTEGER),
		issuedAt: stamp,
		ttlMs: integer(1_000, MAX_CAPABILITY_TTL_MS),
		extensions
	}),
	MAX_GOSSIP_MESSAGE - 1024
);
export type CapabilityAdvertisement = BodyOf<typeof capabilityAdvertisement>;

/** Extension of a node that answers only people its owner knows (docs/decisions/circle.md). What stands in it says nothing. */
export const CIRCLE = 'circle';

/** Whether strangers need not ask. */
export const answersCircleOnly = ({ extensions }: Pick<CapabilityAdvertisement, 'extensions'>): boolean =>
	extensions[CIRCLE] !== undefined;

/** The proof of an engine as it is stated; rounded up, so that nothing looks better than it was. */
export function statedSelfTest({ kind, positions, worst, tolerance }: SelfTest) {
	const micro = (value: number) => Math.min(1_000_000_000, Math.ceil(value * 1_000_000));
	return { kind, positions, worstMicro: micro(worst), toleranceMicro: micro(tolerance) };
}

/** Versions of the message set this build speaks. */
export const SCHEMA_VERSIONS = ['fireweed-schema@1.0.0'] as const;

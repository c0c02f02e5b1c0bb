/**
 * The sampler is consensus code: every engine draws with it, every auditor replays it (protocol.md 4).
 *
 * A draw is a pure function of (logits, sampling, seed, position): Gumbel-max (Gumbel 1954; Maddison et al. 2014) over a truncated
 * candidate set. Noise is counter-based and keyed by token id, so it depends neither on what was drawn before nor on which other
 * tokens are candidates: nothing but the position has to travel when another executor takes over.
 * `exp` and `log` are our own (protocol/real): the language leaves theirs to the implementation.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { exp, log } from './real.ts';
import { Refusal } from './errors.ts';

/** Candidates considered at most; equals the logits committed per position, so a draw can be checked from its opening alone. */
export const MAX_CANDIDATES = 20;
export const SEED_BYTES = 32;

/** All integers, because they stand in signed messages. */
export interface Sampling {
	/** Thousandths; 0 is greedy. At most 2,000. */
	readonly temperatureMilli: number;
	/** 1 … MAX_CANDIDATES. */
	readonly topK: number;
	/** Thousandths of probability mass kept among the topK candidates; 1 … 1,000. */
	readonly topPMilli: number;
}

export const GREEDY: Sampling = { temperatureMilli: 0, topK: 1, topPMilli: 1000 };

/** A token and its raw logit (float32 widened to float64, which is exact). */
export interface Candidate {
	readonly id: number;
	readonly logit: number;
}

const DOMAIN = new TextEncoder().encode('fireweed/sampler/1');

/**
 * The `count` largest logits in falling order, equal ones by lower id first; `masked` ids are left out.
 * Refuses NaN with `engine-failed`: an engine that produces it must not answer.
 */
export function topCandidates(logits: Float32Array, count: number, masked: readonly number[] = []): Candidate[] {
	const ids = new Int32Array(count);
	const values = new Float64Array(count);
	let held = 0;
	let floor = Number.NEGATIVE_INFINITY;
	for (let id = 0; id < logits.length; id++) {
		const value = logits[id] as number;
		if (value <= floor && held === count) continue;
		if (value !== value) throw new Refusal('engine-failed', 'a logit is not a number');
		if (masked.includes(id)) continue;
		let at = held < count ? held++ : count - 1;
		while (at > 0 && (values[at - 1] as number) < value) {
			values[at] = values[at - 1] as number;
			ids[at] = ids[at - 1] as number;
			at--;
		}
		values[at] = value;
		ids[at] = id;
		if (held === count) floor = values[count - 1] as number;
	}
	return Array.from({ length: held }, (_, i) => ({ id: ids[i] as number, logit: values[i] as number }));
}

/**
 * The candidates that may be drawn, ordered by token id: the first topK of `ranked` (falling order), cut where the probability mass
 * among them reaches topP. The candidate that crosses the border stays in.
 */
export function truncate(ranked: readonly Candidate[], sampling: Sampling): Candidate[] {
	const kept = ranked.slice(0, Math.min(sampling.topK, MAX_CANDIDATES));
	const best = kept[0];
	if (best === undefined) throw new Refusal('engine-failed', 'no candidate to draw');
	if (sampling.temperatureMilli === 0) return [best];
	if (sampling.topPMilli < 1000) {
		const scale = 1000 / sampling.temperatureMilli;
		const weights = kept.map((candidate) => exp((candidate.logit - best.logit) * scale));
		const enough = (weights.reduce((sum, weight) => sum + weight, 0) * sampling.topPMilli) / 1000;
		let mass = 0;
		let cut = 0;
		while (cut < kept.length && mass < enough) mass += weights[cut++] as number;
		kept.length = Math.max(1, cut);
	}
	return kept.sort((a, b) => a.id - b.id);
}

/** Standard Gumbel noise of (seed, position, token): −ln(−ln u) with u from the first 52 bits of SHA-256, never 0 or 1. */
export function gumbel(seed: Uint8Array, position: number, token: number): number {
	const block = new Uint8Array(DOMAIN.length + SEED_BYTES + 8);
	block.set(DOMAIN);
	block.set(seed, DOMAIN.length);
	const view = new DataView(block.buffer);
	view.setUint32(DOMAIN.length + SEED_BYTES, position);
	view.setUint32(DOMAIN.length + SEED_BYTES + 4, token);
	const digest = sha256(block);
	const words = new DataView(digest.buffer, digest.byteOffset);
	const u = (words.getUint32(0) * 2 ** 20 + (words.getUint32(4) >>> 12) + 0.5) / 2 ** 52;
	return -log(-log(u));
}

/**
 * Draws the token of `position` from candidates in falling order (at least topK of them). Highest score wins, the lower id on a tie.
 * Seed: 32 bytes; position counts answer tokens from 0.
 */
export function draw(ranked: readonly Candidate[], sampling: Sampling, seed: Uint8Array, position: number): number {
	return best(scores(ranked, sampling, seed, position)).id;
}

/**
 * Whether `token` is a legitimate draw for someone whose logits differ from the executor's by up to `tolerance` each: it scores within
 * 2·tolerance/temperature of the best. A candidate that the noise could move over the truncation border (of rank or of mass) counts as
 * inside for the claim and as outside for its rivals: this border rule keeps honest auditors on other hardware from accusing honest
 * executors. `ranked` holds MAX_CANDIDATES candidates or more, and the claimed token wherever it ranks for the auditor.
 */
export function isLegitimate(
	ranked: readonly Candidate[],
	sampling: Sampling,
	seed: Uint8Array,
	position: number,
	token: number,
	tolerance: number
): boolean {
	const claimed = ranked.find((candidate) => candidate.id === token);
	const top = ranked[0];
	if (claimed === undefined || top === undefined) return false;
	const margin = 2 * tolerance;
	if (sampling.temperatureMilli === 0) return claimed.logit >= top.logit - margin;
	const scale = 1000 / sampling.temperatureMilli;
	const { possible, certain } = borders(ranked, sampling, margin, scale);
	if (!possible.includes(claimed)) return false;
	const score = (candidate: Candidate) => candidate.logit * scale + gumbel(seed, position, candidate.id);
	const reach = score(claimed) + margin * scale;
	return certain.every((rival) => rival === claimed || score(rival) <= reach);
}

/** Candidates that some honest run may have kept, and those that every honest run has kept. */
function borders(ranked: readonly Candidate[], sampling: Sampling, margin: number, scale: number) {
	const last = ranked[sampling.topK - 1]?.logit ?? Number.NEGATIVE_INFINITY;
	const next = ranked[sampling.topK]?.logit ?? Number.NEGATIVE_INFINITY;
	const weights = ranked.map((candidate) => exp((candidate.logit - (ranked[0] as Candidate).logit) * scale));
	const total = weights.slice(0, sampling.topK).reduce((sum, weight) => sum + weight, 0);
	const enough = (total * sampling.topPMilli) / 1000;
	// Every weight may be off by the factor e^(margin·scale), and so may the sum it is compared with.
	const slack = sampling.topPMilli === 1000 ? Number.POSITIVE_INFINITY : enough * (exp(2 * margin * scale) - 1);
	// Noise may also change the order: the least and the most mass that can stand before a candidate.
	const before = (candidate: Candidate, reach: number) =>
		ranked.reduce(
			(sum, rival, i) =>
				rival !== candidate && rival.logit > candidate.logit + reach ? sum + (weights[i] as number) : sum,
			0
		);
	const possible = ranked.filter(
		(candidate) => candidate.logit >= last - margin && before(candidate, margin) < enough + slack
	);
	const certain = ranked.filter(
		(candidate, rank) =>
			rank < sampling.topK &&
			candidate.logit > next + margin &&
			(sampling.topPMilli === 1000 || before(candidate, -margin) < enough - slack)
	);
	return { possible, certain };
}

interface Scored extends Candidate {
	readonly score: number;
}

function scores(ranked: readonly Candidate[], sampling: Sampling, seed: Uint8Array, position: number): Scored[] {
	if (seed.length !== SEED_BYTES) throw new Refusal('malformed', 'seed length');
	const candidates = truncate(ranked, sampling);
	if (sampling.temperatureMilli === 0) return candidates.map((candidate) => ({ ...candidate, score: candidate.logit }));
	const scale = 1000 / sampling.temperatureMilli;
	return candidates.map((candidate) => ({
		...candidate,
		score: candidate.logit * scale + gumbel(seed, position, candidate.id)
	}));
}

function best(scored: readonly Scored[]): Scored {
	return scored.reduce((winner, candidate) => (candidate.score > winner.score ? candidate : winner));
}

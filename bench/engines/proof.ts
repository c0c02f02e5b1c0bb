/**
 * That all contestants run the same model: each answers the prompts of models/pocket/vectors.json, greedily and to the end, and the
 * words are held against those recorded there for its weights. A number about another model would be worth nothing.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from '../../scripts/bootstrap.mjs';
import type { Turn } from '#lib/ports/engine.ts';
import { CONTESTANTS, nameOf, type Contestant, type Weights } from './contest.ts';
import type { ContestStage } from './stage.ts';

export interface Proof {
	readonly contestant: Contestant;
	/** Answers that are the recorded ones to the last character, of how many. */
	readonly same: number;
	readonly of: number;
}

/**
 * fp32: all, no rounding is big enough to change a word. q4: llama.cpp also rounds what is multiplied with the weights to 8 bits, so a draw
 * between two nearly equal words may fall the other way now and then; a wrong conversion gets none right.
 */
const LEAST_SAME: Readonly<Record<Weights, number>> = { fp32: 1, q4: 0.8 };

/** More than the longest recorded answer. */
const LONGEST_ANSWER = 400;

interface Vector {
	readonly messages: readonly Turn[];
	readonly fp32: { readonly text: string };
	/** Messages of its own where an earlier answer in them is another one with these weights. */
	readonly q4: { readonly text: string; readonly messages?: readonly Turn[] };
}

/** Throws when one of them does not run the model it is given. */
export async function proveSame(stage: ContestStage): Promise<readonly Proof[]> {
	const { vectors } = JSON.parse(readFileSync(path.join(ROOT, 'models/pocket/vectors.json'), 'utf8')) as {
		vectors: readonly Vector[];
	};
	const proofs: Proof[] = [];
	for (const contestant of CONTESTANTS) {
		const opened = await stage.open(contestant);
		let same = 0;
		for (const { messages, fp32, q4 } of vectors) {
			const wanted = contestant.weights === 'q4' ? { messages, ...q4 } : { messages, ...fp32 };
			const { text } = await opened.answer({ turns: wanted.messages, maxTokens: LONGEST_ANSWER, forced: false });
			if (text === wanted.text) same += 1;
		}
		await opened.close();
		const of = vectors.length;
		if (same < of * LEAST_SAME[contestant.weights]) {
			throw new Error(
				`${nameOf(contestant)} gives the recorded answer to ${same} of ${of} prompts: not the same model`
			);
		}
		proofs.push({ contestant, same, of });
	}
	return proofs;
}

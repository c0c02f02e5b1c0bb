/** How a conversation is answered: what a person may set, within which bounds, and what holds where nothing is set. Pure. */
import type { Manner } from '#lib/ports/store.ts';
import type { Sampling } from '#lib/protocol/sampler.ts';

/** The pocket model is made for greedy decoding (its card). */
export const GREEDY: Sampling = { temperatureMilli: 0, topK: 1, topPMilli: 1000 };
/** A little chance makes answers of larger models read better; less than their usual 1.0, because a wrong turn costs the reader time. */
export const NATURAL: Sampling = { temperatureMilli: 700, topK: 20, topPMilli: 950 };
/** Of an answer that is made to be so long: a greedy one that is forced to go on repeats itself. */
export const OPEN: Sampling = { temperatureMilli: 1000, topK: 20, topPMilli: 1000 };

/** Half of the pocket model's context, so that a prompt has room. */
export const USUAL_ANSWER_TOKENS = 512;

/** What may be set. The sampler is shared by everyone on the mesh (protocol/sampler), hence its bounds and not wider ones. */
export const BOUNDS = {
	temperature: { min: 0, max: 2, step: 0.05 },
	topK: { min: 1, max: 20, step: 1 },
	topP: { min: 0.05, max: 1, step: 0.01 },
	maxTokens: { min: 16, max: 8192, step: 1 }
} as const;

/** Longest instructions, in characters: about 4,000 tokens, more than small models hold at all. */
export const MAX_SYSTEM = 16_000;

const within = (
	value: number,
	{ min, max }: { readonly min: number; readonly max: number },
	otherwise: number
): number => (Number.isFinite(value) ? Math.min(max, Math.max(min, value)) : otherwise);

/** The manner with every value inside its bounds; undefined when nothing is left that differs from the model's own. */
export function tidy(manner: Manner): Manner | undefined {
	const system = manner.system?.trim().slice(0, MAX_SYSTEM);
	const { sampling, maxTokens } = manner;
	const tidied: Manner = {
		...(system ? { system } : {}),
		...(sampling
			? {
					sampling: {
						temperatureMilli: Math.round(within(sampling.temperatureMilli / 1000, BOUNDS.temperature, 0.7) * 1000),
						topK: Math.round(within(sampling.topK, BOUNDS.topK, NATURAL.topK)),
						topPMilli: Math.round(within(sampling.topPMilli / 1000, BOUNDS.topP, 1) * 1000)
					}
				}
			: {}),
		...(maxTokens === undefined
			? {}
			: { maxTokens: Math.round(within(maxTokens, BOUNDS.maxTokens, USUAL_ANSWER_TOKENS)) })
	};
	return Object.keys(tidied).length > 0 ? tidied : undefined;
}

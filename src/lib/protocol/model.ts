/** A model as it is offered: which weights, read by which tokenizer and template, run by which engine. Stands in capability, bid and receipt. */
import type { ModelCard } from '#lib/ports/engine.ts';
import { Refusal } from './errors.ts';
import { bytes, fields, integer, text, type Infer } from './shape.ts';

export const offeredModel = fields({
	id: text(64, 1),
	name: text(64, 1),
	weightsHash: bytes(32),
	tokenizerHash: bytes(32),
	templateHash: bytes(32),
	engineHash: bytes(32),
	engineClass: text(32, 1),
	contextTokens: integer(1, 10_000_000)
});
export type OfferedModel = Infer<typeof offeredModel>;

/** The public facts of an engine's card. Refusal `not-verifiable` for a model that must not answer others. */
export function offer(card: ModelCard): OfferedModel {
	if (!card.verifiable) throw new Refusal('not-verifiable', card.id);
	const { id, name, weightsHash, tokenizerHash, templateHash, engineHash, engineClass, contextTokens } = card;
	return { id, name, weightsHash, tokenizerHash, templateHash, engineHash, engineClass, contextTokens };
}

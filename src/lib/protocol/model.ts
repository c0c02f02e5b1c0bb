/** A model as it is offered: which weights, read by which tokenizer and template, run by which engine. Stands in capability, bid and receipt. */
import type { ModelCard } from '#lib/ports/engine.ts';
import { equalBytes } from './encode.ts';
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

/** One thread of WebAssembly computes the same bits everywhere (docs/spec/engine.md); no graphics processor promises that, not even to itself. */
const BIT_EXACT = /-wasm-1t$/;

/** Whether both read the same token ids as the same words. Other weights under the same id and tokenizer may go on, but not exactly. */
export function sameTokens(a: OfferedModel, b: OfferedModel): boolean {
	return a.id === b.id && equalBytes(a.tokenizerHash, b.tokenizerHash);
}

/** Whether both form a bit-exact class (protocol.md 5), so that one goes on with the very tokens the other would have drawn. */
export function sameClass(a: OfferedModel, b: OfferedModel): boolean {
	return (
		sameTokens(a, b) &&
		BIT_EXACT.test(a.engineClass) &&
		a.engineClass === b.engineClass &&
		equalBytes(a.engineHash, b.engineHash) &&
		equalBytes(a.weightsHash, b.weightsHash) &&
		equalBytes(a.templateHash, b.templateHash) &&
		// Another context may leave out other turns.
		a.contextTokens === b.contextTokens
	);
}

/**
 * Which inputs and outputs of a graph are what: the decoders that Hugging Face's exporters make, with keys and values as inputs. Judged from
 * names and shapes alone, so a model can be turned away before it is downloaded (graph.ts) as well as when a session is open.
 */
import { Refusal } from '#lib/protocol/errors.ts';
import type { TensorFact } from './graph.ts';

/** Keys or values of one layer: [1, heads, positions, width]. */
export interface PastLayout {
	readonly input: string;
	readonly output: string;
	readonly type: 'float32' | 'float16';
	readonly heads: number;
	readonly width: number;
}

/** An integer input. Undefined in a layout when the graph does not take it. */
export interface CountLayout {
	readonly name: string;
	readonly type: 'int64' | 'int32';
	/** Whether it is a scalar rather than a list of one; only of `keep`. */
	readonly scalar: boolean;
}

export interface DecoderLayout {
	readonly ids: CountLayout;
	/** Ones for every position there is. */
	readonly mask: CountLayout | undefined;
	/** The numbers of the positions that go in. */
	readonly positions: CountLayout | undefined;
	/** How many of the last positions to give logits for; 0 means all. */
	readonly keep: CountLayout | undefined;
	readonly past: readonly PastLayout[];
	/** Width of the logits, the tokenizer's vocabulary and padding; undefined when known only after a run. */
	readonly logitsWidth: number | undefined;
}

const IDS = 'input_ids';
const MASK = 'attention_mask';
const POSITIONS = 'position_ids';
const KEEP = ['num_logits_to_keep', 'logits_to_keep'];
const LOGITS = 'logits';
/** A layer's keys or values, `past_key_values.0.key` and `present.0.key`. */
const PAST = /^past(?:_key_values)?\.(\d+)\.(key|value)$/;

/** Finds its way in a graph. Refusal `model-unsupported`, with what is missing or in the way. */
export function decoderLayout(inputs: readonly TensorFact[], outputs: readonly TensorFact[]): DecoderLayout {
	const input = new Map(inputs.map((each) => [each.name, each]));
	const output = new Map(outputs.map((each) => [each.name, each]));
	if (input.has('use_cache_branch')) throw unsupported('a merged decoder, with and without cache in one graph');
	if (inputs.some(({ name }) => name.startsWith('encoder_'))) throw unsupported('it needs an encoder beside it');
	if (input.has('inputs_embeds')) throw unsupported('it takes embeddings instead of tokens');
	const count = (name: string): CountLayout | undefined => {
		const found = input.get(name);
		if (found === undefined) return undefined;
		if (found.type !== 'int64' && found.type !== 'int32') throw unsupported(`${name} of type ${found.type}`);
		return { name, type: found.type, scalar: found.shape.length === 0 };
	};
	const ids = count(IDS);
	if (ids === undefined) throw unsupported(`no input ${IDS}`);
	const past = inputs.flatMap((each) => (PAST.test(each.name) ? [pastLayout(each, output)] : []));
	if (past.length === 0) throw unsupported('no keys and values as inputs');
	const keep = KEEP.map(count).find((each) => each !== undefined);
	const layout = { ids, mask: count(MASK), positions: count(POSITIONS), keep, past };
	const known = new Set([ids, layout.mask, layout.positions, keep].map((each) => each?.name));
	const stranger = inputs.find(({ name }) => !known.has(name) && !PAST.test(name));
	if (stranger !== undefined) throw unsupported(`an input ${stranger.name}`);
	const logits = output.get(LOGITS);
	if (logits === undefined) throw unsupported(`no output ${LOGITS}`);
	if (logits.type !== 'float32' && logits.type !== 'float16') throw unsupported(`logits of type ${logits.type}`);
	const width = logits.shape.at(-1);
	return { ...layout, logitsWidth: typeof width === 'number' && width > 0 ? width : undefined };
}

/** Bytes of keys and values for one position. */
export function stateBytes({ past }: Pick<DecoderLayout, 'past'>): number {
	return past.reduce((sum, { heads, width, type }) => sum + heads * width * (type === 'float32' ? 4 : 2), 0);
}

function pastLayout({ name, type, shape }: TensorFact, outputs: ReadonlyMap<string, TensorFact>): PastLayout {
	const [, layer, kind] = PAST.exec(name) as RegExpExecArray;
	const output = outputs.get(`present.${layer}.${kind}`);
	if (output === undefined) throw unsupported(`no output for ${name}`);
	if ((type !== 'float32' && type !== 'float16') || output.type !== type) throw unsupported(`${name} of type ${type}`);
	// A size that one end of the loop leaves open, the other may name.
	const size = (at: number) => [shape[at], output.shape[at]].find((each) => typeof each === 'number' && each > 0);
	const [heads, width] = [size(1), size(3)];
	if (shape.length !== 4 || typeof heads !== 'number' || typeof width !== 'number') {
		throw unsupported(`${name} of unknown shape`);
	}
	return { input: name, output: output.name, type, heads, width };
}

function unsupported(why: string): Refusal {
	return new Refusal('model-unsupported', why);
}

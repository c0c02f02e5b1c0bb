/**
 * The pocket model as this app was released with it (models/pocket/MODEL_CARD.md). Facts only, so that it can be read outside a bundler;
 * the addresses are in pocket-files.ts. A changed file means a new row here, and tests/unit/engine-core.test.ts compares.
 */
import type { RecordedModel } from '#workers/messages.ts';

export const POCKET: RecordedModel = {
	id: 'pocket-5m-q4',
	name: 'Pocket',
	// The position table; most of the training was below 600, so answers get worse after that (model card).
	contextTokens: 1024,
	vocabularySize: 2048,
	/** `<|end|>` and `<|endoftext|>`. */
	stopTokens: [3, 0],
	precision: 'q4',
	files: {
		weights: { sha256: '8c6afcb8465373d3e03264e904163d66213a3ae71b6bb7ae163aee4474ff2f63', bytes: 5366421 },
		tokenizer: { sha256: '3078ac3e1b4aabb97852a5ab5917fa98d3303bb06aee2a4a8633c77f1616d825', bytes: 57565 },
		tokenizerConfig: { sha256: '6559cd7902badcc1b1bf34db20714fd7178bb1bcf6e82b8f2cf7d3cf4dfd14a5', bytes: 486 },
		/** Made by tests/vectors/pocket-reference.make.ts. */
		reference: { sha256: '05df6bfa7b67a9b72cf12be9c4126cf166b0e4611e4eb48a0f341992050ee387', bytes: 6202 }
	},
	external: []
};

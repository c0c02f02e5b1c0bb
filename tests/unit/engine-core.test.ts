/** What the core decides by itself: which state may be reused, which bytes are let in, what the self-test catches. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { POCKET } from '#lib/engine/pocket.ts';
import { RUNTIME } from '#lib/engine/runtime.ts';
import type { Engine, GenerateRequest } from '#lib/ports/engine.ts';
import { GREEDY } from '#lib/protocol/sampler.ts';
import type { Model } from '#workers/cpu/model.ts';
import { PROMPT_CHUNK, promptWidths, reusable, run, STEP_SHAPES, type CachedPrompt } from '#workers/cpu/generate.ts';
import { codeIn, request } from '../compliance/engine.ts';
import { ortNode, pocketOnDisk, type PocketBytes, type PocketFile } from '../doubles/ort-node.ts';

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const never = () => new AbortController().signal;

describe('what is reused of an earlier prompt', () => {
	const cached = (ids: number[], length = ids.length): CachedPrompt => ({
		scope: 's',
		ids,
		past: { length, tensors: {} }
	});
	const ids = fc.array(fc.integer({ min: 0, max: 1 }), { minLength: 1, maxLength: 150 });

	it('is whole chunks of a common beginning that were really run, never the last token, never across scopes', () => {
		fc.assert(
			fc.property(ids, ids, fc.nat(150), fc.nat(150), (before, after, shared, ran) => {
				const prompt = [...before.slice(0, shared), ...after];
				const length = Math.min(ran, before.length);
				const reused = reusable(cached(before, length), prompt, 's');
				expect(reused % PROMPT_CHUNK).toBe(0);
				expect(reused).toBeLessThanOrEqual(Math.min(length, prompt.length - 1));
				expect(prompt.slice(0, reused)).toEqual(before.slice(0, reused));
				// And as much as that allows.
				const more = reused + PROMPT_CHUNK;
				const possible =
					more <= Math.min(length, prompt.length - 1) && prompt.slice(0, more).join() === before.slice(0, more).join();
				expect(possible).toBe(false);
				expect(reusable(cached(before, length), prompt, 't')).toBe(0);
				expect(reusable(cached(before, length), prompt, undefined)).toBe(0);
			})
		);
	});

	it('leaves widths that are the same with and without it', () => {
		fc.assert(
			fc.property(fc.integer({ min: 1, max: 300 }), fc.nat(8), (tokens, chunks) => {
				const reused = Math.min(chunks, Math.floor((tokens - 1) / PROMPT_CHUNK));
				expect(promptWidths(tokens).slice(reused)).toEqual(promptWidths(tokens - reused * PROMPT_CHUNK));
			})
		);
	});
});

describe('the step loop', () => {
	/** A model that wants the given tokens, one after the other, and notes how wide its passes were. */
	const scripted = (wanted: readonly number[], prompt: number) => {
		const widths: number[] = [];
		const model: Model = {
			library: 'none',
			vocabularySize: 32,
			stateBytes: 0,
			empty: { length: 0, tensors: {} },
			async forward(tokens, past) {
				widths.push(tokens.length);
				const length = past.length + tokens.length;
				const rows = tokens.map((_, i) => {
					const next = wanted[past.length + i + 1 - prompt] ?? 9;
					return Float32Array.from({ length: 32 }, (__, id) => (id === next ? 50 : id / 100));
				});
				return { rows, past: { length, tensors: {} } };
			},
			cut: (past, length) => ({ ...past, length }),
			close: async () => {}
		};
		return { model, widths };
	};
	const start = (wanted: number[], prompt: number, change: Partial<GenerateRequest>, signal = { aborted: false }) => {
		const { model, widths } = scripted(wanted, prompt);
		const pushed: number[] = [];
		const kept: CachedPrompt[] = [];
		const reader = { push: (token: number) => (pushed.push(token), `${token} `) };
		const init = {
			request: request({ sampling: GREEDY, minTokens: 0, maxTokens: 10, ...change }),
			prompt: { ids: new Array<number>(prompt).fill(5), droppedTurns: 0 },
			cached: undefined,
			stopTokens: [3],
			reader
		};
		const components = {
			model,
			monotonic: () => 0,
			breathe: async () => {},
			keep: (state: CachedPrompt) => void kept.push(state)
		};
		return { steps: run(init, components, signal), widths, pushed, kept };
	};

	it('runs the prompt in chunks from position 0 and every answer token alone, given ones too', async () => {
		const { steps, widths, pushed } = start([10, 11, 12, 13, 3], 70, { continueFrom: [10, 11] });
		const seen: number[] = [];
		for await (const { token, position } of steps) {
			seen.push(token);
			expect(position).toBe(seen.length + 1);
		}
		expect(seen).toEqual([12, 13]);
		expect(widths).toEqual([32, 32, 6, 1, 1, 1, 1]);
		// The reader has seen the given tokens, so a character cut by the seam is completed.
		expect(pushed).toEqual([10, 11, 12, 13]);
	});

	it('stops between two chunks of a prompt, and keeps what it has run under its scope only', async () => {
		const signal = { aborted: false };
		const { steps, widths, kept } = start([10], 70, { cacheScope: 's' }, signal);
		const first = steps.next();
		signal.aborted = true;
		expect(await first).toMatchObject({ done: true, value: { reason: 'aborted', tokens: 0 } });
		expect(widths.length).toBeLessThan(3);
		expect(kept.every(({ scope }) => scope === 's')).toBe(true);
		const free = start([10, 3], 70, {});
		for await (const step of free.steps) expect(step.token).toBe(10);
		expect(free.kept).toEqual([]);
	});

	it('refuses to answer when a logit is not a number', async () => {
		const { steps } = start([10, 11], 3, {});
		const { model } = scripted([], 3);
		const broken = {
			...model,
			forward: async () => ({ rows: [new Float32Array(32).fill(Number.NaN)], past: model.empty })
		};
		await steps.return(undefined as never);
		const init = {
			request: request(),
			prompt: { ids: [5], droppedTurns: 0 },
			cached: undefined,
			stopTokens: [3],
			reader: { push: () => '' }
		};
		const components = { model: broken, monotonic: () => 0, breathe: async () => {}, keep: () => {} };
		expect(await codeIn(() => run(init, components, { aborted: false }).next())).toBe('engine-failed');
	});
});

describe('what is let in', () => {
	let engine: Engine | undefined;
	afterEach(() => engine?.unload());
	const spoilt = (spoil: (bytes: PocketBytes) => void) => {
		engine = ortNode({ weights: 'q4', spoil });
		return codeIn(() => (engine as Engine).load(() => {}, never()));
	};

	it.each(['runtime', ...Object.keys(POCKET.files)] as PocketFile[])('not %s with one bit changed', async (name) => {
		const code = await spoilt((bytes) => {
			const changed = bytes[name].slice();
			const middle = changed.length >> 1;
			changed[middle] = (changed[middle] as number) ^ 4;
			bytes[name] = changed;
		});
		expect(code).toBe('weights-corrupt');
		expect(engine?.state).toBe('failed');
	});

	it('not weights whose record was forged along with them: the self-test sees one changed byte', async () => {
		const { bytes, record } = await pocketOnDisk('q4');
		const weights = bytes.weights.slice();
		const at = weights.length >> 1;
		weights[at + 3] = (weights[at + 3] as number) ^ 0x40;
		const files = { ...record.files, weights: { sha256: sha256(weights), bytes: weights.length } };
		engine = ortNode({ weights: 'q4', record: { ...record, files }, spoil: (given) => (given.weights = weights) });
		expect(await codeIn(() => (engine as Engine).load(() => {}, never()))).toBe('self-test-failed');
	}, 30_000);

	it('not a graph of another kind, nor bytes that are no graph', async () => {
		const { record } = await pocketOnDisk('q4');
		const junk = new Uint8Array(1000).fill(7);
		const files = { ...record.files, weights: { sha256: sha256(junk), bytes: junk.length } };
		engine = ortNode({ weights: 'q4', record: { ...record, files }, spoil: (given) => (given.weights = junk) });
		expect(await codeIn(() => (engine as Engine).load(() => {}, never()))).toBe('model-unsupported');
	}, 30_000);
});

describe('the record', () => {
	it('is that of the files in models/pocket and of the installed library', async () => {
		const { bytes } = await pocketOnDisk('q4');
		for (const [name, recorded] of Object.entries({ ...POCKET.files, runtime: RUNTIME })) {
			const file = bytes[name as PocketFile];
			expect({ sha256: sha256(file), bytes: file.length }, name).toEqual(recorded);
		}
		const config = JSON.parse(readFileSync(new URL('../../models/pocket/config.json', import.meta.url), 'utf8'));
		expect(config).toMatchObject({ max_position_embeddings: POCKET.contextTokens, vocab_size: POCKET.vocabularySize });
		const generation = JSON.parse(
			readFileSync(new URL('../../models/pocket/generation_config.json', import.meta.url), 'utf8')
		);
		expect(generation.eos_token_id).toEqual(POCKET.stopTokens);
	});

	it('names its step shapes: change the rule and this text together, for it stands in every engine hash', () => {
		expect(STEP_SHAPES).toBe('prompt-32/answer-1/1');
	});
});

/**
 * WebLLM generating for real: a compiled library and its weights on a graphics device, in the worker as the app ships it.
 *
 * MLC_MODEL_URL   a folder on this machine, or its address: mlc-chat-config.json, tensor-cache.json, tokenizer.json, shards, and the library
 *                 (the folder's only .wasm; at an address `library.wasm`). Libraries for 0.2.86 come from v0_2_86/base.
 * MLC_F16=1       the library was compiled for shader-f16.
 * MLC_SOFTWARE=1  allow a software adapter: a token takes half a minute, so only the first cases are worth it.
 */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ENGINE_CASES } from '../compliance/engine.ts';
import type { harness as Harness, Setup } from '../fixtures/webllm/page.ts';
import { LIBRARY_FILE, type Folder } from '../interop/webllm-model.ts';
import { openWebllmPage, type WebllmPage } from '../interop/webllm-page.ts';

declare const harness: typeof Harness;

const { MLC_MODEL_URL: model, MLC_F16, MLC_SOFTWARE } = process.env;
const FLAGS = ['--enable-unsafe-webgpu', '--enable-features=Vulkan', '--ignore-gpu-blocklist'];
const NO_MODEL =
	'MLC_MODEL_URL names no model: compiled libraries cannot be had on a closed network (docs/spec/webllm.md)';

/** Written for the pocket model's tokens and lengths. */
const NOT_HERE = new Map([
	['gives the logits of every position of known tokens', 'compares with a prompt in the pocket model’s own tokens'],
	[
		'drops the oldest rounds when a conversation is too long, and refuses a last turn that does not fit',
		'its lengths are the pocket model’s'
	]
]);

async function folderOf(place: string): Promise<Folder> {
	const names = await readdir(place);
	const libraries = names.filter((name) => name.endsWith('.wasm'));
	expect(libraries, 'the folder has one library').toHaveLength(1);
	const files = names.filter((name) => /\.(json|bin|wasm)$/.test(name));
	const read = files.map(async (name) => {
		const bytes = Uint8Array.from(await readFile(path.join(place, name)));
		return [name === libraries[0] ? LIBRARY_FILE : name, bytes] as const;
	});
	return new Map(await Promise.all(read));
}

if (model === undefined || model === '') it('generates with WebLLM', ({ skip }) => skip(NO_MODEL));
else
	describe('WebLLM on this device', () => {
		let web: WebllmPage;
		beforeAll(async () => {
			web = await openWebllmPage(FLAGS);
			const remote = /^https?:/.test(model);
			if (!remote) web.serve({ gpu: await folderOf(model) });
			const mirror = remote ? model.replace(/\/?$/, '/') : web.mirror('gpu');
			const setup: Setup = {
				model: {
					id: 'under-test',
					name: 'Under test',
					licence: undefined,
					mirrors: [mirror],
					libraries: [mirror + LIBRARY_FILE],
					// What the acceptance cases count with; it also keeps the state small.
					contextTokens: 1024,
					features: MLC_F16 === '1' ? ['shader-f16'] : [],
					list: undefined
				},
				softwareAllowed: MLC_SOFTWARE === '1',
				bare: true
			};
			await web.page.evaluate((wanted) => harness.setup(wanted), setup);
		});
		afterAll(() => web?.close());

		it('loads, agrees with itself, and says how fast it is', async () => {
			const { facts, bandwidth } = await web.page.evaluate(() => harness.adapter());
			const loaded = await web.page.evaluate(() => harness.load());
			expect(loaded.ok ? 'ok' : loaded.message).toBe('ok');
			const answered = await web.page.evaluate(() => harness.answer(32));
			expect(answered.ok ? 'ok' : answered.message).toBe('ok');
			if (!loaded.ok || !answered.ok) return;
			const { selfTest, tokensPerSecond, loadMs } = loaded.value;
			const { prefillMs, decodeMs } = answered.value.end;
			process.stdout.write(
				`${JSON.stringify({ adapter: facts?.name, bandwidth, loadMs, tokensPerSecond, selfTest, prefillMs, decodeMs })}\n`
			);
		});

		for (const { name } of ENGINE_CASES)
			it(name, async ({ skip }) => {
				const reason = NOT_HERE.get(name);
				if (reason !== undefined) skip(reason);
				expect(await web.page.evaluate((each) => harness.run(each), name)).toEqual({ ok: true });
			});
	});

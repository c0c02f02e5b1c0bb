/** WebLLM's part of the library's list: what is said without a graphics card, and of what is kept. */
import { describe, expect, it } from 'vitest';
import { webllmKept } from '#lib/engine/webllm-kept.ts';
import { webllmSource } from '#lib/engine/webllm-source.ts';
import { codeOf } from '#lib/protocol/errors.ts';
import { webllmShelf } from '#workers/messages.ts';
import { VirtualClock } from '../doubles/clock.ts';

/** Cache Storage, as far as it is asked here. */
function someCaches(shelves: Readonly<Record<string, Readonly<Record<string, string>>>>) {
	const all = new Map(
		Object.entries(shelves).map(([id, files]) => [
			webllmShelf(id),
			new Map(Object.entries(files).map(([name, text]) => [`https://kept.invalid/file/${name}`, text]))
		])
	);
	const caches = {
		keys: async () => [...all.keys(), 'fireweed-shell-1'],
		has: async (name: string) => all.has(name),
		delete: async (name: string) => all.delete(name),
		open: async (name: string) => ({
			keys: async () => [...(all.get(name)?.keys() ?? [])].map((url) => ({ url })),
			match: async ({ url }: { url: string }) => {
				const text = all.get(name)?.get(url);
				return text === undefined
					? undefined
					: new Response(text, { headers: { 'content-length': String(text.length) } });
			}
		})
	};
	return caches as unknown as CacheStorage;
}

const LIST = JSON.stringify({ records: [{ nbytes: 700 }, { nbytes: 300 }] });
const SMALL = { 'mlc-chat-config.json': '{}', 'tensor-cache.json': LIST, 'tokenizer.json': '{}' };
const place = (caches: CacheStorage | undefined) =>
	webllmSource({ clock: new VirtualClock(), gpu: undefined, caches, storage: undefined, locks: undefined });

describe('what is kept', () => {
	it('is partly there until every file of its list is', async () => {
		const caches = someCaches({
			half: { ...SMALL, 'params_shard_0.bin': 'x'.repeat(700) },
			whole: { ...SMALL, 'params_shard_0.bin': 'x'.repeat(700), 'params_shard_1.bin': 'x'.repeat(300), library: 'w' }
		});
		const small = LIST.length + 4;
		expect(await webllmKept(caches, 'half')).toEqual({ files: 4, bytes: small + 700, total: 1000, whole: false });
		expect(await webllmKept(caches, 'whole')).toEqual({
			files: 6,
			bytes: small + 1001,
			total: small + 1001,
			whole: true
		});
		expect(await webllmKept(caches, 'none')).toEqual({ files: 0, bytes: 0, total: undefined, whole: false });
	});

	it.each(['', '7', '{"records":7}', '{"records":[{"nbytes":"many"}]}', '{"records":[null]}'])(
		'is not whole by a list that is none: %s',
		async (list) => {
			const kept = await webllmKept(someCaches({ odd: { ...SMALL, 'tensor-cache.json': list } }), 'odd');
			expect([kept.whole, kept.total]).toEqual([false, undefined]);
		}
	);
});

describe('without a graphics card', () => {
	it('lists every model that chats, says why it cannot run, and which are kept all the same', async () => {
		const id = 'Qwen3-0.6B-q4f16_1-MLC';
		const source = place(someCaches({ [id]: { ...SMALL, 'params_shard_0.bin': 'x'.repeat(700) } }));
		expect(source.entries()).toEqual([]);
		await source.opened;
		const entries = source.entries();
		expect(entries.length).toBeGreaterThan(50);
		expect(new Set(entries.map(({ fit }) => (fit.fits ? 'fits' : fit.why)))).toEqual(
			new Set(['no-graphics', 'model-unsupported'])
		);
		expect(entries.find((entry) => entry.id === id)).toMatchObject({
			runs: 'gpu',
			origin: 'listed',
			kept: 'partly',
			keptBytes: LIST.length + 4 + 700,
			bytes: 1000,
			precision: 'q4',
			integrity: 'first-use'
		});
		await source.remove(id);
		expect(source.entries().find((entry) => entry.id === id)?.kept).toBe('no');
		expect(() => source.engine('of nobody')).toThrow(expect.objectContaining({ code: 'engine-not-ready' }));
		expect(await source.remove('of nobody').catch(codeOf)).toBe('engine-not-ready');
	});

	it('tells those who watch, and does without Cache Storage', async () => {
		const source = place(undefined);
		let told = 0;
		const stop = source.observe(() => told++);
		await source.opened;
		expect(told).toBe(1);
		stop();
		expect(source.entries().every(({ kept }) => kept === 'no')).toBe(true);
	});
});

/** The models of a device in real Chromium tabs, over a server that can lie. */
import type { BrowserContext, Page } from 'playwright';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { MODELS_CASES } from '../compliance/models.ts';
import { ask, opened, outcomeOf, startModelsRig, type ModelsRig } from './models-rig.ts';
import { repositories, SMALL_NAMES } from './models-repository.ts';

const up: { rig?: ModelsRig; profile?: BrowserContext } = {};
const rig = (): ModelsRig => up.rig as ModelsRig;
const profile = (): BrowserContext => up.profile as BrowserContext;
const small = () => `${rig().server.origin}/acme/small`;

beforeAll(async () => {
	up.rig = await startModelsRig();
	rig().server.put(repositories());
}, 120_000);
afterAll(() => up.rig?.close());
beforeEach(async () => {
	up.profile = await rig().browser.newContext();
	rig().server.tell();
	rig().server.asked();
});
afterEach(() => up.profile?.close());

async function tab(init: Parameters<typeof ask<'open'>>[2] = {}): Promise<Page> {
	const page = await rig().tab(profile());
	await ask(page, 'open', init);
	return page;
}

describe('the suite', () => {
	test.each(MODELS_CASES)('$name', async ({ name }) => {
		const page = await rig().tab(profile());
		opened(await ask(page, 'runCase', name, `${small()}/resolve/main/`, SMALL_NAMES));
	});
});

async function looked(page: Page, address = small()): Promise<string> {
	return opened(await ask(page, 'look', address)).id;
}


describe('a model for real', () => {
	test('is looked at, fetched, loaded, answers; and the next visit has it', async () => {
		const page = await tab();
		const id = await looked(page);
		const work = await ask(page, 'beginLoad', id);
		const ready = opened(await ask(page, 'end', work)) as { id: string; verifiable: boolean; selfTest: string };
		expect(ready).toMatchObject({ verifiable: true, selfTest: 'consistency' });
		expect(ready.id).toMatch(/^onnx-[0-9a-f]{16}$/);
		expect(opened(await ask(page, 'answer', id, 'What is the capital of France?'))).toContain('Paris');
		const stages = (await ask(page, 'progress', work)).map(({ stage }) => stage);
		expect(stages.filter((stage, i) => stage !== stages[i - 1])).toEqual(['fetching', 'preparing', 'checking']);
		await page.close();
		const next = await tab();
		expect((await ask(next, 'entries')).map((entry) => [entry.id, entry.kept])).toContainEqual([ready.id, 'whole']);
		rig().server.asked();
		opened(await ask(next, 'end', await ask(next, 'beginLoad', ready.id)));
		expect(rig().server.asked()).toEqual([]);
	});
});

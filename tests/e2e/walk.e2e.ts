/** What a person can do, on the built app, with real tabs, a real relay and the pocket model (its answers here are drawn at temperature 1). */
import { expect, test, type Page } from 'playwright/test';
import { read } from '#lib/protocol/envelope.ts';
import { executionReceipt } from '#lib/protocol/receipt.ts';
import type { AssignedJob, OriginatedJob, ReceiptRecord } from '#lib/ports/store.ts';
import { startGateway } from '../doubles/gateway.ts';
import { THOROUGH } from '../thorough.ts';
import { lastAnswer, log, replays, shownTokens } from './answer.ts';
import { formsOr } from './forms.ts';
import { answered, BUILD, contribute, openStage, send, table, type Person, type Stage } from './stage.ts';

/** Long enough for three checkpoints, or six; honoured on loopback only. */
const LONG_TOKENS = THOROUGH ? 200 : 100;
const LONG = `?minTokens=${LONG_TOKENS}`;
/** Long enough that a stop always comes in the middle. */
const LONGER_TOKENS = THOROUGH ? 400 : 300;
const LONGER = `?minTokens=${LONGER_TOKENS}`;

let stage: Stage;
test.beforeEach(async ({ browser }) => {
	stage = await openStage(browser);
});
test.afterEach(async () => {
	await stage.stop();
});

/** Nothing went to a third party and nothing broke. */
function clean(...people: Person[]): void {
	for (const { errors, strays } of people) {
		expect(errors).toEqual([]);
		expect(strays).toEqual([]);
	}
}

/** Waits until the service worker holds what an answer needs. */
async function held(page: Page): Promise<void> {
	await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
	const kept = () =>
		page.evaluate(async () => {
			const open = (await caches.keys()).map((name) => caches.open(name));
			const requests = await Promise.all(open.map(async (cache) => (await cache).keys()));
			return requests.flat().map((request) => new URL(request.url).pathname.split('.').at(-1));
		});
	await expect.poll(kept, { timeout: 30_000 }).toEqual(expect.arrayContaining(['onnx', 'wasm']));
}

test('1: a message is answered at once by this very tab, with no network but the first load', async () => {
	const person = await stage.person();
	const { page } = person;
	await send(page, 'What is Fireweed?', 'This device');
	await expect(log(page)).toContainText('browser tabs');
	await answered(page);
	await expect(log(page)).toContainText('tok/s');
	expect(await stage.relayed()).toEqual([]);
	clean(person);
});

test('2 and 3: a stranger answers over the mesh, and both hold the same receipt', async () => {
	const [asker, executor] = [await stage.person(LONG), await stage.person()];
	await contribute(executor.page);
	await send(asker.page, 'Tell me about forests, planted-secret-prompt', 'The mesh');
	await answered(asker.page);
	await expect(log(asker.page)).toContainText('tok/s');
	await replays(asker.page, LONG_TOKENS);

	await asker.page.getByRole('link', { name: 'Receipt', exact: true }).click();
	const sheet = asker.page.getByRole('dialog');
	await expect(sheet).toContainText('The one who answered signed; the signature fits.');
	await expect(sheet).toContainText('The one who asked signed; the signature fits.');
	const mine = (await table<ReceiptRecord>(asker.page, 'receipts'))[0];
	await expect(sheet).toContainText(mine?.cid ?? 'none');
	await expect
		.poll(async () => (await table<ReceiptRecord>(executor.page, 'receipts'))[0]?.counterpart !== undefined)
		.toBe(true);
	const theirs = (await table<ReceiptRecord>(executor.page, 'receipts'))[0];
	expect(theirs?.cid).toBe(mine?.cid);
	expect(Object.values(theirs?.document ?? {})).toEqual(Object.values(mine?.document ?? {}));

	const seen = await stage.relayed();
	expect(seen.length).toBeGreaterThanOrEqual(2);
	for (const payload of seen) {
		for (const secret of ['planted-secret-prompt', 'AssignJob', 'Frame', 'Checkpoint'])
			expect(payload.includes(secret)).toBe(false);
	}
	const { introductions } = (await stage.health()) as {
		introductions: { relayedBytes: number; introductions: number };
	};
	console.log(
		`relayed for a new pair, first contact to receipt: ${introductions.relayedBytes} bytes in ${introductions.introductions} introduction(s)`
	);
	expect(introductions.relayedBytes).toBeGreaterThan(0);
	expect(introductions.relayedBytes).toBeLessThan(32 * 1024);
	clean(asker, executor);
});

test('2: a second tab of the same profile answers for free, under a node key of its own', async () => {
	const { context, page, ...rest } = await stage.person(LONG);
	const second = await context.newPage();
	await second.goto(stage.url);
	await contribute(second);
	await send(page, 'Tell me about fire', 'The mesh');
	await answered(page);
	await expect(log(page)).toContainText('free');
	const [job] = await table<AssignedJob>(page, 'assigned');
	expect(job).toMatchObject({ sameAccount: true, price: 0 });
	await replays(page, LONG_TOKENS);
	clean({ context, page, ...rest });
});

test('3: Stop stops the other side’s engine within a step, and a stopped job has its receipt', async () => {
	const [asker, executor] = [await stage.person(LONGER), await stage.person()];
	await contribute(executor.page);
	await send(asker.page, 'Tell me a long story', 'The mesh');
	await expect.poll(() => shownTokens(asker.page), { intervals: [50] }).toBeGreaterThan(30);
	await asker.page.getByRole('button', { name: 'Stop' }).click();
	await answered(asker.page);
	await expect(log(asker.page)).toContainText('Stopped');
	const record = (await table<ReceiptRecord>(asker.page, 'receipts'))[0];
	const { status, answerTokens } = read(executionReceipt, Uint8Array.from(Object.values(record?.document ?? {}))).body;
	expect(status).toBe('cancelled');
	expect(answerTokens).toBeLessThan(LONGER_TOKENS);
	expect((await lastAnswer(asker.page))?.answer?.tokens).toHaveLength(answerTokens);
	await expect(executor.page.getByRole('status').filter({ hasText: 'Ready' })).toBeVisible();
	clean(asker, executor);
});

test('4: the answering tab is closed: within two seconds the asker knows, keeps every word, and goes on with one click', async () => {
	const [asker, first, second] = [await stage.person(LONG), await stage.person(), await stage.person()];
	await contribute(first.page);
	await send(asker.page, 'Tell me about the night', 'The mesh');
	await expect.poll(() => shownTokens(asker.page), { intervals: [50] }).toBeGreaterThan(45);
	const closed = Date.now();
	await first.page.close({ runBeforeUnload: false });
	const goOn = asker.page.getByRole('button', { name: 'Continue' });
	await expect(goOn).toBeVisible({ timeout: 5_000 });
	const told = Date.now() - closed;
	console.log(`told of the closed tab after ${told} ms`);
	expect(told).toBeLessThan(2_000);
	const before = await lastAnswer(asker.page);
	expect(before?.answer?.status).toBe('lost');
	expect(before?.answer?.tokens.length).toBeGreaterThan(32);
	const [partial] = await table<ReceiptRecord>(asker.page, 'receipts');
	expect(partial).toMatchObject({ kind: 'checkpoint', role: 'originator' });

	await contribute(second.page);
	await goOn.click();
	await answered(asker.page);
	const after = await lastAnswer(asker.page);
	expect(after?.answer?.status).toBe('done');
	expect(after?.text.startsWith(before?.text ?? 'none')).toBe(true);
	expect(after?.answer?.tokens.slice(0, before?.answer?.tokens.length)).toEqual(before?.answer?.tokens);
	expect(after?.answer?.tokens.length).toBeGreaterThanOrEqual(LONG_TOKENS);
	clean(asker, second);
});

/** What a page tells developers and when its answers grow, by its own clock. */
interface Chronicle {
	readonly said: { readonly at: number; readonly line: string }[];
	readonly grew: { readonly at: number; readonly length: number }[];
}

function chronicle(): Chronicle {
	const kept: Chronicle = { said: [], grew: [] };
	const debug = console.debug.bind(console);
	console.debug = (...facts: unknown[]) => {
		kept.said.push({ at: Date.now(), line: String(facts[0]) });
		debug(...facts);
	};
	const length = () =>
		[...document.querySelectorAll('.words')].reduce((sum, { textContent }) => sum + textContent.length, 0);
	new MutationObserver(() => {
		if (length() > (kept.grew.at(-1)?.length ?? 0)) kept.grew.push({ at: Date.now(), length: length() });
	}).observe(document, { childList: true, characterData: true, subtree: true });
	return kept;
}

// Killed, frozen and cut off: tests/full/failover.e2e.ts.
test('9: the answering tab is closed in mid-answer, and another one completes the answer as if nothing had been', async () => {
	test.setTimeout(120_000);
	const [asker, one, two] = [await stage.person(LONGER), await stage.person(), await stage.person()];
	await contribute(one.page);
	await send(asker.page, 'Tell me about the mountains', 'The mesh');
	await expect.poll(() => shownTokens(asker.page), { intervals: [20] }).toBeGreaterThan(45);
	// One that came after the bids were made is found by announcing the job once more.
	await contribute(two.page);
	const working = (page: Page) => page.getByRole('status').filter({ hasText: 'Working' }).isVisible();
	const [lost, other] = (await working(one.page)) ? [one, two] : [two, one];
	const kept = await asker.page.evaluateHandle(chronicle);
	const gone = Date.now();
	await lost.page.close({ runBeforeUnload: false });
	await answered(asker.page);
	const after = await lastAnswer(asker.page);
	expect(after?.answer).toMatchObject({ status: 'done', by: 'mesh' });
	expect(after?.answer?.seams).toHaveLength(1);
	await replays(asker.page, LONGER_TOKENS);
	await expect(log(asker.page)).toContainText(/Continued on another computer after \d+ words/);

	const receipts = await table<ReceiptRecord>(asker.page, 'receipts');
	const last = receipts.find((record) => record.cid === after?.answer?.receipt);
	const { epoch, startPosition, predecessors } = read(
		executionReceipt,
		Uint8Array.from(Object.values(last?.document ?? {}))
	).body;
	expect(epoch).toBe(2);
	expect(startPosition).toBeGreaterThan(32);
	expect(predecessors.map(String)).toEqual(
		receipts.filter((record) => record.kind === 'checkpoint').map((record) => record.cid)
	);

	const { said, grew } = await kept.jsonValue();
	const since = (moment: { readonly at: number } | undefined) => (moment?.at ?? NaN) - gone;
	const noticed = since(said.find(({ line }) => line === 'fireweed executor-lost'));
	const replaced = since(said.find(({ line }) => line === 'fireweed handed-over'));
	const resumed = since(grew.find((moment) => since(moment) > replaced));
	console.log(
		`closed after ${startPosition} tokens: noticed after ${noticed} ms, another accepted after ${replaced} ms, its first word shown after ${resumed} ms`
	);
	expect(noticed).toBeLessThan(2_000);
	expect(replaced - noticed).toBeLessThan(2_000);
	clean(asker, other);
});

test('5: the relay is killed in mid-answer: the answer ends well, jobs go on without it, and tabs return to it', async () => {
	const [asker, executor] = [await stage.person(LONG), await stage.person()];
	await contribute(executor.page);
	await send(asker.page, 'Tell me about rivers', 'The mesh');
	await expect.poll(() => shownTokens(asker.page), { intervals: [50] }).toBeGreaterThan(20);
	await stage.killRelay();
	await answered(asker.page);
	await replays(asker.page, LONG_TOKENS);
	await send(asker.page, 'And about the sea?', 'The mesh');
	await answered(asker.page);
	await expect.poll(async () => (await lastAnswer(asker.page))?.answer?.status).toBe('done');
	const jobs = await table<OriginatedJob>(asker.page, 'jobs');
	expect(jobs.map((job) => job.state)).toEqual(['finished', 'finished']);
	await stage.startRelay();
	await expect
		.poll(async () => ((await stage.health()) as { reservations: number }).reservations, { timeout: 20_000 })
		.toBe(2);
	clean(asker, executor);
});

test('6: without network the app opens, conversations and receipts are there, and the pocket model answers', async () => {
	const [asker, executor] = [await stage.person(LONG), await stage.person()];
	await contribute(executor.page);
	await send(asker.page, 'Tell me about islands', 'The mesh');
	await answered(asker.page);
	const said = (await lastAnswer(asker.page))?.text ?? '';
	const { page, context } = asker;
	await held(page);
	await context.setOffline(true);
	await stage.killRelay();
	await page.reload();
	await expect(log(page)).toContainText(said.slice(0, 40).trim());
	await send(page, 'What is Fireweed?', 'This device');
	await answered(page);
	expect((await lastAnswer(page))?.answer).toMatchObject({ by: 'device', status: 'done' });
	await page.getByRole('link', { name: 'Receipts' }).click();
	await expect(page.getByRole('main')).toContainText('Pocket');
	clean(asker);
});

for (const form of formsOr('pathUrl')) {
	test(`7: from an IPFS gateway (${form}) the shell loads, answers, and answers again with the gateway gone`, async ({
		context
	}) => {
		const gateway = await startGateway(BUILD);
		const errors: string[] = [];
		try {
			const page = await context.newPage();
			page.on('pageerror', (error) => errors.push(String(error)));
			await page.goto(gateway[form]);
			await send(page, 'What is Fireweed?', 'This device');
			await answered(page);
			await expect(log(page)).toContainText('browser tabs');
			await held(page);
			await gateway.close();
			await page.reload();
			await send(page, 'What is the capital of Peru?', 'This device');
			await answered(page);
			await expect(log(page)).toContainText('Lima');
			expect(errors).toEqual([]);
		} finally {
			await gateway.close();
		}
	});
}

/** What a contributor states before anybody asks. */
import { expect, it } from 'vitest';
import { capabilityAdvertisement, statedSelfTest } from '#lib/protocol/capability.ts';
import { read } from '#lib/protocol/envelope.ts';
import { codeOf, Refusal } from '#lib/protocol/errors.ts';
import { Offers } from '#lib/node/offers.ts';
import { NodeClock } from '../doubles/clock.ts';
import { endOf, World } from '../doubles/node.ts';

it('states what its engine proved, what computes, how fast, and which bytes', async () => {
	const world = new World('states');
	const [lender, listener] = [await world.node(), await world.node()];
	const heard = Promise.withResolvers<Uint8Array>();
	listener.mesh.subscribe('fireweed/1/capabilities', () => 'accept', heard.resolve);
	await world.clock.until(lender.contribution.start());
	const { body } = read(capabilityAdvertisement, await world.clock.until(heard.promise));
	const ready = await lender.engine.load(() => undefined, new AbortController().signal);
	expect(body.models).toHaveLength(1);
	const [stated] = body.models;
	expect(stated?.model.engineHash).toEqual(ready.card.engineHash);
	expect(stated?.model.weightsHash).toEqual(ready.card.weightsHash);
	expect(stated?.milliTokensPerSecond).toBe(ready.tokensPerSecond * 1000);
	expect(stated?.selfTest).toEqual(statedSelfTest(ready.selfTest));
	expect([body.wasmThreads, body.f16, body.adapter]).toEqual([ready.device.threads, ready.device.f16, undefined]);
	await world.clock.until(lender.contribution.stop());
});

it('does not lend a model whose answers cannot be checked, and states nothing', async () => {
	const world = new World('int8');
	const [lender, listener] = [await world.node({ engine: { verifiable: false } }), await world.node()];
	const heard: Uint8Array[] = [];
	listener.mesh.subscribe(
		'fireweed/1/capabilities',
		() => 'accept',
		(bytes) => heard.push(bytes)
	);
	const code = await world.clock.until(lender.contribution.start().then(() => 'started', codeOf));
	expect(code).toBe('not-verifiable');
	await world.clock.pass(60_000);
	expect(heard).toEqual([]);
});

it('offers nothing and bids on nothing while paused, and both again afterwards', async () => {
	const world = new World('paused');
	const [lender, asker] = [await world.node(), await world.node()];
	let stated = 0;
	asker.mesh.subscribe(
		'fireweed/1/capabilities',
		() => 'accept',
		() => stated++
	);
	await world.clock.until(lender.contribution.start());
	lender.contribution.pause(true);
	await world.clock.pass(1_000);
	const before = stated;
	expect(endOf(await world.clock.until(asker.ask({ minTokens: 0, maxTokens: 8 })))).toMatchObject({
		type: 'failed',
		code: 'no-bids'
	});
	await world.clock.pass(60_000);
	expect(stated).toBe(before);
	lender.contribution.pause(false);
	expect(endOf(await world.clock.until(asker.ask({ minTokens: 0, maxTokens: 8 }))).type).toBe('finished');
	await world.clock.pass(1_000);
	expect(stated).toBeGreaterThan(before);
	await world.clock.until(lender.contribution.stop());
	lender.contribution.pause(false);
	const atTheEnd = stated;
	await world.clock.pass(60_000);
	expect(stated).toBe(atTheEnd);
});

it('finishes the running job when it is paused in the middle', async () => {
	const world = new World('paused-midway');
	const [lender, asker] = [await world.node({ engine: { tokensPerSecond: 20 } }), await world.node()];
	await world.clock.until(lender.contribution.start());
	const asked = asker.ask({ maxTokens: 60, minTokens: 60 }, undefined, undefined, (event) => {
		if (event.type === 'words') lender.contribution.pause(true);
	});
	expect(endOf(await world.clock.until(asked))).toMatchObject({ type: 'finished', tokens: 60 });
});

it('rounds what it proved to its own disadvantage', () => {
	const proof = { kind: 'reference', positions: 80, worst: 0.0000241, tolerance: 0.001 } as const;
	expect(statedSelfTest(proof)).toEqual({ kind: 'reference', positions: 80, worstMicro: 25, toleranceMicro: 1000 });
});

it('is heard at once after its wall clock was set back: statements are counted, not only timed', async () => {
	const world = new World('set back');
	const clock = new NodeClock(world.clock);
	const [lender, listener] = [await world.node({ clock }), await world.node()];
	const offers = new Offers(listener.ports, () => undefined);
	offers.follow(listener.mesh);
	const refused = () => listener.log.filter(({ event }) => event === 'capability-refused');
	await world.clock.until(lender.contribution.start());
	await world.clock.pass(20_000);
	clock.aheadMs -= 60_000;
	await world.clock.pass(55_000);
	expect(refused()).toEqual([]);
	expect(offers.list().map(({ executor }) => executor)).toEqual([lender.identity.peer]);
	await world.clock.until(lender.contribution.stop());
});

it('loads an engine that died in a job at once, says so, and offers nothing until it is back', async () => {
	const world = new World('revived-at-once');
	let deaths = 1;
	const engine = {
		loadMs: 30_000,
		dies: (position: number) => (position === 5 && deaths-- > 0 ? 'engine-failed' : undefined)
	} as const;
	const [lender, asker] = [await world.node({ engine }), await world.node()];
	await world.clock.until(lender.contribution.start());
	let stated = 0;
	asker.mesh.subscribe(
		'fireweed/1/capabilities',
		() => 'accept',
		() => stated++
	);
	const told: string[] = [];
	await world.clock.until(asker.ask({ minTokens: 20, maxTokens: 20 }));
	const before = stated;
	const types = () =>
		lender.contributed.map(({ type }) => type).filter((type) => type === 'ready' || type === 'reviving');
	told.push(...types());
	expect(told[0]).toBe('ready');
	expect(told[1]).toBe('reviving');
	await world.clock.pass(20_000);
	expect(stated).toBe(before);
	await world.clock.pass(30_000);
	expect(types().at(-1)).toBe('ready');
	expect(stated).toBeGreaterThan(before);
	expect(endOf(await world.clock.until(asker.ask({ minTokens: 0, maxTokens: 8 }))).type).toBe('finished');
});

it('says that it is over when the engine does not come back', async () => {
	const world = new World('gone-for-good');
	const refusing = { now: false };
	const [lender, asker] = [
		await world.node({
			engine: { dies: (position) => (position === 5 ? 'device-lost' : undefined) },
			playing: (engine) =>
				new Proxy(engine, {
					get: (inner, name) => {
						if (name === 'load' && refusing.now) return () => Promise.reject(new Refusal('no-graphics'));
						const value: unknown = Reflect.get(inner, name, inner);
						return typeof value === 'function' ? value.bind(inner) : value;
					}
				})
		}),
		await world.node()
	];
	await world.clock.until(lender.contribution.start());
	refusing.now = true;
	await world.clock.until(asker.ask({ minTokens: 20, maxTokens: 20 }));
	await world.clock.pass(1_000);
	expect(lender.contributed.filter(({ type }) => type === 'engine-lost')).toEqual([
		{ type: 'engine-lost', code: 'no-graphics' }
	]);
});

it('tells a node that asks for more at once than it may that it is busy: nothing looks like a lost connection', async () => {
	const world = new World('greedy');
	const [lender, asker] = [await world.node({ engine: { tokensPerSecond: 20 } }), await world.node()];
	await world.clock.until(lender.contribution.start());
	const asks = Array.from({ length: 8 }, () => asker.ask({ minTokens: 60, maxTokens: 60 }));
	const ends = (await world.clock.until(Promise.all(asks))).map(endOf);
	expect(ends.filter(({ type }) => type === 'finished').length).toBeGreaterThan(1);
	for (const end of ends) if (end.type === 'failed') expect(end.code).toBe('busy');
	const codes = asker.log.flatMap(({ event, facts }) => (event === 'executor-not-hired' ? [facts] : []));
	expect(codes.length).toBeGreaterThan(0);
	expect([...new Set(codes.map((each) => JSON.stringify(each)))]).toEqual(['{"code":"busy"}']);
	await world.clock.until(lender.contribution.stop());
});

/** What a lender says of itself, how often, and how soon to those who are new. */
import { expect, test } from 'vitest';
import { advertise } from '#lib/node/advertise.ts';
import type { ContributeTerms } from '#lib/node/contribute.ts';
import type { ExecutorPorts } from '#lib/node/ports.ts';
import type { EngineReady } from '#lib/ports/engine.ts';
import type { MeshEvent } from '#lib/ports/mesh.ts';
import type { LocalCapability } from '#lib/ports/store.ts';
import { capabilityAdvertisement } from '#lib/protocol/capability.ts';
import { openCertificate } from '#lib/protocol/certificate.ts';
import { open, read } from '#lib/protocol/envelope.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import { offer } from '#lib/protocol/model.ts';
import { NodeClock, VirtualClock } from '../doubles/clock.ts';
import { ScriptedEngine } from '../doubles/engine.ts';
import { Seals } from '../doubles/seals.ts';

const EVERY_MS = 10_000;
const PAUSE_MS = 1_500;

interface How {
	readonly terms?: Partial<ContributeTerms>;
	readonly device?: Partial<EngineReady['device']>;
	readonly addresses?: readonly string[];
	readonly load?: () => { readonly running: number; readonly queued: number };
}

/** A lender that has just begun to say what it offers. */
async function lender({ terms = {}, device = {}, addresses = [], load = () => ({ running: 0, queued: 0 }) }: How = {}) {
	const time = new VirtualClock();
	const clock = new NodeClock(time);
	const seals = new Seals();
	const identity = await seals.identity(new Uint8Array(32).fill(1), new Uint8Array(32).fill(2), clock.now());
	const published: { readonly at: number; readonly topic: string; readonly bytes: Uint8Array }[] = [];
	const kept: LocalCapability[] = [];
	const log: unknown[] = [];
	const refuse: { publish?: Refusal; put?: Refusal } = {};
	const observers = new Set<(event: MeshEvent) => void>();
	const ports = {
		...{ clock, identity, log: (...line: unknown[]) => void log.push(line) },
		mesh: {
			addresses: () => addresses,
			publish: async (topic: string, bytes: Uint8Array) => {
				published.push({ at: clock.monotonic(), topic, bytes });
				if (refuse.publish !== undefined) throw refuse.publish;
			},
			observe: (observer: (event: MeshEvent) => void) => {
				observers.add(observer);
				return () => observers.delete(observer);
			}
		},
		store: {
			capabilities: {
				put: async (row: LocalCapability) => {
					kept.push(row);
					if (refuse.put !== undefined) throw refuse.put;
				}
			}
		}
	} as unknown as ExecutorPorts;
	const engine = await new ScriptedEngine({ clock }).load(() => undefined, new AbortController().signal);
	const selfTest = { kind: 'consistency' as const, positions: 80, worst: 0.5, tolerance: 0.75 };
	const ready = { ...engine, selfTest, tokensPerSecond: 20.4567, device: { ...engine.device, ...device } };
	const model = offer(ready.card);
	const stop = advertise(model, ready, { pricePer1k: 7, region: undefined, ...terms }, load, ports);
	const bodies = () => published.map(({ bytes }) => read(capabilityAdvertisement, bytes).body);
	const tell = (type: MeshEvent['type']) => {
		for (const observer of observers) observer({ type } as MeshEvent);
	};
	await time.pass(0);
	const times = () => published.map(({ at }) => at);
	return { time, clock, seals, identity, published, kept, log, refuse, observers, model, stop, bodies, tell, times };
}

test('says at once what it offers, signed by its node, and keeps what it said', async () => {
	const { clock, seals, published, kept, model, bodies, identity, log } = await lender({
		...{ terms: { region: 'Lisbon', circle: () => undefined }, addresses: ['/memory/a', '/memory/b'] },
		...{ device: { threads: 3, adapter: 'some adapter', f16: true }, load: () => ({ running: 1, queued: 2 }) }
	});
	const now = clock.now();
	const said = { kind: 'consistency', positions: 80, worstMicro: 500_000, toleranceMicro: 750_000 };
	const statement = {
		models: [{ model, milliTokensPerSecond: 20_457, pricePer1k: 7, loaded: true, selfTest: said }],
		...{ running: 1, queued: 2, capacity: 1, region: 'Lisbon', versions: ['fireweed-schema@1.0.0'] },
		...{ adapter: 'some adapter', f16: true, subgroups: false, memoryGib: 0, wasmSimd: true, wasmThreads: 3 },
		...{ addresses: ['/memory/a', '/memory/b'], sequence: now, issuedAt: now, ttlMs: 60_000, extensions: {} }
	};
	expect(bodies()).toStrictEqual([statement]);
	const [{ topic, bytes }] = published as [(typeof published)[0]];
	expect(topic).toBe('fireweed/1/capabilities');
	const { account } = await openCertificate(await open(capabilityAdvertisement, bytes, seals), seals, now);
	expect(account).toEqual(identity.accountKey);
	expect(kept).toStrictEqual([{ id: 'self', savedAt: now, document: bytes }]);
	expect(log).toEqual([]);
});

test('says nothing of a region or an adapter that is not known', async () => {
	const [body] = (await lender()).bodies();
	expect(body).toBeDefined();
	for (const field of ['region', 'adapter']) expect(body).not.toHaveProperty(field);
});

test('says no more than fits: sixty-four letters of the adapter, eight addresses', async () => {
	const addresses = Array.from({ length: 9 }, (_, n) => `/memory/${n}`);
	const [body] = (await lender({ device: { adapter: 'x'.repeat(65) }, addresses })).bodies();
	expect(body).toMatchObject({ adapter: 'x'.repeat(64), addresses: addresses.slice(0, 8) });
});

test('says when it answers people it knows only, as it is at that moment', async () => {
	const state: { circle: ReadonlySet<string> | undefined } = { circle: new Set() };
	const { time, bodies } = await lender({ terms: { circle: () => state.circle } });
	state.circle = undefined;
	await time.pass(EVERY_MS + PAUSE_MS);
	expect(bodies().map(({ extensions }) => extensions)).toEqual([{ circle: Uint8Array.of(1) }, {}]);
});

test('says it again in its rhythm, each time with how busy it is and a higher sequence', async () => {
	const jobs = { running: 0, queued: 0 };
	const { time, bodies, times, clock } = await lender({ load: () => jobs });
	jobs.queued = 5;
	await time.pass(EVERY_MS + PAUSE_MS - 1);
	expect(times()).toEqual([0]);
	await time.pass(1);
	await time.pass(EVERY_MS + PAUSE_MS);
	expect(times()).toEqual([0, 11_500, 23_000]);
	expect(bodies().map(({ queued }) => queued)).toEqual([0, 5, 5]);
	expect(bodies().map(({ sequence }) => sequence)).toEqual([0, 11_500, 23_000].map((ms) => clock.now() - 23_000 + ms));
});

test('a clock that is set back takes nobody’s ears: the sequence grows by one until it is right again', async () => {
	const { time, clock, bodies } = await lender();
	const first = clock.now();
	clock.aheadMs = -3_600_000;
	await time.pass(2 * (EVERY_MS + PAUSE_MS));
	clock.aheadMs = 0;
	await time.pass(EVERY_MS + PAUSE_MS);
	expect(bodies().map(({ sequence }) => sequence - first)).toEqual([0, 1, 2, 34_500]);
	expect(bodies().map(({ issuedAt }) => issuedAt - first)).toEqual([0, 11_500 - 3_600_000, 23_000 - 3_600_000, 34_500]);
});

test.each(['peer-up', 'relay-up'] as const)('after somebody new came (%s) it says it soon', async (type) => {
	const { time, tell, times } = await lender();
	await time.pass(4_000);
	tell(type);
	await time.pass(PAUSE_MS - 1);
	expect(times()).toEqual([0]);
	await time.pass(1);
	expect(times()).toEqual([0, 5_500]);
	// From there on in its rhythm.
	await time.pass(EVERY_MS + PAUSE_MS);
	expect(times()).toEqual([0, 5_500, 17_000]);
});

test('to a crowd it says it once', async () => {
	const { time, tell, times } = await lender();
	await time.pass(4_000);
	for (let n = 0; n < 5; n++) {
		tell('peer-up');
		await time.pass(200);
	}
	await time.pass(EVERY_MS);
	expect(times()).toEqual([0, 5_500]);
});

test.each(['peer-down', 'relay-down'] as const)('to one who goes (%s) it says nothing', async (type) => {
	const { time, tell, times } = await lender();
	await time.pass(4_000);
	tell(type);
	await time.pass(EVERY_MS);
	expect(times()).toEqual([0, 11_500]);
});

test('what cannot be said now is said the next time', async () => {
	const { time, refuse, log, times } = await lender();
	refuse.publish = new Refusal('relay-unavailable');
	await time.pass(EVERY_MS + PAUSE_MS);
	delete refuse.publish;
	await time.pass(EVERY_MS + PAUSE_MS);
	expect(log).toEqual([['advertise-failed', { code: 'relay-unavailable' }]]);
	expect(times()).toEqual([0, 11_500, 23_000]);
});

test('what cannot be kept is said all the same', async () => {
	const { time, refuse, log, times } = await lender();
	refuse.put = new Refusal('storage-full');
	await time.pass(EVERY_MS + PAUSE_MS);
	expect(log).toEqual([['not-kept', { code: 'storage-full' }]]);
	expect(times()).toEqual([0, 11_500]);
});

test.each([
	['while it waits for the next time', 5_000],
	['in the pause before it', EVERY_MS + 500]
])('stopped %s, it says nothing more and hears nobody', async (_, at) => {
	const { time, stop, tell, times, observers } = await lender();
	await time.pass(at);
	stop();
	expect(observers.size).toBe(0);
	tell('peer-up');
	await time.pass(5 * EVERY_MS);
	expect([times(), time.waiting]).toEqual([[0], 0]);
});

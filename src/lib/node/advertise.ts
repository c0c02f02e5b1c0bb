/** Says over and over, until stopped, what this node offers; keeps the last statement so that a reload resumes with a higher sequence. */
import type { EngineReady } from '#lib/ports/engine.ts';
import {
	CIRCLE,
	capabilityAdvertisement,
	SCHEMA_VERSIONS,
	statedSelfTest,
	type CapabilityAdvertisement
} from '#lib/protocol/capability.ts';
import { seal } from '#lib/protocol/envelope.ts';
import { codeOf } from '#lib/protocol/errors.ts';
import type { OfferedModel } from '#lib/protocol/model.ts';
import type { ContributeTerms } from './contribute.ts';
import { Inbox } from './inbox.ts';
import type { ExecutorPorts } from './ports.ts';
import { quietly } from './record.ts';

/** Between two statements: how long a newcomer behind a relay may not know of us. One statement outlives five lost ones. */
const EVERY_MS = 10_000;
/** After somebody new came, who has heard none: soon, but once for a crowd. */
const NEWCOMER_MS = 1_500;
const TTL_MS = 60_000;
/** Characters of an adapter's name that are stated. */
const MAX_ADAPTER = 64;

/** Returns how to stop. */
export function advertise(
	model: OfferedModel,
	ready: EngineReady,
	terms: ContributeTerms,
	load: () => Pick<CapabilityAdvertisement, 'running' | 'queued'>,
	ports: ExecutorPorts
): () => void {
	const stopping = new AbortController();
	const { threads, adapter, f16, subgroups } = ready.device;
	let sequence = 0;
	const state = async (): Promise<void> => {
		// Wall time makes it grow over reloads without reading anything back; a clock that is set back must not make us unheard for as long.
		sequence = Math.max(sequence + 1, ports.clock.now());
		const body: CapabilityAdvertisement = {
			models: [
				{
					model,
					milliTokensPerSecond: Math.round(ready.tokensPerSecond * 1000),
					pricePer1k: terms.pricePer1k,
					loaded: true,
					selfTest: statedSelfTest(ready.selfTest)
				}
			],
			...load(),
			capacity: 1,
			...(terms.region === undefined ? {} : { region: terms.region }),
			versions: [...SCHEMA_VERSIONS],
			...(adapter === undefined ? {} : { adapter: adapter.slice(0, MAX_ADAPTER) }),
			f16,
			subgroups,
			memoryGib: 0,
			wasmSimd: true,
			wasmThreads: threads,
			addresses: [...ports.mesh.addresses()].slice(0, 8),
			sequence,
			issuedAt: ports.clock.now(),
			ttlMs: TTL_MS,
			extensions: terms.circle?.() === undefined ? {} : { [CIRCLE]: Uint8Array.of(1) }
		};
		const signed = await seal(capabilityAdvertisement, body, ports.identity.node, ports.identity.certificate);
		await quietly(ports, ports.store.capabilities.put({ id: 'self', savedAt: body.issuedAt, document: signed.bytes }));
		await ports.mesh.publish('fireweed/1/capabilities', signed.bytes);
	};
	const newcomers = new Inbox<true>(ports.clock);
	const deaf = ports.mesh.observe((event) => {
		if (event.type === 'peer-up' || event.type === 'relay-up') newcomers.put(true);
	});
	const loop = async (): Promise<void> => {
		// Until stopped: then the pause ends it.
		for (;;) {
			await state().catch((error: unknown) => ports.log('advertise-failed', { code: codeOf(error) }));
			await newcomers.take(EVERY_MS);
			await ports.clock.sleep(NEWCOMER_MS, stopping.signal);
			newcomers.empty();
		}
	};
	loop().catch(() => undefined);
	return () => {
		deaf();
		stopping.abort();
	};
}

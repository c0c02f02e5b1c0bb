import { afterEach, describe, test } from 'vitest';
import type { Libp2pMesh } from '#lib/mesh/mesh.ts';
import { timerTicker, type Ticker } from '#lib/mesh/ticker.ts';
import { MESH_CASES, type MeshPlace } from '../compliance/mesh.ts';
import { nodeMesh } from '../doubles/mesh-nodes.ts';

/** A ticker that can be stopped from outside: the mesh then says nothing more, as if its process were gone. */
function mortalTicker(): Ticker & { die(): void } {
	const ticker = timerTicker();
	return { start: (onTick) => ticker.start(onTick), stop: () => ticker.stop(), die: () => ticker.stop() };
}

function nodePlace(): MeshPlace & { close(): Promise<void> } {
	const made = new Map<Libp2pMesh, ReturnType<typeof mortalTicker>>();
	return {
		async mesh() {
			const ticker = mortalTicker();
			const mesh = nodeMesh([], ticker);
			await mesh.start();
			for (const other of made.keys()) {
				const channel = await mesh.open(other.self, other.addresses(), new AbortController().signal);
				channel.abort();
			}
			made.set(mesh, ticker);
			return mesh;
		},
		vanish: (mesh) => {
			made.get(mesh as Libp2pMesh)?.die();
			return Promise.resolve();
		},
		close: async () => {
			await Promise.all([...made.keys()].map((mesh) => mesh.stop()));
		}
	};
}

describe('the Mesh suite over libp2p, WebSockets on loopback', () => {
	const places: ReturnType<typeof nodePlace>[] = [];
	afterEach(async () => {
		await Promise.all(places.splice(0).map((place) => place.close()));
	});
	test.each(MESH_CASES)('$name', async ({ run }) => {
		const place = nodePlace();
		places.push(place);
		await run(place);
	});
});

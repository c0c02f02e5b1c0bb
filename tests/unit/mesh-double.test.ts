/** The in-memory network keeps the Mesh port's promises too, so what is tested over it is worth something. */
import { afterEach, beforeEach, describe, test } from 'vitest';
import { formatPeerId } from '#lib/protocol/did.ts';
import { MESH_CASES, type MeshPlace } from '../compliance/mesh.ts';
import { SeededRandom } from '../doubles/chance.ts';
import { VirtualClock } from '../doubles/clock.ts';
import { freshSigner } from '../doubles/mesh-nodes.ts';
import { Network } from '../doubles/network.ts';

/** Virtual time that passes for each turn of the pump, ms: a second of the network's time is a few turns of ours. */
const STEP_MS = 50;

describe('the Mesh suite over the in-memory network', () => {
	let clock: VirtualClock;
	let going = false;
	beforeEach(() => {
		clock = new VirtualClock();
		going = true;
		void (async () => {
			while (going) await clock.pass(STEP_MS);
		})();
	});
	afterEach(() => {
		going = false;
	});
	test.each(MESH_CASES)('$name', async ({ run }) => {
		const network = new Network({ clock, random: new SeededRandom('mesh suite') });
		const place: MeshPlace = {
			mesh: async () => {
				const mesh = network.join(formatPeerId(freshSigner().publicKey));
				await mesh.start();
				return mesh;
			},
			vanish: (mesh) => {
				network.vanish(mesh.self);
				return Promise.resolve();
			}
		};
		await run(place);
	});
});

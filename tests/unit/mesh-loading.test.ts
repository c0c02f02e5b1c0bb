/** A mesh whose code is still to come: libp2p is loaded when a mesh is wanted, over a network that may go just then. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { createMesh } from '#lib/mesh/mesh.ts';
import { socketMedium } from '#lib/mesh/medium-sockets.ts';
import type { Medium } from '#lib/mesh/medium.ts';
import { timerTicker } from '#lib/mesh/ticker.ts';
import { codeOf } from '#lib/protocol/errors.ts';
import { freshSigner, realClock, realRandom } from '../doubles/mesh-nodes.ts';

const NEVER = new AbortController().signal;
const codeThrown = (work: Promise<unknown>) => work.then(() => 'none', codeOf);

/** A mesh that listens on loopback, with a medium that loads as a test says. */
function meshThat(load: (real: Medium) => ReturnType<Medium['load']>) {
	const real = socketMedium(['/ip4/127.0.0.1/tcp/0/ws']);
	const mesh = createMesh({
		...{ signer: freshSigner(), ticker: timerTicker(), clock: realClock, random: realRandom, log: () => undefined },
		...{ place: 'loopback', relays: [], medium: { ...real, load: () => load(real) } }
	});
	onTestFinished(() => mesh.stop());
	return mesh;
}

describe('a mesh', () => {
	it('loads nothing until it is started, and starts once', async () => {
		let loads = 0;
		const mesh = meshThat((real) => (loads++, real.load()));
		expect(loads).toBe(0);
		await Promise.all([mesh.start(), mesh.start()]);
		await mesh.start();
		expect(loads).toBe(1);
	});

	it('whose code does not come says so, and can be started later', async () => {
		let gone = true;
		const mesh = meshThat((real) => (gone ? Promise.reject(new TypeError('Failed to fetch')) : real.load()));
		expect(await codeThrown(mesh.start())).toBe('relay-unavailable');
		await expect(mesh.open('nobody', [], NEVER)).rejects.toThrow('not started');
		gone = false;
		await mesh.start();
		expect(await codeThrown(mesh.open('nobody', [], NEVER))).toBe('unreachable');
	});

	it('that is stopped while its code comes does not run afterwards, unless it is started again', async () => {
		const coming: (() => void)[] = [];
		const mesh = meshThat(async (real) => {
			await new Promise<void>((resolve) => coming.push(resolve));
			return real.load();
		});
		const first = mesh.start();
		await mesh.stop();
		coming[0]?.();
		await first;
		await expect(mesh.open('nobody', [], NEVER)).rejects.toThrow('not started');
		const second = mesh.start();
		coming[1]?.();
		await second;
		expect(await codeThrown(mesh.open('nobody', [], NEVER))).toBe('unreachable');
	});
});

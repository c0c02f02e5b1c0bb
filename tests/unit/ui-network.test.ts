/** The Network page: where peers are drawn, what a report may hold, and measures that are never invented. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { MeshState, Offer } from '#lib/node/app.ts';
import type { Peer } from '#lib/ports/mesh.ts';
import type { Answer, Message } from '#lib/ports/store.ts';
import { diagnostics, type Facts } from '#lib/ui/network/diagnostics.ts';
import { measures } from '#lib/ui/network/measures.ts';
import { drawPeers, MOST_DRAWN } from '#lib/ui/network/picture.ts';

const peer: fc.Arbitrary<Peer> = fc.record({
	id: fc.string({ minLength: 1 }),
	path: fc.constantFrom('direct' as const, 'relayed' as const),
	roundTripMs: fc.option(fc.double({ min: 0, max: 1e7, noNaN: true }), { nil: undefined })
});
const OFFER: Offer = {
	...{
		executor: '12D3KooWSecretPeer',
		account: 'did:key:zSecretAccount',
		region: 'Lisbon',
		model: 'm',
		modelName: 'M'
	},
	...{ tokensPerSecond: 9, pricePer1k: 1, free: false, circle: false, addresses: [], heardAt: 0 }
};

describe('the picture', () => {
	it('keeps everybody inside, relayed ones on the rim, and each in its direction', () => {
		fc.assert(
			fc.property(fc.array(peer, { maxLength: 60 }), (peers) => {
				const drawn = drawPeers(peers);
				expect(drawn).toHaveLength(Math.min(peers.length, MOST_DRAWN));
				for (const { path, x, y } of drawn) {
					const radius = Math.hypot(x, y);
					expect(radius).toBeLessThanOrEqual(1 + 1e-9);
					if (path === 'relayed') expect(radius).toBeCloseTo(1);
				}
			})
		);
		const [near, far] = [10, 400].map((roundTripMs) => drawPeers([{ id: 'a', path: 'direct', roundTripMs }])[0]);
		expect(Math.hypot(near?.x ?? 0, near?.y ?? 0)).toBeLessThan(Math.hypot(far?.x ?? 0, far?.y ?? 0));
		expect(Math.atan2(near?.y ?? 0, near?.x ?? 0)).toBeCloseTo(Math.atan2(far?.y ?? 1, far?.x ?? 1));
	});
	it('spreads ids that differ only at the end', () => {
		const peers = Array.from({ length: 40 }, (_, i): Peer => ({ id: `12D3KooW${i}`, path: 'relayed', roundTripMs: 1 }));
		const quarters = new Set(drawPeers(peers).map(({ x, y }) => `${Math.sign(x)} ${Math.sign(y)}`));
		expect(quarters.size).toBe(4);
	});
});

it('a report tells how things stand, and neither who nor where', () => {
	const mesh: MeshState = {
		state: 'on',
		peers: [
			{ id: '12D3KooWSecretPeer', path: 'direct', roundTripMs: 41.6 },
			{ id: '12D3KooWOther', path: 'relayed', roundTripMs: undefined }
		],
		relays: [{ address: '/ip4/203.0.113.7/tcp/1/ws/p2p/12D3KooWSecretRelay', up: false }],
		offers: [OFFER]
	};
	const facts: Facts = {
		...{ version: '0.1.0', mesh, engine: { state: 'idle' }, contributing: { state: 'failed', code: 'no-graphics' } },
		...{ storage: 'fine', durability: 'kept', shell: 'ready', online: true, secure: true, sharedOrigin: false },
		...{ webgpu: false, isolated: false, browser: 'Chromium 156, Linux' }
	};
	const text = diagnostics(facts);
	expect(text).toContain('peers: 1 direct, 1 through a relay only');
	expect(text).toContain('round trip, median: 42 ms');
	expect(text).toContain('relays: 0 of 1 up');
	expect(text).toContain('contributing: failed, no-graphics');
	for (const secret of ['Secret', '203.0.113', 'did:key', '12D3', 'Lisbon']) expect(text).not.toContain(secret);
});

it('counts answers that outlived their computer, and says so where nothing is known', () => {
	const message = (answer: Partial<Answer>): Message => ({
		...{ id: 'a', conversation: 'c', role: 'assistant', text: '', createdAt: 0, order: 1 },
		answer: { by: 'mesh', status: 'done', seams: [], ...answer } as Answer
	});
	const [none] = measures([message({})], []);
	expect(none?.value).toBe('none was lost yet');
	const [some, independent] = measures(
		[message({}), message({ seams: [12] }), message({ status: 'lost' }), message({ status: 'stopped', seams: [3] })],
		[OFFER, { ...OFFER, executor: 'another tab of the same account' }]
	);
	expect(some?.value).toBe('1 of 2');
	expect(independent?.value).toBe('1');
});

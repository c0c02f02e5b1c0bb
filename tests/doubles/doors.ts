/** Doors for screens without a mesh: reads and makes real invitations, dials nobody. */
import type { Caution, Doors, DoorsState, Found } from '#lib/ports/doors.ts';
import { Refusal } from '#lib/protocol/errors.ts';

export class FakeDoors implements Omit<Doors, 'start' | 'stop' | 'use'> {
	state: DoorsState = { stage: 'found', caution: 'ordinary', tabs: 7, relays: 2 };
	readonly used: Found[] = [];
	readonly #listeners = new Set<(state: DoorsState) => void>();

	observe(listener: (state: DoorsState) => void): () => void {
		this.#listeners.add(listener);
		listener(this.state);
		return () => this.#listeners.delete(listener);
	}
	read(text: string): Promise<Found> {
		if (text.trim().startsWith('/')) return Promise.resolve({ kind: 'relay', address: text.trim() });
		if (!text.includes('invitation')) return Promise.reject(new Refusal('malformed'));
		return Promise.resolve({
			kind: 'invitation',
			signer: 'did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK',
			name: 'Ada',
			metBefore: false,
			peer: '12D3KooWEC5hTP72TCKRr5ybEk3dupSkvzSdgPyTZ7AEENGXpxVZ',
			relays: ['/dns4/relay.example/tcp/443/wss/p2p/12D3KooWEC5hTP72TCKRr5ybEk3dupSkvzSdgPyTZ7AEENGXpxVZ'],
			addresses: [],
			expiresAt: 1_900_000_000_000
		});
	}
	invite(name: string | undefined): Promise<{ code: string; expiresAt: number }> {
		return Promise.resolve({ code: `invitation-${name ?? 'nameless'}`.padEnd(800, 'x'), expiresAt: 1_900_000_000_000 });
	}
	async setCaution(caution: Caution): Promise<void> {
		this.#set({ caution });
	}
	async forget(): Promise<void> {
		this.#set({ tabs: 0, relays: 0 });
	}
	#set(change: Partial<DoorsState>): void {
		this.state = { ...this.state, ...change };
		for (const listener of this.#listeners) listener(this.state);
	}
}

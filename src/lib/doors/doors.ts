/** The Doors port: looks for others in stages, remembers whom it meets, hands out and reads invitations (docs/spec/doors.md). */
import type { Clock } from '#lib/ports/clock.ts';
import type { Crypto } from '#lib/ports/crypto.ts';
import type { Caution, Doors, DoorsState, Found, SignedList } from '#lib/ports/doors.ts';
import type { Identity } from '#lib/ports/keys.ts';
import type { Log } from '#lib/ports/log.ts';
import type { Mesh } from '#lib/ports/mesh.ts';
import type { MetNode, Store } from '#lib/ports/store.ts';
import { seal } from '#lib/protocol/envelope.ts';
import { codeOf, Refusal } from '#lib/protocol/errors.ts';
import { INVITATION_LIFE_MS, invitation } from '#lib/protocol/invitation.ts';
import { Acquainted } from './acquainted.ts';
import { dialOrder } from './keep.ts';
import { Lists } from './lists.ts';
import { readPasted, toCode } from './pasted.ts';
import { nextStage, STAGES, type Stage } from './stage.ts';

export interface DoorsInit {
	readonly mesh: Mesh;
	readonly store: Pick<Store, 'met' | 'settings'>;
	readonly identity: Identity;
	readonly crypto: Crypto;
	readonly clock: Clock;
	/** In [0, 1). */
	readonly chance: () => number;
	readonly log: Log;
	/** The signed list beside the app, unbelieved; undefined when there is none. */
	readonly directory: () => Promise<Uint8Array | undefined>;
	/** Checks one against the keys of this app and what is held; rejects with a Refusal. */
	readonly believe: (directory: Uint8Array, held: SignedList['place'] | undefined) => Promise<SignedList>;
	/** Relays of this visit only, from the page's address: used by others, never remembered. */
	readonly passing: ReadonlySet<string>;
	/** Whether this tab lends a model, so that its place is public anyway. */
	readonly lending: () => boolean;
}

/** Setting that holds the caution. */
const CAUTION = 'doors-caution';
/** Pace of the search and of meeting again, ms. */
const STEP_MS = 250;
/** Dials at one stage, and at one time. */
const MAX_DIALS = 6;
const AT_ONCE = 3;
/** Time for one tab to be reached, ms. */
const MEET_PATIENCE_MS = 5_000;
const MAX_RELAYS_AT_ONCE = 4;

/** Makes the doors; nothing happens before start(). */
export function createDoors(init: DoorsInit): Doors {
	return new DoorService(init);
}

class DoorService implements Doors {
	readonly #init: DoorsInit;
	readonly #acquainted: Acquainted;
	readonly #listeners = new Set<(state: DoorsState) => void>();
	#state: DoorsState = { stage: 'off', caution: 'ordinary', tabs: 0, relays: 0 };
	#running: AbortController | undefined;
	#stage: Stage | undefined;
	/** Monotonic ms. */
	#stageAt = 0;
	readonly #lists: Lists;

	constructor(init: DoorsInit) {
		this.#init = init;
		this.#lists = new Lists({ ...init, now: () => init.clock.now() }, () => this.#tellList());
		this.#acquainted = new Acquainted(init, () => void this.#count(), this.#lists);
	}

	get state(): DoorsState {
		return this.#state;
	}

	observe(listener: (state: DoorsState) => void): () => void {
		this.#listeners.add(listener);
		listener(this.#state);
		return () => this.#listeners.delete(listener);
	}

	start(): void {
		if (this.#running !== undefined) return;
		const running = (this.#running = new AbortController());
		void this.#search(running.signal).catch((error: unknown) => {
			if (codeOf(error) !== 'aborted') this.#init.log('doors-failed', { code: codeOf(error) });
		});
	}

	stop(): void {
		this.#running?.abort();
		this.#running = undefined;
		this.#acquainted.stop();
		this.#tell({ stage: 'off' });
	}

	async read(text: string): Promise<Found> {
		const met = new Set((await this.#init.store.met.list()).flatMap(({ id, account }) => [id, account]));
		const { crypto, clock } = this.#init;
		const believe = (bytes: Uint8Array) => this.#lists.check(bytes);
		return readPasted(text, { crypto, now: clock.now(), met: (who) => met.has(who), believe });
	}

	async use(found: Found): Promise<void> {
		switch (found.kind) {
			case 'relay':
				return this.#useRelays([found.address]);
			case 'directory':
				await this.#lists.take(found);
				return this.#useRelays(found.relays);
			case 'invitation':
				await this.#useRelays(found.relays);
				return this.#reach(found.peer, found.addresses);
			case 'node':
				await this.#acquainted.take(found.document, 'person');
				if (found.role === 'relay') return this.#useRelays(found.addresses);
				return this.#reach(found.peer, found.addresses);
		}
	}

	async invite(name: string | undefined): Promise<{ readonly code: string; readonly expiresAt: number }> {
		const { mesh, clock, identity } = this.#init;
		const relays = mesh.relays().flatMap(({ address, up }) => (up ? [address] : []));
		if (relays.length === 0) throw new Refusal('relay-unavailable');
		const issuedAt = clock.now();
		const expiresAt = issuedAt + INVITATION_LIFE_MS;
		const body = {
			relays: relays.slice(0, 4),
			...(name === undefined ? {} : { name }),
			issuedAt,
			expiresAt,
			extensions: {}
		};
		return { code: toCode((await seal(invitation, body, identity.node, identity.certificate)).bytes), expiresAt };
	}

	async setCaution(caution: Caution): Promise<void> {
		await this.#init.store.settings.put({ id: CAUTION, savedAt: this.#init.clock.now(), value: caution });
		this.#tell({ caution });
	}

	async forget(): Promise<void> {
		await this.#acquainted.forget();
		await this.#count();
	}

	async #search(signal: AbortSignal): Promise<void> {
		const { clock, store } = this.#init;
		const kept = await store.settings.get(CAUTION).catch(() => undefined);
		this.#tell({ caution: kept?.value === 'known' ? 'known' : 'ordinary' });
		await this.#count();
		// What lies in the store is what earlier visits met; whom this visit meets is connected already.
		const met = dialOrder(await store.met.list().catch(() => []), this.#init.chance);
		this.#acquainted.start();
		this.#stage = undefined;
		this.#stageAt = clock.monotonic();
		while (!signal.aborted) {
			await this.#step(met, signal);
			await this.#acquainted.onStep();
			await clock.sleep(STEP_MS, signal);
		}
	}

	async #step(met: readonly MetNode[], signal: AbortSignal): Promise<void> {
		const { mesh, clock } = this.#init;
		const sinceMs = clock.monotonic() - this.#stageAt;
		const relayUp = mesh.relays().some(({ up }) => up);
		const supply: Record<Stage, number> = {
			'met-relays': met.filter(({ role }) => role === 'relay').length,
			'met-tabs': met.filter(({ role }) => role === 'tab').length,
			// Not known before it is asked; asking is the stage.
			directory: 1,
			named: this.#acquainted.namedRelays().length
		};
		const next = nextStage({ stage: this.#stage, sinceMs, relayUp, caution: this.#state.caution, supply });
		if (next === 'again') {
			this.#stage = undefined;
			this.#stageAt = clock.monotonic();
			return;
		}
		if (next !== undefined) {
			this.#stage = next;
			this.#stageAt = clock.monotonic();
			this.#tell({ stage: next });
			void this.#try(next, met, signal).catch((error: unknown) =>
				this.#init.log('door-failed', { door: next, code: codeOf(error) })
			);
		} else if (relayUp) this.#tell({ stage: 'found' });
		else if (this.#stage === STAGES.at(-1)) this.#tell({ stage: 'nobody' });
	}

	async #try(stage: Stage, met: readonly MetNode[], signal: AbortSignal): Promise<void> {
		switch (stage) {
			case 'met-relays':
				for (const { by, addresses } of met.filter(({ role }) => role === 'relay').slice(0, MAX_RELAYS_AT_ONCE))
					for (const address of addresses.slice(0, 1)) this.#addRelay(address, by === 'person' ? 'confirmed' : 'heard');
				return;
			case 'met-tabs': {
				const waiting = met.filter(({ role }) => role === 'tab').slice(0, MAX_DIALS);
				const lane = async () => {
					for (let node = waiting.shift(); node !== undefined && !signal.aborted; node = waiting.shift())
						await this.#reach(node.id, node.addresses);
				};
				await Promise.all(Array.from({ length: AT_ONCE }, lane));
				return;
			}
			case 'directory': {
				const list = await this.#lists.newest();
				if (list === undefined) return;
				this.#acquainted.credit(list.relays, 'directory');
				// One whose time is over says less: its relays are given up like those that strangers name.
				for (const address of list.relays) this.#addRelay(address, list.stale ? 'heard' : 'confirmed');
				return;
			}
			case 'named':
				for (const address of this.#acquainted.namedRelays().slice(0, MAX_RELAYS_AT_ONCE))
					this.#addRelay(address, 'heard');
		}
	}

	#useRelays(relays: readonly string[]): Promise<void> {
		this.#acquainted.credit(relays, 'person');
		for (const address of relays) this.#init.mesh.addRelay(address);
		return Promise.resolve();
	}

	async #reach(peer: string, addresses: readonly string[]): Promise<void> {
		const { mesh, log } = this.#init;
		try {
			await mesh.meet(peer, addresses, AbortSignal.timeout(MEET_PATIENCE_MS));
		} catch (error) {
			log('door-closed', { code: codeOf(error) });
		}
	}

	#addRelay(address: string, trust: 'confirmed' | 'heard'): void {
		try {
			this.#init.mesh.addRelay(address, trust);
		} catch (error) {
			this.#init.log('relay-refused', { code: codeOf(error) });
		}
	}

	async #count(): Promise<void> {
		const all = await this.#init.store.met.list().catch(() => []);
		const relays = all.filter(({ role }) => role === 'relay').length;
		this.#tell({ relays, tabs: all.length - relays });
	}

	#tellList(): void {
		const { state } = this.#lists;
		if (state === undefined || 'refused' in state) return this.#tell({ list: state });
		const { document: _document, place: _place, ...list } = state;
		this.#tell({ list });
	}

	#tell(change: Partial<DoorsState>): void {
		const state = { ...this.#state, ...change };
		const same = (Object.keys(state) as (keyof DoorsState)[]).every((name) => state[name] === this.#state[name]);
		if (same) return;
		this.#state = state;
		for (const listener of this.#listeners) listener(state);
	}
}

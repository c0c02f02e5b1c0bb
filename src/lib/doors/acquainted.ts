/** Whom this node knows: asks everyone it meets who they are and whom they know, remembers the former, and answers when asked itself. */
import type { MeshEvent, PeerId } from '#lib/ports/mesh.ts';
import type { MetNode } from '#lib/ports/store.ts';
import { SCHEMA_VERSIONS } from '#lib/protocol/capability.ts';
import { seal } from '#lib/protocol/envelope.ts';
import { codeOf } from '#lib/protocol/errors.ts';
import { isRelayAddress } from '#lib/protocol/invitation.ts';
import { MAX_ADDRESSES, MAX_PEERS_ANSWER } from '#lib/protocol/limits.ts';
import { nodeManifest, openNodeManifest, TAB_MANIFEST_LIFE_MS, type KnownNode } from '#lib/protocol/node-manifest.ts';
import type { DoorsInit } from './doors.ts';
import { leavers, noted } from './keep.ts';
import type { Lists } from './lists.ts';

/** A peer is asked when it is met, once more when its own doors will have opened, and then now and then, ms. */
const ASK_AFTER_MS = [0, 20_000, 300_000] as const;
/** Nodes that others named and that nobody here has met; the oldest goes first. */
const MAX_NAMED = 64;
/** Tabs handed on in one answer; the rest of its room is for relays, which outlive tabs. */
const MAX_TABS_TOLD = 8;
/** An own statement is signed anew after this, ms, or when it no longer says what is so. */
const RESEAL_MS = 300_000;

interface Asked {
	times: number;
	/** Monotonic ms. */
	dueAt: number;
	underWay: boolean;
}

export class Acquainted {
	readonly #init: DoorsInit;
	readonly #changed: () => void;
	readonly #lists: Lists;
	readonly #asked = new Map<PeerId, Asked>();
	/** Statements in hand of nodes met in this visit, and of those only named. */
	readonly #met = new Map<PeerId, KnownNode>();
	readonly #named = new Map<PeerId, KnownNode>();
	/** By whom a relay address came here; without an entry it came from the network. */
	readonly #by = new Map<string, MetNode['by']>();
	#own: { readonly says: string; readonly at: number; readonly bytes: Uint8Array } | undefined;
	#unobserve: (() => void) | undefined;

	constructor(init: DoorsInit, changed: () => void, lists: Lists) {
		this.#init = init;
		this.#changed = changed;
		this.#lists = lists;
	}

	start(): void {
		const { mesh } = this.#init;
		mesh.answerAcquaintances(() => this.#known());
		this.#unobserve = mesh.observe((event) => this.#onEvent(event));
		for (const { id, path } of mesh.peers()) if (path !== 'relayed') this.#toAsk(id);
	}

	stop(): void {
		this.#unobserve?.();
		this.#unobserve = undefined;
		this.#asked.clear();
	}

	/** Says where relay addresses come from, before they are used. */
	credit(relays: readonly string[], by: MetNode['by']): void {
		for (const address of relays) if (this.#by.get(address) !== 'person') this.#by.set(address, by);
	}

	/** Relays that others named and that are not in use, one address each. */
	namedRelays(): readonly string[] {
		const used = new Set(this.#init.mesh.relays().map(({ address }) => peerAt(address)));
		return [...this.#named.values()].flatMap(({ peer, manifest: { role, addresses } }) =>
			role === 'relay' && !used.has(peer) ? addresses.filter(isRelayAddress).slice(0, 1) : []
		);
	}

	/** Asks those whose time has come. */
	async onStep(): Promise<void> {
		const now = this.#init.clock.monotonic();
		for (const [peer, asked] of this.#asked) if (!asked.underWay && asked.dueAt <= now) void this.#ask(peer, asked);
		await Promise.resolve();
	}

	/** Remembers a statement. Refusals of `openNodeManifest`; `storage-…` of the store. */
	async take(bytes: Uint8Array, by: MetNode['by']): Promise<KnownNode> {
		const { crypto, clock } = this.#init;
		const known = await openNodeManifest(bytes, crypto, clock.now());
		await this.#remember(known, by);
		return known;
	}

	async forget(): Promise<void> {
		const { met } = this.#init.store;
		for (const { id } of await met.list()) await met.delete(id);
		this.#met.clear();
		this.#named.clear();
	}

	#onEvent(event: MeshEvent): void {
		if (event.type === 'peer-up' && event.peer.path !== 'relayed') this.#toAsk(event.peer.id);
		if (event.type === 'peer-down') {
			this.#asked.delete(event.peer);
			this.#met.delete(event.peer);
		}
		if (event.type === 'relay-up') void this.#relayUp(event.address);
	}

	#toAsk(peer: PeerId): void {
		if (this.#asked.has(peer)) return;
		this.#asked.set(peer, { times: 0, dueAt: this.#init.clock.monotonic(), underWay: false });
	}

	/** A relay is remembered even when it never says a word of its own. */
	async #relayUp(address: string): Promise<void> {
		const { store, clock, passing, log } = this.#init;
		const id = peerAt(address);
		if (id === undefined || passing.has(address)) return;
		this.#toAsk(id);
		const meeting = {
			id,
			role: 'relay' as const,
			account: undefined,
			by: this.#by.get(address) ?? 'network',
			document: undefined,
			addresses: [address]
		};
		try {
			await store.met.put(noted(await store.met.get(id), meeting, clock.now()));
			this.#changed();
		} catch (error) {
			log('met-not-kept', { code: codeOf(error) });
		}
	}

	async #ask(peer: PeerId, asked: Asked): Promise<void> {
		const { mesh, clock, crypto, log } = this.#init;
		asked.underWay = true;
		try {
			const answers = await mesh.askAcquaintances(peer, AbortSignal.timeout(10_000));
			for (const bytes of answers.slice(0, MAX_PEERS_ANSWER)) {
				// One forged statement says nothing about the others.
				const known = await openNodeManifest(bytes, crypto, clock.now()).catch(() => undefined);
				if (known === undefined) await this.#hearList(bytes);
				if (known === undefined || known.peer === mesh.self) continue;
				if (known.peer === peer) await this.#meet(known);
				else this.#name(known);
			}
		} catch (error) {
			log('asking-failed', { code: codeOf(error) });
		} finally {
			asked.times += 1;
			asked.dueAt = clock.monotonic() + (ASK_AFTER_MS[Math.min(asked.times, ASK_AFTER_MS.length - 1)] ?? 0);
			asked.underWay = false;
		}
	}

	/** A signed list of relays that somebody passes on; anything else is passed over. */
	async #hearList(bytes: Uint8Array): Promise<void> {
		const list = await this.#lists.check(bytes).catch(() => undefined);
		if (list !== undefined) await this.#lists.take(list);
	}

	async #meet(known: KnownNode): Promise<void> {
		const old = this.#met.get(known.peer);
		if (old !== undefined && old.manifest.sequence > known.manifest.sequence) return;
		this.#met.set(known.peer, known);
		this.#named.delete(known.peer);
		const isPassing = known.manifest.addresses.some((address) => this.#init.passing.has(address));
		if (known.manifest.role === 'relay' && isPassing) return;
		const by = known.manifest.addresses.map((address) => this.#by.get(address)).find((one) => one !== undefined);
		await this.#remember(known, by ?? 'network').catch((error: unknown) =>
			this.#init.log('met-not-kept', { code: codeOf(error) })
		);
	}

	#name(known: KnownNode): void {
		const { peer, manifest } = known;
		if (!manifest.handOn || this.#met.has(peer)) return;
		this.#named.delete(peer);
		this.#named.set(peer, known);
		for (const oldest of this.#named.keys()) {
			if (this.#named.size <= MAX_NAMED) break;
			this.#named.delete(oldest);
		}
		if (manifest.role === 'tab') this.#init.mesh.suggest(peer, manifest.addresses);
	}

	async #remember({ peer, account, manifest, bytes }: KnownNode, by: MetNode['by']): Promise<void> {
		const { store, clock } = this.#init;
		const { role, addresses } = manifest;
		const meeting = { id: peer, role, account, by, document: bytes, addresses };
		await store.met.put(noted(await store.met.get(peer), meeting, clock.now()));
		for (const id of leavers(await store.met.list())) await store.met.delete(id);
		this.#changed();
	}

	/** What is said to whoever asks: oneself, relays, and tabs that lend and so are public anyway. */
	async #known(): Promise<readonly Uint8Array[]> {
		const all = [...this.#met.values()].filter(({ manifest }) => manifest.handOn);
		const tabs = all.filter(({ manifest }) => manifest.role === 'tab').slice(0, MAX_TABS_TOLD);
		const relays = [...all, ...this.#named.values()].filter(({ manifest }) => manifest.role === 'relay');
		const own = await this.#ownManifest();
		// Signed lists are passed on by whoever has one: an address that is gone takes none with it.
		const list = await this.#lists.held();
		const listed =
			list === undefined || list.development || list.document.length > nodeManifest.maxBytes ? [] : [list.document];
		return [...(own === undefined ? [] : [own]), ...listed, ...[...tabs, ...relays].map(({ bytes }) => bytes)];
	}

	/** Undefined while this tab cannot be dialled. */
	async #ownManifest(): Promise<Uint8Array | undefined> {
		const { mesh, clock, identity, lending, passing } = this.#init;
		const addresses = mesh
			.addresses()
			.filter(
				(address) => address.endsWith(`/p2p/${mesh.self}`) && ![...passing].some((one) => address.startsWith(one))
			)
			.slice(0, MAX_ADDRESSES);
		if (addresses.length === 0) return undefined;
		const handOn = lending();
		const says = [handOn, ...addresses].join(' ');
		if (this.#own?.says === says && clock.monotonic() - this.#own.at < RESEAL_MS) return this.#own.bytes;
		const now = clock.now();
		const body = {
			role: 'tab' as const,
			addresses,
			versions: [...SCHEMA_VERSIONS],
			handOn,
			// Wall time makes it grow over reloads without reading anything back.
			sequence: now,
			issuedAt: now,
			expiresAt: now + TAB_MANIFEST_LIFE_MS,
			extensions: {}
		};
		const { bytes } = await seal(nodeManifest, body, identity.node, identity.certificate);
		this.#own = { says, at: clock.monotonic(), bytes };
		return bytes;
	}
}

/** The PeerId an address ends at. */
function peerAt(address: string): string | undefined {
	return /\/p2p\/([^/]+)$/.exec(address)?.[1];
}

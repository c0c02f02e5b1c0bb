/** A tab with a mesh and nothing else; the test drives it through `globalThis.tab`. Built by vite, as the app is. */
import { openCrypto } from '#lib/keys/crypto.ts';
import { createMesh, type Libp2pMesh } from '#lib/mesh/mesh.ts';
import { tabMedium } from '#lib/mesh/medium-tab.ts';
import { pagePlaceOf } from '#lib/mesh/gater.ts';
import { workerTicker } from '#lib/mesh/ticker.ts';
import { Offers } from '#lib/node/offers.ts';
import type { Clock } from '#lib/ports/clock.ts';
import type { Crypto } from '#lib/ports/crypto.ts';
import type { Channel, MeshEvent } from '#lib/ports/mesh.ts';
import type { Identity, Signer } from '#lib/ports/keys.ts';
import { jobAnnouncement } from '#lib/protocol/announcement.ts';
import { seal } from '#lib/protocol/envelope.ts';
import { codeOf } from '#lib/protocol/errors.ts';
import { DEFAULT_POLICY, publicPart } from '#lib/protocol/policy.ts';
import { identityOf, statement } from '../../doubles/contributor.ts';

interface Seen {
	readonly at: number;
	readonly event: MeshEvent;
}

async function nativeSigner(): Promise<Signer> {
	const pair = (await crypto.subtle.generateKey('Ed25519', false, ['sign', 'verify'])) as CryptoKeyPair;
	const publicKey = new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey));
	return {
		publicKey,
		sign: async (preimage) =>
			new Uint8Array(await crypto.subtle.sign('Ed25519', pair.privateKey, new Uint8Array(preimage)))
	};
}

/** Same bytes as tests/compliance/mesh.ts makes. */
function patterned(length: number, seed: number): Uint8Array {
	const message = new Uint8Array(length);
	let state = (seed + 1) * 0x9e3779b1;
	for (let at = 0; at < length; at += 1) {
		state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
		message[at] = state >>> 24;
	}
	return message;
}

class Tab {
	readonly mesh: Libp2pMesh;
	readonly events: Seen[] = [];
	readonly channels: Channel[] = [];
	readonly heard: { at: number; job: string }[] = [];
	/** What the echo side saw of channels: codes of broken ones. */
	readonly broken: { at: number; code: string }[] = [];
	/** Executors whose offers hold, by the time each was first heard, ms since this page was navigated to. */
	readonly offered = new Map<string, number>();
	readonly #identity: Identity;
	/** When the main thread last stood still for over half a second, and how long: a loaded machine explains itself. */
	readonly stalls: number[] = [];

	constructor(identity: Identity, verifier: Crypto, relays: readonly string[]) {
		this.#identity = identity;
		const clock: Clock = {
			now: () => Date.now(),
			monotonic: () => performance.now(),
			sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms))
		};
		this.mesh = createMesh({
			signer: identity.node,
			medium: tabMedium(),
			ticker: workerTicker(
				() => new Worker(new URL('../../../workers/heartbeat.ts', import.meta.url), { type: 'module' })
			),
			clock,
			random: { bytes: (length) => crypto.getRandomValues(new Uint8Array(length)) },
			log: (event, facts) => {
				console.log(event, JSON.stringify(facts ?? {}));
			},
			place: pagePlaceOf(location.hostname),
			relays
		});
		this.mesh.observe((event) => this.events.push({ at: Date.now(), event }));
		this.mesh.subscribe(
			'fireweed/1/announcements',
			() => 'accept',
			(message) => {
				this.heard.push({ at: Date.now(), job: hashOf(message) });
			}
		);
		const offers = new Offers({ mesh: this.mesh, crypto: verifier, clock, identity, log: () => undefined }, () => {
			for (const { executor } of offers.list())
				if (!this.offered.has(executor)) this.offered.set(executor, performance.now());
		});
		offers.follow(this.mesh);
		// Echo: every channel opened to this tab gets its messages back, unless the first says otherwise.
		this.mesh.onChannel((channel) => {
			void this.#echo(channel);
		});
	}

	async #echo(channel: Channel): Promise<void> {
		try {
			for await (const message of channel.messages) await channel.send(message);
			await channel.close();
		} catch (error) {
			this.broken.push({ at: Date.now(), code: codeOf(error) });
		}
	}

	/** Opens a channel and keeps it; answers its number, or the code of the refusal, and how long it took. */
	async open(peer: string, addresses: string[]): Promise<{ channel: number; code: string; ms: number }> {
		const began = performance.now();
		try {
			const channel = await this.mesh.open(peer, addresses, new AbortController().signal);
			this.channels.push(channel);
			return { channel: this.channels.length - 1, code: 'none', ms: performance.now() - began };
		} catch (error) {
			return { channel: -1, code: `${codeOf(error)} ${String(error)}`, ms: performance.now() - began };
		}
	}

	/** Sends `count` messages of `length` and checks that they come back the same; round trip of each in ms. */
	async ping(number: number, count: number, length: number): Promise<{ ok: boolean; ms: number[]; code: string }> {
		const channel = this.#channel(number);
		const iterator = channel.messages[Symbol.asyncIterator]();
		const ms: number[] = [];
		try {
			for (let n = 0; n < count; n += 1) {
				const message = patterned(length, n);
				const began = performance.now();
				await channel.send(message);
				const { value, done } = await iterator.next();
				ms.push(performance.now() - began);
				if (done === true || !same(value, message)) return { ok: false, ms, code: done === true ? 'end' : 'different' };
			}
			return { ok: true, ms, code: 'none' };
		} catch (error) {
			return { ok: false, ms, code: codeOf(error) };
		}
	}

	/** Sends all at once and reads the echo beside it; what is checked is order, content and that nothing is lost. */
	async transfer(
		number: number,
		count: number,
		length: number
	): Promise<{ ok: boolean; got: number; ms: number; code: string }> {
		const channel = this.#channel(number);
		const began = performance.now();
		let got = 0;
		try {
			const writing = (async () => {
				for (let n = 0; n < count; n += 1) await channel.send(patterned(length, n));
				await channel.close();
			})();
			for await (const message of channel.messages) {
				if (!same(message, patterned(length, got)))
					return { ok: false, got, ms: performance.now() - began, code: 'different' };
				got += 1;
			}
			await writing;
			return { ok: got === count, got, ms: performance.now() - began, code: 'none' };
		} catch (error) {
			return { ok: false, got, ms: performance.now() - began, code: codeOf(error) };
		}
	}

	/** Reads a channel until it breaks; answers when and how. */
	async readToEnd(number: number): Promise<{ at: number; code: string }> {
		try {
			for await (const message of this.#channel(number).messages) void message;
			return { at: Date.now(), code: 'end' };
		} catch (error) {
			return { at: Date.now(), code: codeOf(error) };
		}
	}

	/** Publishes one capability statement, as a contributor does every ten seconds. */
	async state(): Promise<void> {
		await this.mesh.publish('fireweed/1/capabilities', await statement(this.#identity, Date.now()));
	}

	/** Publishes a valid announcement; answers its hash. */
	async announce(): Promise<string> {
		const { envelope } = await sealAnnouncement(this.#identity.node);
		await this.mesh.publish('fireweed/1/announcements', envelope);
		return hashOf(envelope);
	}

	#channel(number: number): Channel {
		const channel = this.channels[number];
		if (channel === undefined) throw new Error(`no channel ${String(number)}`);
		return channel;
	}
}

async function sealAnnouncement(signer: Signer): Promise<{ envelope: Uint8Array }> {
	const signed = await seal(
		jobAnnouncement,
		{
			job: crypto.getRandomValues(new Uint8Array(16)),
			promptTokens: 64,
			minTokens: 0,
			maxTokens: 64,
			policy: publicPart(DEFAULT_POLICY),
			windowMs: 200,
			issuedAt: Date.now(),
			extensions: {}
		},
		signer
	);
	return { envelope: signed.bytes };
}

/** A short name for a message in this test. */
function hashOf(message: Uint8Array): string {
	return [...message.slice(-16)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

function same(a: Uint8Array, b: Uint8Array): boolean {
	return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

export interface TestScope {
	tab: Tab;
	startTab(relays: string[]): Promise<string>;
}

const scope = globalThis as unknown as TestScope;
scope.startTab = async (relays) => {
	const identity = await identityOf(await nativeSigner(), await nativeSigner());
	scope.tab = new Tab(identity, await openCrypto({ subtle: crypto.subtle }), relays);
	await scope.tab.mesh.start();
	// What tab.ts does: the last thing a closing page says. `?rude` leaves it out.
	if (!location.search.includes('rude')) {
		addEventListener('pagehide', () => {
			scope.tab.mesh.goodbye();
		});
	}
	return scope.tab.mesh.self;
};

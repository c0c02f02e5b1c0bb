/** Passing on the newest release there is word of: a peer that is kept from updates hears that there are some. */
import type { Clock } from '#lib/ports/clock.ts';
import type { Crypto } from '#lib/ports/crypto.ts';
import type { Identity } from '#lib/ports/keys.ts';
import type { Log } from '#lib/ports/log.ts';
import type { Mesh } from '#lib/ports/mesh.ts';
import type { Random } from '#lib/ports/random.ts';
import { equalBytes } from '#lib/protocol/encode.ts';
import { open, seal } from '#lib/protocol/envelope.ts';
import { codeOf } from '#lib/protocol/errors.ts';
import { judgeGossip } from '#lib/protocol/gossip.ts';
import { releaseNews } from '#lib/protocol/release-news.ts';
import { comparePlaces, type Place } from '#lib/protocol/release.ts';

/** Between two tellings, more or less by half, so that a crowd that started together does not speak together. */
export const TELL_EVERY_MS = 30 * 60_000;
/** After joining: soon, once connections stand. */
export const FIRST_TELL_MS = 20_000;
/** News looked at in one minute; each costs the checking of a few signatures. */
export const MAX_LOOKS_PER_MINUTE = 20;
const MINUTE_MS = 60_000;
const TOPIC = 'fireweed/1/releases';

/** What is passed on. */
export interface News {
	/** A ReleaseManifestV1 document. */
	readonly manifest: Uint8Array;
	/** The ReleaseKeysV1 document it is signed under; undefined for the first keys, which everybody has. */
	readonly keySet: Uint8Array | undefined;
}

/** What telling needs. */
export interface NewsPorts {
	readonly mesh: Pick<Mesh, 'publish' | 'subscribe'>;
	readonly identity: Pick<Identity, 'node' | 'certificate'>;
	readonly crypto: Crypto;
	readonly clock: Clock;
	readonly random: Random;
	readonly log: Log;
	/** Checks the documents against the keys baked in. Rejects when they are not to be believed. */
	readonly believe: (news: News) => Promise<Place>;
}

/** Tells what is known and hears what others know. */
export class NewsTeller {
	readonly #ports: NewsPorts;
	readonly #heard: (news: News) => void;
	readonly #stopping = new AbortController();
	#best: { readonly news: News; readonly place: Place } | undefined;
	/** When somebody else last told what we would, on the monotonic clock. */
	#toldAt = -Infinity;
	#looks: readonly number[] = [];

	/** `heard` is called with each release that is further than all known before. */
	constructor(ports: NewsPorts, heard: (news: News) => void) {
		this.#ports = ports;
		this.#heard = heard;
	}

	/** What runs here. */
	knows(news: News, place: Place): void {
		if (this.#best && comparePlaces(place, this.#best.place) <= 0) return;
		this.#best = { news, place };
	}

	/** Begins, on a mesh that was started. Returns how to stop. */
	start(): () => void {
		const { mesh, crypto, clock, log } = this.#ports;
		const deaf = mesh.subscribe(
			TOPIC,
			(bytes) => judgeGossip(TOPIC, bytes, crypto, clock.now()),
			(bytes) => void this.#look(bytes).catch((error: unknown) => log('news-refused', { code: codeOf(error) }))
		);
		this.#tellOn().catch(() => undefined);
		return () => {
			deaf();
			this.#stopping.abort();
		};
	}

	async #look(message: Uint8Array): Promise<void> {
		const { clock, crypto, believe } = this.#ports;
		const { body } = await open(releaseNews, message, crypto);
		const now = clock.monotonic();
		if (this.#best && equalBytes(body.manifest, this.#best.news.manifest)) {
			this.#toldAt = now;
			return;
		}
		this.#looks = this.#looks.filter((at) => now - at < MINUTE_MS);
		if (this.#looks.length >= MAX_LOOKS_PER_MINUTE) return;
		this.#looks = [...this.#looks, now];
		const news = { manifest: body.manifest, keySet: body.keys };
		const place = await believe(news);
		if (this.#best && comparePlaces(place, this.#best.place) <= 0) return;
		this.#best = { news, place };
		this.#heard(news);
	}

	async #tellOn(): Promise<void> {
		const { clock, random, log } = this.#ports;
		const { signal } = this.#stopping;
		// Until stopped: then the sleep ends it.
		for (let wait = FIRST_TELL_MS; ; wait = TELL_EVERY_MS) {
			const [chance = 0] = random.bytes(1);
			await clock.sleep(Math.round(wait * (0.5 + chance / 256)), signal);
			if (clock.monotonic() - this.#toldAt < wait) continue;
			await this.#tell().catch((error: unknown) => log('news-not-told', { code: codeOf(error) }));
		}
	}

	async #tell(): Promise<void> {
		if (!this.#best) return;
		const { mesh, clock, identity } = this.#ports;
		const { manifest, keySet } = this.#best.news;
		const body = { manifest, ...(keySet === undefined ? {} : { keys: keySet }), issuedAt: clock.now(), extensions: {} };
		await mesh.publish(TOPIC, (await seal(releaseNews, body, identity.node, identity.certificate)).bytes);
	}
}

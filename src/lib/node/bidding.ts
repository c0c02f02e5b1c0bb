/** Steps 3 to 5 at the originator: publish the wish, hear bids while the window is open, rank them. */
import type { Who } from '#lib/market/known.ts';
import type { BidHeard, Choice } from '#lib/market/select.ts';
import { jobBid, jobInterest, type JobBid } from '#lib/protocol/bid.ts';
import { openCertificate } from '#lib/protocol/certificate.ts';
import { formatDid, formatPeerId } from '#lib/protocol/did.ts';
import { equalBytes } from '#lib/protocol/encode.ts';
import { open, peek, seal, type Signed } from '#lib/protocol/envelope.ts';
import { jobAnnouncement, type JobAnnouncement } from '#lib/protocol/announcement.ts';
import { codeOf, Refusal } from '#lib/protocol/errors.ts';
import { judgeGossip } from '#lib/protocol/gossip.ts';
import { MAX_GOSSIP_MESSAGE } from '#lib/protocol/limits.ts';
import { BID_WINDOW_MS, type AnnouncedJob } from './announce.ts';
import type { Line } from './ask.ts';
import { Bids } from './bids.ts';
import type { OriginateEvent } from './events.ts';
import { Inbox } from './inbox.ts';
import type { NodePorts } from './ports.ts';

/** A bid with the envelope that binds its sender. */
export interface SignedBid extends BidHeard {
	readonly signed: Signed<JobBid>;
	/** Account key, 32 bytes. */
	readonly accountKey: Uint8Array;
	/** It bid over this way, which is still open. */
	readonly line?: Line;
}

/** A job with its ranked offers, best first. */
export interface RankedJob {
	readonly job: AnnouncedJob;
	readonly choices: readonly Choice<SignedBid>[];
	/** The wish as it was published, once for every stamp: what a bid may refer to. */
	readonly announcements: readonly AnnouncedJob['announcement'][];
}

/** With this many offers of those who did well here nothing is gained by waiting for the window to close. */
const ENOUGH_PROVEN = 3;
/** Without any offer the wish is repeated this often: a tab that has just joined hears gossip only after its mesh has formed. */
const REPEAT_MS = 1_000;
/** When somebody is full and nobody offers, this long is enough to hear the others too: then it is said at once. */
const ALL_FULL_MS = 2 * BID_WINDOW_MS;
/** Without any offer for this long, nobody is there. */
export const NOBODY_MS = 8_000;

type BiddingMail =
	| { readonly type: 'heard'; readonly bytes: Uint8Array }
	/** A relay or a peer came within reach: what was said before did not get there. */
	| { readonly type: 'joined' }
	| { readonly type: 'stop' };

/** What else a round depends on. */
export interface Round {
	/** Those who had their try in this job. */
	readonly except: ReadonlySet<string>;
	/** Newcomers go first. */
	readonly explore: boolean;
	/** How long nobody may offer. */
	readonly nobodyMs: number;
	/** Offers that are there already. */
	readonly already: readonly SignedBid[];
}

const FIRST_ROUND: Round = { except: new Set(), explore: false, nobodyMs: NOBODY_MS, already: [] };

/** Yields `announced`, `bid`, `interest`; returns offers, best first. Refusals: `no-bids`, `busy` with when to come back, `aborted`. */
export async function* collectBids(
	job: AnnouncedJob,
	ports: NodePorts,
	signal: AbortSignal,
	{ except, explore, nobodyMs, already }: Round = FIRST_ROUND
): AsyncGenerator<OriginateEvent, RankedJob, void> {
	const inbox = new Inbox<BiddingMail>(ports.clock);
	const heard = new Bids(ports);
	for (const offer of already) heard.add(offer);
	const announcements = [job.announcement];
	const stop = () => inbox.put({ type: 'stop' });
	signal.addEventListener('abort', stop, { once: true });
	const deaf = ports.mesh.subscribe(
		'fireweed/1/bids',
		(bytes) => judgeGossip('fireweed/1/bids', bytes, ports.crypto, ports.clock.now()),
		(bytes) => inbox.put({ type: 'heard', bytes })
	);
	const unseen = ports.mesh.observe((event) => {
		if (event.type === 'relay-up' || event.type === 'peer-up') inbox.put({ type: 'joined' });
	});
	try {
		if (signal.aborted) throw new Refusal('aborted');
		const begun = ports.clock.monotonic();
		await ports.mesh.publish('fireweed/1/announcements', job.announcement.bytes);
		yield { type: 'announced', job: job.hex };
		let said = begun;
		let joined = false;
		/** The shortest time after which a full one may have room. */
		let fullForMs: number | undefined;
		let loading = false;
		for (;;) {
			const now = ports.clock.monotonic();
			const full = fullForMs !== undefined && !loading;
			const closes =
				heard.size > 0 ? said + BID_WINDOW_MS : begun + (full ? Math.min(nobodyMs, ALL_FULL_MS) : nobodyMs);
			if (now >= closes || heard.proven >= ENOUGH_PROVEN || nobodyMissing(heard, job, ports)) break;
			const again = said + (joined ? BID_WINDOW_MS : REPEAT_MS);
			if (heard.size === 0 && now >= again) {
				said = now;
				joined = false;
				const again = await restate(job, {}, ports);
				announcements.push(again);
				await ports.mesh.publish('fireweed/1/announcements', again.bytes);
				continue;
			}
			const mail = await inbox.take(Math.min(closes, again) - now);
			if (mail === undefined) continue;
			if (mail.type === 'stop') throw new Refusal('aborted');
			if (mail.type === 'joined') {
				joined = true;
				continue;
			}
			if (!heard.worthOpening(mail.bytes, except)) continue;
			const word = await admitBid(mail.bytes, job, announcements, ports);
			if (word === undefined) continue;
			if (word.type === 'full') fullForMs = Math.min(word.retryMs, fullForMs ?? Infinity);
			else if (word.type === 'interest') {
				loading = true;
				yield word;
			} else if (heard.add(word.offer)) {
				yield { type: 'bid', executor: word.executor, pricePer1k: word.offer.bid.pricePer1k };
			}
		}
		if (heard.size === 0 && fullForMs !== undefined) throw new Refusal('busy', 'all are', fullForMs);
	} finally {
		deaf();
		unseen();
		signal.removeEventListener('abort', stop);
	}
	const now = ports.clock.monotonic();
	const choices = ports.registry.rank(heard.all, job.announcement.body, job.policy, now, explore);
	if (choices.length === 0) throw new Refusal('no-bids');
	return { job, choices, announcements };
}

/**
 * Whether everybody who could bid has: then the rest of the window would only be waited for. How it would be cheated: one who bids fast and
 * is the only one a newcomer has heard of would shut out the rest; so `offering` knows nothing until all had time to be heard.
 */
function nobodyMissing(heard: Bids, job: AnnouncedJob, ports: NodePorts): boolean {
	const expected = ports.offering(job.announcement.body.model);
	return heard.size > 0 && expected !== undefined && expected.every((executor) => heard.has(executor));
}

/** Who made the bid, for what is remembered of it. */
export const whoBid = ({ executor, account, bid }: SignedBid): Who => ({
	id: executor,
	account,
	addresses: bid.addresses
});

/** The same wish under a new stamp, since gossip drops what it has seen; `change` is what was learnt since. To be remembered before it is published. */
export async function restate(
	job: AnnouncedJob,
	change: Pick<Partial<JobAnnouncement>, 'model' | 'promptTokens'>,
	ports: NodePorts
): Promise<AnnouncedJob['announcement']> {
	return seal(jobAnnouncement, { ...job.announcement.body, ...change, issuedAt: ports.clock.now() }, job.key);
}

type Said =
	| { readonly type: 'offer'; readonly executor: string; readonly offer: SignedBid }
	| { readonly type: 'full'; readonly retryMs: number }
	| Extract<OriginateEvent, { type: 'interest' }>;

/** Verifies one message of the bids topic; undefined when it is not for this job or not sound (counted in the log, no harm done). */
export async function admitBid(
	bytes: Uint8Array,
	job: AnnouncedJob,
	announcements: readonly AnnouncedJob['announcement'][],
	ports: NodePorts
): Promise<Said | undefined> {
	try {
		const { type } = peek(bytes, MAX_GOSSIP_MESSAGE);
		if (type === jobInterest.type) {
			const interest = await open(jobInterest, bytes, ports.crypto);
			if (!equalBytes(interest.body.job, job.id)) return undefined;
			await openCertificate(interest, ports.crypto, ports.clock.now());
			if (interest.body.why === 'busy') return { type: 'full', retryMs: interest.body.readyInMs };
			return { type: 'interest', executor: formatPeerId(interest.signer), readyInMs: interest.body.readyInMs };
		}
		const signed = await open(jobBid, bytes, ports.crypto);
		const bid = signed.body;
		if (!equalBytes(bid.job, job.id)) return undefined;
		if (!announcements.some((announced) => announced.cid.equals(bid.announcement)))
			throw new Refusal('terms-differ', 'announcement');
		const certificate = await openCertificate(signed, ports.crypto, ports.clock.now());
		const account = formatDid(certificate.account);
		const executor = formatPeerId(signed.signer);
		// A wish or a bid of one's own that somebody said again.
		if (executor === ports.mesh.self) throw new Refusal('replayed', 'own bid');
		const offer: SignedBid = {
			bid,
			signed,
			executor,
			account,
			accountKey: certificate.account,
			sameAccount: account === ports.identity.account,
			heardAt: ports.clock.monotonic()
		};
		return { type: 'offer', executor, offer };
	} catch (error) {
		ports.log('bid-refused', { code: codeOf(error) });
		return undefined;
	}
}

/** A running job, those who bid on it and did not get it, and whoever bids later: what spares are made of, on virtual time. */
import type { Wish } from '#lib/node/app.ts';
import { Spares } from '#lib/node/spares.ts';
import { jobAnnouncement, type JobAnnouncement } from '#lib/protocol/announcement.ts';
import type { JobBid } from '#lib/protocol/bid.ts';
import { read, type Signed } from '#lib/protocol/envelope.ts';
import type { ExecutionPolicy } from '#lib/protocol/policy.ts';
import { Scene, type Player } from './played.ts';

export const never = new AbortController().signal;

export interface Bidders {
	readonly policy?: Partial<ExecutionPolicy>;
	readonly wish?: Partial<Wish>;
	/** What those who were not chosen bid. */
	readonly bids?: readonly Partial<JobBid>[];
	readonly accounts?: readonly string[];
	readonly tried?: readonly number[];
	/** Nobody has the job. */
	readonly free?: boolean;
}

export async function bidders({
	policy = {},
	wish = {},
	bids = [{}],
	accounts = [],
	tried = [],
	free = false
}: Bidders = {}) {
	const scene = await Scene.set('spares', { policy, wish });
	const leader = await scene.player({ account: 'leader' });
	const others: Player[] = [];
	for (const [i, bid] of bids.entries()) others.push(await scene.player({ bid, account: accounts[i] ?? `other${i}` }));
	const named = others as [Player, Player, Player];
	const hired = await leader.hire({ epoch: 3 });
	const choices = [leader, ...others].map((player) => ({ heard: player.bid, reason: 'before' }));
	const ranked = { job: scene.job, choices, announcements: [scene.job.announcement] };
	const had = new Set(tried.map((i) => named[i]?.bid.executor ?? ''));
	const spares = new Spares({ ranked, tried: had }, scene.wish, scene.ports);
	if (!free) spares.hired(hired);
	const { clock } = scene;
	const { gossip } = scene.world.network;
	const outside = scene.world.network.join('outside');
	return {
		...{ scene, clock, leader, hired, others: named, spares, outside },
		/** The job as it was announced again. */
		announced: () =>
			gossip
				.filter(({ topic }) => topic === 'fireweed/1/announcements')
				.map(({ bytes }) => read(jobAnnouncement, bytes)),
		/** Who would go on, and how long it took to say. */
		next: async (shown: readonly number[] = [], signal = never) => {
			const began = clock.monotonic();
			const found = await clock.until(spares.next(shown, [], signal));
			return { who: found.map(({ heard }) => heard.executor), ms: clock.monotonic() - began };
		},
		beside: async (promised = 0, running = [hired], signal = never) => {
			const began = clock.monotonic();
			const found = await clock.until(spares.beside(running, [], [], promised, signal));
			return { who: found.map(({ heard }) => heard.executor), ms: clock.monotonic() - began };
		},
		/** A new bid of one that is there, on an announcement. */
		bids: async (player: Player, on: Signed<JobAnnouncement> | undefined = undefined, change: Partial<JobBid> = {}) => {
			const signed = await scene.bidOf(player.identity, player.nonce, change, on);
			await outside.publish('fireweed/1/bids', signed.bytes);
		}
	};
}
export const ids = (...players: readonly Player[]) => players.map(({ bid }) => bid.executor);

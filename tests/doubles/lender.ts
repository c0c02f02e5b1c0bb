/** A lender that plays what a test says: how it answers wishes, and what it says to assignments. It has a node, and computes nothing. */
import { jobAnnouncement, type JobAnnouncement } from '#lib/protocol/announcement.ts';
import { assignJob, type AssignJob } from '#lib/protocol/assignment.ts';
import { commitNonce, jobBid, jobInterest } from '#lib/protocol/bid.ts';
import { read, seal, type Signed } from '#lib/protocol/envelope.ts';
import type { Code } from '#lib/protocol/errors.ts';
import { offer } from '#lib/protocol/model.ts';
import { jobStatus } from '#lib/protocol/status.ts';
import type { Channel } from '#lib/ports/mesh.ts';
import { typeOf } from './far-end.ts';
import type { World } from './node.ts';

/** A word to a wish: a bid, that it is full, that it has to load first. */
export type ToWish = 'bid' | { readonly fullMs: number } | { readonly loadMs: number } | undefined;
/** A word to an assignment; undefined is silence. */
export type ToAssignment = 'accepted' | { readonly code: Code; readonly waitMs?: number } | undefined;

/** Each is asked with how many came before it, from 0. */
export interface Play {
	readonly gossip?: (nth: number) => ToWish;
	readonly direct?: (nth: number) => ToWish;
	readonly assigned?: (nth: number) => ToAssignment;
}

export async function lender(world: World, play: Play) {
	const node = await world.node();
	const { mesh, identity, engine } = node;
	const { clock } = world;
	const model = offer(engine.card);
	const nonce = new Uint8Array(32).fill(8);
	const wishes: Signed<JobAnnouncement>[] = [];
	const direct: Signed<JobAnnouncement>[] = [];
	const assignments: AssignJob[] = [];
	const channels: Channel[] = [];
	const ended: Channel[] = [];
	const stamp = () => ({ issuedAt: clock.now(), extensions: {} });

	const toWish = async (wish: Signed<JobAnnouncement>, word: ToWish) => {
		if (word === undefined) return undefined;
		const common = { job: wish.body.job, announcement: wish.cid, ...stamp() };
		if (word !== 'bid') {
			const why = 'fullMs' in word ? ({ why: 'busy', readyInMs: word.fullMs } as const) : { readyInMs: word.loadMs };
			return seal(jobInterest, { ...common, model: model.id, ...why }, identity.node, identity.certificate);
		}
		const claims = { model, pricePer1k: 1_000, firstTokenMs: 10, milliTokensPerSecond: 50_000, validMs: 20_000 };
		const body = { ...common, ...claims, addresses: [], nonceCommitment: commitNonce(nonce) };
		return seal(jobBid, body, identity.node, identity.certificate);
	};
	const serve = async (channel: Channel) => {
		for await (const bytes of channel.messages) {
			if (typeOf(bytes) === jobAnnouncement.type) {
				const wish = read(jobAnnouncement, bytes);
				const nth = direct.push(wish) - 1;
				const word = await toWish(wish, play.direct?.(nth));
				if (word === undefined) channel.abort();
				else await channel.send(word.bytes);
			} else if (typeOf(bytes) === assignJob.type) {
				const { body } = read(assignJob, bytes);
				const nth = assignments.push(body) - 1;
				const word = play.assigned?.(nth);
				if (word === undefined) continue;
				const { job, epoch } = body;
				const said =
					word === 'accepted'
						? { state: 'accepted' as const, executorNonce: nonce }
						: { state: 'refused' as const, ...word };
				await channel.send((await seal(jobStatus, { job, epoch, ...said, ...stamp() }, identity.node)).bytes);
			}
		}
	};
	mesh.onChannel((channel) => {
		channels.push(channel);
		const over = () => void ended.push(channel);
		serve(channel).then(over, over);
	});
	mesh.subscribe(
		'fireweed/1/announcements',
		() => 'accept',
		(bytes) => {
			const wish = read(jobAnnouncement, bytes);
			const nth = wishes.push(wish) - 1;
			void toWish(wish, play.gossip?.(nth)).then((word) => word && mesh.publish('fireweed/1/bids', word.bytes));
		}
	);
	/** As its statement would say. */
	const stated = {
		...{ executor: identity.peer, account: identity.account, region: undefined, model: model.id, tokensPerSecond: 50 },
		...{ pricePer1k: 1_000, free: true, addresses: [] }
	};
	return { ...{ id: identity.peer, stated, wishes, direct, assignments, channels, ended }, mesh };
}
export type Lender = Awaited<ReturnType<typeof lender>>;

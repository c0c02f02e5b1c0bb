/** What nodes hold: never more than so much, and nothing for jobs that are over. */
import { MAX_WAITING } from '#lib/market/queue.ts';
import { MAX_KNOCKED } from '#lib/node/ask.ts';
import { MAX_OPEN_BIDS } from '#lib/node/open-bids.ts';
import type { Accuse } from '../dossier.ts';
import type { Inhabitant } from '../inhabitant.ts';

/** Channels of a lender (contribute.MAX_CHANNELS) and those of its own asks, the ones that are being replaced counted in. */
const lentChannels = 32;
const CHANNELS_AN_ASK = 4 + MAX_KNOCKED;
/** Unread messages of one channel; the story reads at once, so what waits here waits for nobody. */
const QUEUED = 600;
/** Timers: one or two for each thing that waits. */
const TIMERS = 24;
const TIMERS_EACH = 6;
/** Subscriptions: announcements, capabilities; an ask hears bids, and once more while it looks for a spare. */
const SUBSCRIPTIONS = 2;
const SUBSCRIPTIONS_AN_ASK = 2;

export interface Peaks {
	channels: number;
	queued: number;
	timers: number;
	subscriptions: number;
	/** Jobs that wait for one engine. */
	waiting: number;
	/** Bids that one lender has out. */
	bids: number;
}

/** Looks at one living node; raises `peaks`. */
export function bounded(who: Inhabitant, peaks: Peaks, accuse: Accuse): void {
	const { channels, subscriptions } = who.node.mesh.held;
	const queued = Math.max(0, ...[...who.node.mesh.channels].map((channel) => channel.queued));
	const timers = who.clock.waiting;
	peaks.channels = Math.max(peaks.channels, channels);
	peaks.queued = Math.max(peaks.queued, queued);
	peaks.timers = Math.max(peaks.timers, timers);
	peaks.subscriptions = Math.max(peaks.subscriptions, subscriptions);
	const { running, queued: waiting, bids } = who.node.contribution.load;
	peaks.waiting = Math.max(peaks.waiting, waiting);
	peaks.bids = Math.max(peaks.bids, bids);
	if (!who.honest) return;
	const say = (what: string) => accuse('bounded', `node ${who.plan.id} holds ${what}`);
	if (running > 1) say(`${running} running jobs`);
	if (waiting > MAX_WAITING) say(`${waiting} waiting jobs`);
	if (bids > MAX_OPEN_BIDS) say(`${bids} bids`);
	if (running === 0 && waiting > 0) say(`${waiting} jobs that wait for an engine nobody has`);
	if (channels > lentChannels + CHANNELS_AN_ASK * (who.asking + 1)) say(`${channels} channels`);
	if (queued > QUEUED) say(`${queued} unread messages`);
	if (timers > TIMERS + TIMERS_EACH * (channels + who.asking)) say(`${timers} timers`);
	if (subscriptions > SUBSCRIPTIONS + SUBSCRIPTIONS_AN_ASK * who.asking) say(`${subscriptions} subscriptions`);
}

/** Looks at one living node when every job has been over for a while. */
export function nothingHeld(who: Inhabitant, accuse: Accuse): void {
	if (!who.honest) return;
	const say = (what: string) => accuse('bounded', `node ${who.plan.id} still holds ${what} after every job`);
	const { channels, subscriptions } = who.node.mesh.held;
	if (channels > 0) say(`${channels} channels`);
	if (subscriptions > SUBSCRIPTIONS) say(`${subscriptions} subscriptions`);
	if (who.node.engine.state === 'busy') say('a busy engine');
	if (who.asking > 0) say(`${who.asking} asks`);
	const { running, queued } = who.node.contribution.load;
	if (running + queued > 0) say(`${running} running and ${queued} waiting jobs`);
}

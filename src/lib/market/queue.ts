/**
 * Who gets the engine next, and who is told at once when to come back: a fair queue as a value.
 *
 * Start-time fair queueing over engine time: whoever has had more than the others waits until they have had as much, and one that had nothing
 * for a while gains no right to the past. Those who are known and those who are not are one share each, divided among their nodes in the same
 * way, so that neither can starve the other, however many there are. How it would be cheated: docs/decisions/load.md.
 */

/** A person's own devices, those who pay, those who do not. */
export type Rank = 'own' | 'paid' | 'free';

/** Whose share of the engine: a person's own devices have what they want; nodes that this executor knows, and all others. */
export type Share = 'own' | 'known' | 'strangers';

export interface Request {
	/** Of the assignment; one stands in the queue once. */
	readonly id: string;
	readonly rank: Rank;
	readonly share: Share;
	/** Who asks: PeerId. */
	readonly from: string;
	/** Expected engine time, ms. */
	readonly workMs: number;
	/** Monotonic ms after which its asker has no use for the answer. */
	readonly until: number;
}

export interface Running {
	readonly request: Request;
	/** Monotonic ms. */
	readonly since: number;
}

export interface Queue {
	/** In order of arrival. */
	readonly waiting: readonly Request[];
	readonly running: Running | undefined;
	/** What each share, and each node within one, has had: weighted engine ms, counted from the clock of its ring. */
	readonly had: ReadonlyMap<string, number>;
	/** Clock of each ring of shares: what the last one served had when its turn came. */
	readonly clocks: ReadonlyMap<string, number>;
}

export type Entry =
	/** `displaced`: had more than the newcomer, and is told to come back. */
	| { readonly type: 'entered'; readonly queue: Queue; readonly displaced: Request | undefined }
	| { readonly type: 'refused'; readonly why: 'full' | 'enough-waiting' | 'too-late'; readonly retryMs: number };

export const EMPTY: Queue = { waiting: [], running: undefined, had: new Map(), clocks: new Map() };

/** Requests that wait at once. With 2 s each (the pocket model's usual answer), the last waits a quarter of a minute. */
export const MAX_WAITING = 8;
/** Of one known node, or own device. Its next request finds out when to come back, and others find a place. */
export const MAX_WAITING_KNOWN = 2;
/** Of one stranger. */
export const MAX_WAITING_STRANGER = 1;
/** Of all strangers together, for nodes cost nothing to make: half of the queue stays for those who are known. */
export const MAX_WAITING_STRANGERS = 4;
/** Nobody is let in who would wait longer: a person gives up before, and another executor may be free. */
export const MAX_WAIT_MS = 30_000;
/** Bounds of what is said as time to come back. */
export const MIN_RETRY_MS = 1_000;
export const MAX_RETRY_MS = 60_000;
/** One who pays gets this much more of its share than one who does not, while both wait. */
const PAID_WEIGHT = 4;
/** Those who are known get this much more than strangers while both wait: a quarter stays for strangers, as in askers.STRANGERS_LOSS. */
const KNOWN_WEIGHT = 3;
/** Nodes remembered; beyond, those that had least are forgotten, which makes them as good as new. */
const MAX_REMEMBERED = 512;

const TOP = '';
const ringOf = (request: Request) => `in ${request.share}`;
const askerOf = (request: Request) => `${request.share} ${request.from}`;
const ringIn = (member: string) => (member.includes(' ') ? `in ${member.slice(0, member.indexOf(' '))}` : TOP);
const weightOf = ({ rank }: Request) => (rank === 'free' ? 1 : PAID_WEIGHT);
const weightOfShare = ({ share }: Request) => (share === 'strangers' ? 1 : KNOWN_WEIGHT);

/** Where a member of a ring stands: never behind its clock, so that idleness saves nothing up. */
const startOf = (queue: Queue, ring: string, member: string) =>
	Math.max(queue.had.get(member) ?? 0, queue.clocks.get(ring) ?? 0);

/** Negative when `a` is served before `b`: own devices, then whose share had less, then who had less within it, then who came first. */
function order(queue: Queue, a: Request, b: Request): number {
	return (
		Number(b.rank === 'own') - Number(a.rank === 'own') ||
		startOf(queue, TOP, a.share) - startOf(queue, TOP, b.share) ||
		(a.share === b.share ? startOf(queue, ringOf(a), askerOf(a)) - startOf(queue, ringOf(b), askerOf(b)) : 0)
	);
}

/** Who is served next; undefined when nobody waits. */
export function head(queue: Queue): Request | undefined {
	// `reduce` keeps the earlier of two that are level.
	return queue.waiting.length === 0
		? undefined
		: queue.waiting.reduce((best, each) => (order(queue, each, best) < 0 ? each : best));
}

/** Charges `ms` of engine time to whose it was. */
function charge(queue: Queue, request: Request, ms: number): Queue {
	if (request.rank === 'own') return queue;
	const [top, inner] = [startOf(queue, TOP, request.share), startOf(queue, ringOf(request), askerOf(request))];
	const clocks = new Map(queue.clocks).set(TOP, top).set(ringOf(request), inner);
	const had = new Map(queue.had);
	had.set(request.share, top + ms / weightOfShare(request));
	had.set(askerOf(request), inner + ms / weightOf(request));
	return forget({ ...queue, had, clocks });
}

/** Whoever is not ahead of its ring's clock is as good as new; of the rest the bound keeps those that had most. */
function forget(queue: Queue): Queue {
	const ahead = [...queue.had].filter(([member, ms]) => ms > (queue.clocks.get(ringIn(member)) ?? 0));
	const kept = ahead.length <= MAX_REMEMBERED ? ahead : ahead.sort((a, b) => b[1] - a[1]).slice(0, MAX_REMEMBERED / 2);
	const rings = new Set([TOP, ...kept.map(([member]) => ringIn(member))]);
	return { ...queue, had: new Map(kept), clocks: new Map([...queue.clocks].filter(([ring]) => rings.has(ring))) };
}

/** Engine time still owed to the running request at `now`, as far as was expected. */
const leftOf = (running: Running | undefined, now: number) =>
	running === undefined ? 0 : Math.max(0, running.request.workMs - (now - running.since));

/** The queue as it will stand when the running request has had what was expected: who waits is compared in this one. */
const accounted = (queue: Queue): Queue =>
	queue.running === undefined ? queue : charge(queue, queue.running.request, queue.running.request.workMs);

/** How long `request` would wait if it were in the queue at `now`, ms. */
export function waitOf(queue: Queue, request: Request, now: number): number {
	let wait = leftOf(queue.running, now);
	// One that is in the queue is met at its own place, which comes before this one.
	let rest = accounted({ ...queue, waiting: [...queue.waiting, request] });
	for (let next = head(rest); next !== undefined && next.id !== request.id; next = head(rest)) {
		wait += next.workMs;
		const { id } = next;
		rest = { ...charge(rest, next, next.workMs), waiting: rest.waiting.filter((each) => each.id !== id) };
	}
	return wait;
}

const retry = (ms: number) => Math.ceil(Math.min(MAX_RETRY_MS, Math.max(MIN_RETRY_MS, ms)));

/** Until a place is likely to be free for somebody whom the queue refuses at `now`, ms. */
export function retryMs(queue: Queue, now: number): number {
	const total = queue.waiting.reduce((sum, { workMs }) => sum + workMs, leftOf(queue.running, now));
	// A place is free when the first of them is served; all who are refused now do not find it at that moment.
	return retry(Math.max(leftOf(queue.running, now), total / 2));
}

/** Lets `request` in at `now`, in place of one that had more if there is no room, or says when to come back. */
export function enter(queue: Queue, request: Request, now: number): Entry {
	const refused = (why: Extract<Entry, { type: 'refused' }>['why'], ms = retryMs(queue, now)): Entry => ({
		type: 'refused',
		why,
		retryMs: retry(ms)
	});
	const same = queue.waiting.filter((each) => each.share === request.share);
	const ofAsker = same.filter((each) => each.from === request.from);
	const stranger = request.share === 'strangers';
	if (ofAsker.length >= (stranger ? MAX_WAITING_STRANGER : MAX_WAITING_KNOWN)) return refused('enough-waiting');
	const crowd = stranger && same.length >= MAX_WAITING_STRANGERS ? same : queue.waiting;
	const full = crowd !== queue.waiting || queue.waiting.length >= MAX_WAITING;
	const later = accounted(queue);
	const displaced = full ? worst(later, crowd) : undefined;
	if (displaced !== undefined && order(later, request, displaced) >= 0) return refused('full');
	const waiting = [...queue.waiting.filter((each) => each !== displaced), request];
	const entered = { ...queue, waiting };
	const wait = waitOf(entered, request, now);
	if (wait > MAX_WAIT_MS) return refused('full', wait - MAX_WAIT_MS / 2);
	if (now + wait + request.workMs > request.until) return refused('too-late', wait);
	return { type: 'entered', queue: entered, displaced };
}

/** Who of a crowd that is not empty would be served last; of those that are level, who came last. */
function worst(queue: Queue, crowd: readonly Request[]): Request {
	return crowd.reduce((last, each) => (order(queue, each, last) >= 0 ? each : last));
}

/** Takes out one that does not wait any longer. */
export function leave(queue: Queue, id: string): Queue {
	return { ...queue, waiting: queue.waiting.filter((each) => each.id !== id) };
}

/** Gives the engine to whoever is next. */
export function begin(queue: Queue, now: number): Queue {
	const request = head(queue);
	if (request === undefined || queue.running !== undefined) return queue;
	return { ...leave(queue, request.id), running: { request, since: now } };
}

/** The running request is over: its share has had what it took. */
export function end(queue: Queue, now: number): Queue {
	const { running } = queue;
	if (running === undefined) return queue;
	return { ...charge(queue, running.request, Math.max(0, now - running.since)), running: undefined };
}

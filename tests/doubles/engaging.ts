/** An asker that looks for somebody to take a job, among lenders that play what a test says; it ranks them in the order the test names them. */
import { NOTHING_KNOWN, type Knowledge } from '#lib/market/expect.ts';
import type { Known } from '#lib/market/known.ts';
import { announce } from '#lib/node/announce.ts';
import type { Offer } from '#lib/node/app.ts';
import { engage, type Engaged } from '#lib/node/engage.ts';
import type { OriginateEvent } from '#lib/node/events.ts';
import type { Choosing } from '#lib/node/registry.ts';
import { codeOf, retryMsOf, type Code } from '#lib/protocol/errors.ts';
import { DEFAULT_POLICY } from '#lib/protocol/policy.ts';
import { lender, type Lender, type Play } from './lender.ts';
import { ORDINARY_WISH, World } from './node.ts';

export interface Setting {
	/** What it knows of others. */
	readonly explores?: boolean;
	readonly proven?: boolean;
	/** Whom it has heard to offer, of its own lenders. */
	readonly stated?: (lenders: readonly Lender[]) => readonly Partial<Offer>[];
	/** Nobody is a newcomer. */
	readonly known?: boolean;
}

/** An asker among lenders that play what they are told to. */
export async function engaging(
	plays: readonly Play[],
	{ explores = false, proven = false, stated, known = false }: Setting = {}
) {
	const world = new World('engage', { latencyMs: 10, jitterMs: 0 });
	const lenders: Lender[] = [];
	for (const play of plays) lenders.push(await lender(world, play));
	const ranks: { readonly who: readonly string[]; readonly explore: boolean | undefined }[] = [];
	const executors = new Map(known ? lenders.map(({ id }) => [id, {} as Known]) : []);
	const knowledge: Knowledge = { ...NOTHING_KNOWN, executors };
	const registry: Choosing = {
		rank: (heard, _announcement, _policy, _now, explore) => {
			ranks.push({ who: heard.map(({ executor }) => executor), explore });
			// In the order in which the test names them.
			const order = (id: string) => lenders.findIndex((each) => each.id === id);
			return [...heard]
				.sort((a, b) => order(a.executor) - order(b.executor))
				.map((each) => ({ heard: each, reason: 'the next' }));
		},
		...{ explores: () => explores, knowledge: () => knowledge, chance: () => 0, proven: () => proven },
		...{ learn: () => undefined, failed: () => undefined }
	};
	const asker = await world.node({
		choosing: () => registry,
		dress: (ports) => ({ ...ports, offers: () => (stated?.(lenders) ?? []) as readonly Offer[] })
	});
	const job = await announce(ORDINARY_WISH, DEFAULT_POLICY, asker.ports);
	const events: (readonly [number, OriginateEvent])[] = [];
	const stop = new AbortController();
	const run = async () => {
		const story = engage(job, ORDINARY_WISH, asker.ports, stop.signal);
		for (;;) {
			const next = await story.next();
			if (next.done === true) return next.value;
			events.push([Math.round(world.clock.monotonic()), next.value]);
		}
	};
	/** What was thrown, and when, or who was hired. */
	const end = async (): Promise<{ engaged?: Engaged; code?: Code; retryMs?: number | undefined; at: number }> => {
		const result = await world.clock.until(
			run().then(
				(engaged) => ({ engaged }),
				(error: unknown) => ({ code: codeOf(error), retryMs: retryMsOf(error) })
			)
		);
		return { ...result, at: Math.round(world.clock.monotonic()) };
	};
	const types = () => events.map(([, { type }]) => type);
	const busy = () => events.flatMap(([at, event]) => (event.type === 'busy' ? [{ at, ...event }] : []));
	return { world, clock: world.clock, lenders, asker, job, events, types, busy, stop, end, ranks };
}

/** A lender that bids over gossip and takes what it is given. */
export const BIDS: Play = { gossip: () => 'bid', assigned: () => 'accepted' };

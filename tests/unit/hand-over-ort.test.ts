/** A hand-over between two real CPU engines, over the in-memory network: the answer is the unbroken run, bit for bit. */
import { expect, it } from 'vitest';
import type { OriginateEvent } from '#lib/node/events.ts';
import { contribute } from '#lib/node/contribute.ts';
import type { Engine, GenerateRequest } from '#lib/ports/engine.ts';
import { read } from '#lib/protocol/envelope.ts';
import { executionReceipt } from '#lib/protocol/receipt.ts';
import type { VirtualClock } from '../doubles/clock.ts';
import { ortNode } from '../doubles/ort-node.ts';
import { answerOf, endOf, ORDINARY_WISH, World } from '../doubles/node.ts';

/** Answers long enough for three checkpoints of each executor. */
const TOKENS = 200;
const never = new AbortController().signal;

/** The engine on a clock that stands still while it computes; each step then takes 10 ms. */
function held(engine: Engine, clock: VirtualClock): Engine {
	return {
		...engine,
		get state() {
			return engine.state;
		},
		load: (report, signal) => clock.hold(engine.load(report, signal)),
		countTokens: (turns) => clock.hold(engine.countTokens(turns)),
		async *generate(request, signal) {
			const steps = engine.generate(request, signal);
			try {
				for (;;) {
					const next = await clock.hold(steps.next());
					if (next.done === true) return next.value;
					await clock.sleep(10);
					yield next.value;
				}
			} finally {
				await clock.hold(steps.return(undefined as never).catch(() => undefined));
			}
		}
	};
}

async function alone(engine: Engine, request: GenerateRequest) {
	const tokens: number[] = [];
	let text = '';
	for await (const step of engine.generate(request, never)) {
		tokens.push(step.token);
		text += step.text;
	}
	return { tokens, text };
}

it.each([
	['a successor', 0],
	['a standby', 1]
])(
	'%s goes on at temperature 1 with the very tokens and words of the unbroken run',
	async (_who, hedge) => {
		const world = new World('real engines');
		const asker = await world.node();
		const executors = [await world.node(), await world.node()];
		const engines = executors.map(() => ortNode({ weights: 'fp32' }));
		for (const [i, node] of executors.entries()) {
			const engine = held(engines[i] as Engine, world.clock);
			const terms = { pricePer1k: 100_000, region: undefined };
			await world.clock.until(contribute({ ...node.ports, engine }, terms, () => undefined).start());
		}
		const turns = [{ role: 'user' as const, content: 'Tell me about forests' }];
		const wish = { turns, minTokens: TOKENS, maxTokens: TOKENS };
		let who = '';
		const events: OriginateEvent[] = await world.clock.until(
			asker.ask(wish, never, { hedge }, (event) => {
				if (event.type === 'assigned') who = event.executor.id;
				// In the middle of a word as likely as not.
				if (event.type === 'words' && event.position === 51) world.network.vanish(who);
			})
		);
		const over = events.find((event) => event.type === 'handed-over');
		expect(over).toMatchObject({ from: who, exact: true, why: 'peer-lost' });
		// A standby shows more of it while the loss is found out.
		expect(over?.position).toBeGreaterThan(51 + 30 * hedge);
		const end = endOf(events);
		if (end.type !== 'finished') throw new Error(end.type);
		const record = await asker.ports.store.receipts.get(end.receipt);
		const { seed, sampling, startPosition } = read(executionReceipt, record?.document as Uint8Array).body;
		expect(startPosition).toBe(hedge === 0 ? over?.position : 0);
		// The lost one may still wait for an asker that is only away (docs/decisions/reattach.md).
		const engine = engines[executors.findIndex(({ identity }) => identity.peer !== who)];
		const request = { ...ORDINARY_WISH, ...wish, continueFrom: [], seed, sampling };
		expect(answerOf(events)).toEqual(await alone(engine as Engine, request));
		for (const each of engines) await each.unload();
	},
	120_000
);

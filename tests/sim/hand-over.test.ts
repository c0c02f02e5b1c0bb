/**
 * Chaos: executors that vanish, say goodbye, break off, pause, stop lending or fail, at moments of chance, one job after the other. Whatever happens no
 * shown token is lost, doubled or changed, the parts lie end to end (of those that stand by: side by side), and who finished has the unbroken run.
 */
import { expect, it } from 'vitest';
import { openReceipt } from '#lib/node/open-receipt.ts';
import { read } from '#lib/protocol/envelope.ts';
import { executionReceipt } from '#lib/protocol/receipt.ts';
import { SeededRandom } from '../doubles/chance.ts';
import { ScriptedEngine } from '../doubles/engine.ts';
import { answerOf, endOf, ORDINARY_WISH, World, type TestNode } from '../doubles/node.ts';

const WORLDS = 60;
const never = new AbortController().signal;
/**
 * After this no engine works for an asker that is away: three intervals at 15 tokens a second with the longest pause of this test (6.4 s and 9 s),
 * and the 15 s that an engine waits in all (asker.AWAY_MS).
 */
const FREE_MS = 31_000;

interface Outcome {
	readonly end: string;
	readonly handOvers: number;
	readonly standbys: number;
	readonly violations: readonly string[];
}

async function chaos(seed: string, hedge: number): Promise<Outcome> {
	const chance = new SeededRandom(`${seed}/chaos`);
	const world = new World(seed, { latencyMs: 5 + chance.below(60), jitterMs: chance.below(80) });
	const asker = await world.node();
	const executors: TestNode[] = [];
	for (let i = 0; i < 4; i++) {
		const restless = chance.below(4);
		const engine = {
			tokensPerSecond: 15 + chance.below(90),
			pauseMs: (at: number) => (at % 61 === 30 + i && restless === 0 ? 200 + 40 * at : 0),
			...(chance.below(6) === 0 ? { failAt: { position: chance.below(150), code: 'engine-failed' as const } } : {})
		};
		executors.push(await world.node({ engine }));
	}
	for (const executor of executors) await world.clock.until(executor.contribution.start());
	const losses = [
		(node: TestNode) => world.network.vanish(node.identity.peer),
		(node: TestNode) => void node.mesh.stop(),
		(node: TestNode) => [...node.mesh.channels].forEach((channel) => channel.abort()),
		(node: TestNode) => void node.contribution.stop()
	];
	const length = 60 + chance.below(160);
	const at = new Set(Array.from({ length: chance.below(4) }, () => chance.below(length)));
	const nodeOf = (peer: string) => executors.find(({ identity }) => identity.peer === peer);
	let busy: TestNode | undefined;
	const events = await world.clock.until(
		asker.ask({ minTokens: length, maxTokens: length }, never, { hedge }, (event) => {
			if (event.type === 'assigned') busy = nodeOf(event.executor.id);
			if (event.type === 'handed-over') busy = nodeOf(event.to.id);
			if (event.type !== 'words' || !at.delete(event.position) || busy === undefined) return;
			losses[chance.below(losses.length)]?.(busy);
		})
	);
	await world.clock.pass(FREE_MS);

	const violations: string[] = [];
	const claim = (holds: boolean, what: string) => void (holds || violations.push(`${seed}: ${what}`));
	const end = endOf(events);
	const { text, tokens } = answerOf(events);
	const words = events.filter((event) => event.type === 'words');
	claim(
		words.every(({ position }, i) => position === i),
		'a token lost or doubled'
	);
	claim(text === tokens.map((token) => `w${token} `).join(''), 'text and tokens differ');
	const overs = events.filter((event) => event.type === 'handed-over');
	claim(
		overs.every(({ exact }) => exact),
		'one class'
	);
	const kept = await asker.ports.store.receipts.list();
	const opened = await Promise.all(kept.map((record) => openReceipt(record, world.seals, world.clock.now())));
	claim(
		opened.every(({ signatures }) => signatures.every(({ valid }) => valid)),
		'a signature that does not fit'
	);
	// Parts that both sides signed never overlap, except the checkpoint and the receipt of one epoch.
	const reached = opened.map(({ epoch, startPosition, answerTokens }) => ({
		epoch,
		from: startPosition,
		to: startPosition + answerTokens
	}));
	claim(
		hedge > 0 || reached.every((a) => reached.every((b) => a.epoch >= b.epoch || a.to <= b.from)),
		'parts that overlap'
	);
	claim(
		reached.every(({ from, to }) => from <= to && to <= tokens.length),
		'a part that was never shown'
	);
	if (end.type === 'finished' && end.status === 'success') {
		const record = kept.find(({ cid }) => cid === end.receipt);
		const receipt = read(executionReceipt, record?.document as Uint8Array).body;
		claim(receipt.startPosition + receipt.answerTokens === length && tokens.length === length, 'not complete');
		claim(
			receipt.predecessors.every((cid) => kept.some((each) => each.cid === cid.toString())),
			'a predecessor nobody holds'
		);
		const alone = new ScriptedEngine({ clock: world.clock });
		await alone.load(() => undefined, never);
		const { seed: drawn, sampling } = receipt;
		const again: number[] = [];
		const wish = { ...ORDINARY_WISH, minTokens: length, maxTokens: length, seed: drawn, sampling };
		const replay = async () => {
			for await (const step of alone.generate(wish, never)) again.push(step.token);
		};
		await world.clock.until(replay());
		claim(again.join() === tokens.join(), 'not the unbroken run');
	}
	const idle = executors.every(({ engine }) => engine.state !== 'busy');
	claim(idle, 'an engine that works for nobody');
	const standbys = events.filter((event) => event.type === 'standby').length;
	return { end: end.type, handOvers: overs.length, standbys, violations };
}

it.each([0, 1, 2])(
	`holds in ${WORLDS} worlds of chance with %i standing by`,
	async (hedge) => {
		const outcomes: Outcome[] = [];
		for (let i = 0; i < WORLDS; i++) outcomes.push(await chaos(`chaos ${i}`, hedge));
		expect(outcomes.flatMap(({ violations }) => violations)).toEqual([]);
		const count = (what: (outcome: Outcome) => boolean) => outcomes.filter(what).length;
		const sum = (what: 'handOvers' | 'standbys') => outcomes.reduce((all, outcome) => all + outcome[what], 0);
		const [finished, handed] = [count(({ end }) => end === 'finished'), count(({ handOvers }) => handOvers > 0)];
		console.log(
			`chaos: ${finished} of ${WORLDS} answers finished, ${handed} were handed over, ${sum('handOvers')} hand-overs, ${sum('standbys')} stood by`
		);
		expect(handed).toBeGreaterThan(WORLDS / 4);
		expect(finished).toBeGreaterThan((9 * WORLDS) / 10);
		expect(sum('standbys') >= hedge * 40).toBe(true);
	},
	120_000
);

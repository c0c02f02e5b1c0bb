/** The contest as a page to read: every number with its spread, every ratio with its interval, method and machine beside them. */
import type { Circumstances } from '../kept.ts';
import { estimate } from '../summary.ts';
import { fixed, interval, middle, table } from '../table.ts';
import { CONTESTANTS, LIBRARIES, nameOf, WEIGHTS, type Contestant, type Library, type Weights } from './contest.ts';
import type { EnginesResult, Measured, Needed, Turn } from './measure.ts';

/** A result with the circumstances of its run. */
export type KeptEngines = EnginesResult & Circumstances;

const MIB = 2 ** 20;
const PEERS = LIBRARIES.filter((library) => library !== 'fireweed');

/** One measure. `better`: which way is the winning one; it decides nothing and is shown, because ratios do not say it. */
interface Measure {
	readonly name: string;
	readonly of: (turn: Turn) => number | undefined;
	readonly digits: number;
	readonly better: 'less' | 'more';
}

const MEASURES: readonly Measure[] = [
	{ name: 'load, ms', of: ({ loadMs }) => loadMs, digits: 0, better: 'less' },
	{ name: 'first token right after the load, ms', of: (turn) => turn.coldFirstTokenMs, digits: 0, better: 'less' },
	{ name: 'first token, short prompt, ms', of: ({ short }) => short.firstTokenMs, digits: 1, better: 'less' },
	{ name: 'first token, long prompt, ms', of: ({ long }) => long.firstTokenMs, digits: 0, better: 'less' },
	{ name: 'prefill, long prompt, tok/s', of: ({ long }) => long.prefillRate, digits: 0, better: 'more' },
	{ name: 'decode after the short prompt, tok/s', of: ({ short }) => short.decodeRate, digits: 1, better: 'more' },
	{ name: 'decode after the long prompt, tok/s', of: ({ long }) => long.decodeRate, digits: 1, better: 'more' },
	{ name: 'memory at most, MiB', of: ({ peakBytes }) => inMiB(peakBytes), digits: 0, better: 'less' },
	{ name: 'memory at the end, MiB', of: ({ endBytes }) => inMiB(endBytes), digits: 0, better: 'less' }
];

export function reportEngines(kept: KeptEngines): string {
	return [
		'# Engines, measured side by side\n',
		`${kept.startedAt.slice(0, 16).replace('T', ' ')} UTC to ${kept.endedAt.slice(11, 16)} UTC. \`npm run bench -- engines\`; raw samples in the .json beside this page.\n`,
		...(kept.busyAtStart
			? [`**Marked: the machine was busy when it began (load average ${fixed(kept.loadBefore, 2)}), forced.**\n`]
			: []),
		...WEIGHTS.flatMap((weights) => [found(kept, weights), ratios(kept, weights)]),
		ownClocks(kept),
		needed(kept),
		sameModel(kept),
		machineOf(kept),
		METHOD
	].join('\n');
}

function found({ turns, rounds, tokens }: KeptEngines, weights: Weights): string {
	const of = (library: Library) => turnsOf(turns, { library, weights });
	return [
		`\n## ${weights}: ${rounds} rounds, answers of ${tokens} tokens\n`,
		'Median (quartiles).\n',
		table(
			['', ...LIBRARIES.map((library) => nameOf({ library, weights }))],
			MEASURES.map(({ name, of: value, digits }) => [
				name,
				...LIBRARIES.map((library) =>
					middle(
						of(library).flatMap((turn) => value(turn) ?? []),
						digits
					)
				)
			])
		)
	].join('\n');
}

function ratios({ turns }: KeptEngines, weights: Weights): string {
	return [
		'\nOurs by theirs, round by round: median, 95 % interval.\n',
		table(
			['', 'better is', ...PEERS.map((library) => `Fireweed / ${nameOf({ library, weights })}`)],
			MEASURES.map((measure) => [
				measure.name,
				measure.better,
				...PEERS.map((library) => {
					const pairs = pairsOf(turns, { library, weights }, measure.of);
					if (pairs.length === 0) return '–';
					const estimated = estimate(pairs);
					return `${fixed(estimated.median, 2)}, ${interval(estimated, 2)}`;
				})
			])
		)
	].join('\n');
}

/** Ours divided by the peer's of the same round; rounds that lack one of them are left out. */
export function pairsOf(
	turns: readonly Turn[],
	peer: Contestant,
	of: (turn: Turn) => number | undefined
): readonly number[] {
	const theirs = new Map(turnsOf(turns, peer).map((turn) => [turn.round, of(turn)]));
	return turnsOf(turns, { library: 'fireweed', weights: peer.weights }).flatMap((turn) => {
		const [ours, other] = [of(turn), theirs.get(turn.round)];
		return ours === undefined || other === undefined ? [] : [ours / other];
	});
}

function ownClocks({ turns }: KeptEngines): string {
	const row = (name: string, of: (turn: Turn) => Measured, rate: 'prefillRate' | 'decodeRate') =>
		CONTESTANTS.filter(({ library }) => library !== 'transformers').map((contestant) => [
			`${nameOf(contestant)}, ${name}`,
			middle(
				turnsOf(turns, contestant).flatMap((turn) => of(turn).own?.[rate] ?? []),
				0
			)
		]);
	return [
		"\n## By the libraries' own clocks, tok/s\n",
		'transformers.js has none.\n',
		table(
			['', 'median (quartiles)'],
			[
				...row('prefill, long prompt', ({ long }) => long, 'prefillRate'),
				...row('decode after the short prompt', ({ short }) => short, 'decodeRate')
			]
		)
	].join('\n');
}

/** What a file is, for the sums: code, the library's wasm, or the model with its tokenizer. */
function kindOf({ path }: Needed): 'script' | 'wasm' | 'model' {
	return /\.m?js$/.test(path) ? 'script' : path.endsWith('.wasm') ? 'wasm' : 'model';
}

function needed(kept: KeptEngines): string {
	const mega = (files: readonly Needed[], of: 'bytes' | 'gzipBytes') =>
		fixed(files.reduce((sum, file) => sum + file[of], 0) / 1e6, 2);
	return [
		'\n## Bytes to the first answer, MB: raw / gzip\n',
		table(
			['', 'script', 'wasm', 'model', 'all'],
			kept.needed.map(({ contestant, files }) => [
				nameOf(contestant),
				...(['script', 'wasm', 'model', undefined] as const).map((kind) => {
					const those = files.filter((file) => kind === undefined || kindOf(file) === kind);
					return `${mega(those, 'bytes')} / ${mega(those, 'gzipBytes')}`;
				})
			])
		)
	].join('\n');
}

function sameModel({ turns, proofs, failures }: KeptEngines): string {
	const same = (contestant: Contestant) => {
		const ours = new Map(turnsOf(turns, { ...contestant, library: 'fireweed' }).map((turn) => [turn.round, turn]));
		const those = turnsOf(turns, contestant).filter(({ round }) => ours.has(round));
		const count = (of: (turn: Turn) => string) =>
			those.filter((turn) => of(turn) === of(ours.get(turn.round) as Turn)).length;
		return `${count(({ short }) => short.text) + count(({ long }) => long.text)} of ${2 * those.length}`;
	};
	return [
		'\n## Whether they run the same model\n',
		table(
			[
				'',
				'recorded answers (models/pocket/vectors.json) given to the last character',
				'measured answers that are ours to the last character'
			],
			proofs.map(({ contestant, same: right, of }) => [nameOf(contestant), `${right} of ${of}`, same(contestant)])
		),
		failures.length === 0
			? '\nNo turn failed.'
			: `\n${failures.length} turns failed and were left out:\n\n${failures.map((each) => `- ${each}`).join('\n')}`
	].join('\n');
}

function machineOf({ machine, peers, loadBefore, loadAfter, turns }: KeptEngines): string {
	const busy = turns.flatMap(({ busyCores }) => busyCores ?? []);
	return [
		'\n## Machine\n',
		`- ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB; ${machine.system}`,
		`- Node ${machine.node}, Chromium ${machine.chromium}; commit ${machine.commit}${machine.changed.length === 0 ? '' : `, changed in the checkout: ${machine.changed.join(', ')}`}`,
		`- ${Object.entries(peers)
			.map(([name, version]) => `${name} ${version}`)
			.join(', ')} (the last is the runtime that transformers.js brings)`,
		`- load average ${fixed(loadBefore, 2)} before, ${fixed(loadAfter, 2)} after; cores busy during the turns ${middle(busy, 2)}`,
		''
	].join('\n');
}

const METHOD = `
## Method

- One Chromium, headless, one server on loopback that has all files in memory and sends them uncompressed. Every turn is a fresh profile (browser context: empty caches, a renderer process of its own), and waits until the
  new window has nothing to do. Chromium resolves no name but loopback; a content security policy reports whoever tries another address, and that turn fails.
- The same weights for all: q4 and fp32 are models/pocket's ONNX files for Fireweed and transformers.js. For wllama they are rewritten as GGUF by \`bench/engines/convert.ts\`: fp32 the same numbers, q4 the same 4-bit numbers
  with scales rounded to half precision (and an fp32 embedding, as in ours). Before anything is measured every contestant must give the recorded answers.
- Each library as its README shows it, with its own worker, on the CPU with one thread (the page is not cross-origin isolated, as the app is not): wllama keeps the model in OPFS and the attention's state in half precision,
  transformers.js takes the runtime with asyncify (its default) and keeps files in the Cache API; ours checks the hash of every file and runs its self-test at each load. No cache of an earlier prompt.
- A round is all six; two rounds are one order there and back, and the next two begin one further. A turn: load; 32 tokens to a short prompt, of which only the first token's time is used; then the short prompt (11 or 12 tokens) and the long one (about 426) of
  the round, greedily, stop tokens masked so that answers are equally long. Prompts differ from round to round.
- Load: from asking for the library's script to an engine that could answer. Times are of the page: from handing the question over to when the token is there to be shown. Prefill: prompt tokens by the wait for the first token,
  which has one step of the answer in it. Decode: (tokens − 1) / (last − first).
- Memory: resident set of the page's renderer process (Linux), at most and at the end of the turn, less what it was before the load. Shared pages of Chromium's own program that are touched for the first time count too. What the
  browser's other processes keep for the page does not.
- Bytes: the files that were sent during the load, each once; gzip at level 9.
- Intervals: percentile bootstrap of the median of the rounds' ratios, 4,000 resamples, fixed seed. With five rounds that is nearly from the least to the most.
- Not in it: WebGPU, several threads, bigger models, a second load from a cache.
`;

function turnsOf(turns: readonly Turn[], { library, weights }: Contestant): readonly Turn[] {
	return turns.filter(({ contestant }) => contestant.library === library && contestant.weights === weights);
}

function inMiB(count: number | undefined): number | undefined {
	return count === undefined ? undefined : count / MIB;
}

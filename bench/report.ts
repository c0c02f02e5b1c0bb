/** A result as a page to read: method and machine beside every number, and an aim judged by the whole interval. */
import type { Arrival } from './arrival.ts';
import type { Fetched, Visit } from './bytes.ts';
import type { Circumstances } from './kept.ts';
import { arrivalRate, engineRate, firstTokenMs, longestGapMs, WAYS, type Run, type Way } from './run.ts';
import { atLeast, atMost, estimate, spread, type Estimate, type Verdict } from './summary.ts';
import { bytes, fixed, interval, middle, table } from './table.ts';
import type { Triple } from './triples.ts';
import type { WalkResult } from './walk.ts';

/** A result with the circumstances of its run. */
export type Kept = WalkResult & Circumstances;

/** Issue 2: what the mesh may cost. */
const LEAST_DECODE_RATIO = 0.95;
/** src/lib/node/announce.ts, `BID_WINDOW_MS`. */
const BID_WINDOW_MS = 200;
const BIGGEST_FILES = 8;

const NAMES: Readonly<Record<Way, string>> = {
	here: '(a) this tab',
	mesh: '(b) the mesh',
	served: '(c) plain server'
};

export function report(kept: Kept): string {
	return [
		'# The walk, measured\n',
		`${kept.startedAt.slice(0, 16).replace('T', ' ')} UTC to ${kept.endedAt.slice(11, 16)} UTC. \`npm run bench\`; raw samples in the .json beside this page.\n`,
		...(kept.busyAtStart
			? [`**Marked: the machine was busy when it began (load average ${fixed(kept.loadBefore, 2)}), forced.**\n`]
			: []),
		aims(kept),
		answers(kept),
		firstToken(kept),
		newcomers(kept.arrivals),
		visits(kept.visits),
		machineOf(kept),
		METHOD
	].join('\n');
}

function aims({ triples }: Kept): string {
	const decode = ratio(triples, 'mesh', 'here', arrivalRate);
	const extra = estimate(triples.map(({ runs }) => firstTokenMs(runs.mesh) - firstTokenMs(runs.here)));
	const allowed = BID_WINDOW_MS + roundTripMs(triples);
	const over = estimate(triples.map(({ runs }) => firstTokenMs(runs.mesh) - firstTokenMs(runs.here) - allowed));
	return table(
		['Aim (issue 2)', 'Found, median of pairs', '95 % interval', 'Judged by the interval'],
		[
			[
				`decode (b)/(a) at least ${LEAST_DECODE_RATIO}`,
				fixed(decode.median, 3),
				interval(decode, 3),
				word(atLeast(decode, LEAST_DECODE_RATIO))
			],
			[
				`first token (b) − (a) at most 1 round trip + ${BID_WINDOW_MS} ms`,
				`${fixed(extra.median, 1)} ms, ${signed(over.median, 1)} ms against what is allowed`,
				`${interval(over, 1)} ms against what is allowed`,
				word(atMost(over, 0))
			]
		]
	);
}

/** One number for the whole run: a single beat's round trip has waited for whatever the two tabs were just doing. */
function roundTripMs(triples: readonly Triple[]): number {
	return spread(triples.flatMap(({ runs }) => runs.mesh.roundTripMs ?? [])).median;
}

function answers({ triples, tokens, failures }: Kept): string {
	const row = (name: string, of: (run: Run) => number, digits: number) => [
		name,
		...WAYS.map((way) =>
			middle(
				triples.map(({ runs }) => of(runs[way])),
				digits
			)
		)
	];
	const ratios = (
		[
			['mesh', 'here'],
			['mesh', 'served'],
			['served', 'here']
		] as const
	).flatMap(([above, below]) =>
		(
			[
				['as it arrived', arrivalRate],
				["by the engine's clock", engineRate]
			] as const
		).map(([how, of]) => {
			const found = ratio(triples, above, below, of);
			return [
				`${NAMES[above]} / ${NAMES[below]}, ${how}`,
				fixed(found.median, 3),
				interval(found, 3),
				`${fixed(found.p25, 3)}–${fixed(found.p75, 3)}`
			];
		})
	);
	return [
		`\n## ${triples.length} prompts, each answered three ways, ${tokens} tokens each\n`,
		'Median (quartiles).\n',
		table(
			['', ...WAYS.map((way) => NAMES[way])],
			[
				row('decode as it arrived in the asking page, tok/s', arrivalRate, 1),
				row("decode by the engine's own clock, tok/s", engineRate, 1),
				row('first token, ms', firstTokenMs, 1),
				row('longest wait between two tokens, ms', longestGapMs, 1),
				row('whole answer, ms (b: receipt checked and countersigned)', ({ endedAt }) => endedAt, 0),
				row('from the last token to the end, ms', ({ endedAt, tokensAt }) => endedAt - (tokensAt.at(-1) ?? 0), 1)
			]
		),
		'\nRatios of decode rates, pair by pair.\n',
		table(['', 'median', '95 % interval', 'quartiles'], ratios),
		failures.length === 0
			? '\nNo answer failed.\n'
			: `\n${failures.length} turns failed and were left out:\n\n${failures.map((each) => `- ${each}`).join('\n')}\n`
	].join('\n');
}

function firstToken({ triples }: Kept): string {
	const meshes = triples.map(({ runs }) => runs.mesh);
	const step = (name: string, from: (run: Run) => number | undefined, to: (run: Run) => number | undefined) => [
		name,
		middle(
			meshes.map((run) => (to(run) ?? Number.NaN) - (from(run) ?? Number.NaN)),
			1
		)
	];
	const at = (name: string) => (run: Run) => run.firstOf[name];
	return [
		'\n## Where the first token of (b) waits\n',
		table(
			['step', 'ms'],
			[
				step('wish signed, kept, published', () => 0, at('announced')),
				step('published → first bid verified', at('announced'), at('bid')),
				step(
					'first bid → assigned (rest of the bid window, channel, assignment, acceptance)',
					at('bid'),
					at('assigned')
				),
				step('published → assigned', at('announced'), at('assigned')),
				step('assigned → first token (prompt and first step)', at('assigned'), at('words')),
				[
					'of which prompt, by the receipt',
					middle(
						meshes.map(({ engine }) => engine.prefillMs ?? Number.NaN),
						0
					)
				],
				[
					'round trip over the data channel',
					middle(
						meshes.map(({ roundTripMs }) => roundTripMs ?? Number.NaN),
						1
					)
				]
			]
		),
		''
	].join('\n');
}

function newcomers(arrivals: readonly Arrival[]): string {
	const kinds = ['at once', 'when linked'] as const;
	const row = (name: string, of: (arrival: Arrival) => number | undefined, digits = 0) => [
		name,
		...kinds.map((kind) =>
			middle(
				arrivals.filter(({ asked }) => asked === kind).flatMap((arrival) => of(arrival) ?? []),
				digits
			)
		)
	];
	return [
		'\n## A newcomer: the built app in a fresh profile, "The mesh" chosen\n',
		`${arrivals.length} arrivals, half asking as soon as they could type, half when the tab had found somebody. Median (quartiles).\n`,
		table(
			['since navigation began, ms', 'asked at once', 'asked when linked'],
			[
				row('the message box can be used', ({ usableMs }) => usableMs),
				row('socket to the relay open', ({ relayMs }) => relayMs),
				row('first offer on the screen', ({ offerMs }) => offerMs),
				row('first direct peer', ({ peerMs }) => peerMs)
			]
		),
		'',
		table(
			['', 'asked at once', 'asked when linked'],
			[
				row('from Send to the first word on the screen, ms', ({ firstWordMs }) => firstWordMs),
				row('bytes relayed for the new pair, first contact to receipt', ({ pairBytes }) => pairBytes),
				row('introductions', ({ pairs }) => pairs),
				row('public messages the relay heard meanwhile, bytes', ({ gossipBytes }) => gossipBytes)
			]
		),
		''
	].join('\n');
}

function visits(all: readonly Visit[]): string {
	const compressed = all.find((each) => each.compressed && !each.serviceWorker);
	const plain = all.find((each) => !each.compressed && !each.serviceWorker);
	const sum = ({ wireBytes, requests }: Fetched) => `${bytes(wireBytes)} in ${requests}`;
	const sizes = (visit: Visit | undefined) => new Map(visit?.firstWord.files.map((file) => [file.path, file.bytes]));
	const [small, large] = [sizes(compressed), sizes(plain)];
	return [
		'\n## Bytes from the first request to the first local answer\n',
		table(
			['', 'until the first word', 'when all was quiet', 'first word after'],
			all.map((visit) => [
				`${visit.compressed ? 'compressed (br)' : 'uncompressed'}, ${visit.serviceWorker ? 'service worker fills the offline copy beside it' : 'no service worker'}`,
				sum(visit.firstWord),
				sum(visit.settled),
				`${fixed(visit.firstWordMs, 0)} ms`
			])
		),
		twice(all),
		'\nThe biggest files of an answer without the offline copy:\n',
		table(
			['file', 'uncompressed', 'compressed'],
			[...large]
				.sort((a, b) => b[1] - a[1])
				.slice(0, BIGGEST_FILES)
				.map(([path, size]) => [`\`${path}\``, bytes(size), bytes(small.get(path) ?? Number.NaN)])
		),
		''
	].join('\n');
}

/** Files that page and service worker both had sent whole: the browser's cache did not have them yet for the second. */
function twice(all: readonly Visit[]): string {
	const found = all.flatMap(({ compressed, settled }) => {
		const alone = all.find((each) => each.compressed === compressed && !each.serviceWorker);
		const once = new Map(alone?.settled.files.map((file) => [file.path, file.bytes]));
		return settled.files
			.filter(({ path, bytes }) => bytes > (once.get(path) ?? Number.POSITIVE_INFINITY))
			.map(
				({ path, bytes: sum }) => `\`${path}\` (${bytes(sum)} in all, ${compressed ? 'compressed' : 'uncompressed'})`
			);
	});
	return found.length === 0 ? '\nNo file was sent twice.' : `\nSent more than once: ${found.join('; ')}.`;
}

function machineOf({ machine, loadBefore, loadAfter, triples }: Kept): string {
	const busy = triples.flatMap(({ busyCores }) => busyCores ?? []);
	return [
		'\n## Machine\n',
		`- ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB; ${machine.system}`,
		`- Node ${machine.node}, Chromium ${machine.chromium}; commit ${machine.commit}${machine.changed.length === 0 ? '' : `, changed in the checkout: ${machine.changed.join(', ')}`}`,
		`- load average ${fixed(loadBefore, 2)} before, ${fixed(loadAfter, 2)} after, ${middle(
			triples.map((triple) => triple.loadAverage),
			2
		)} during; cores busy during the answers ${middle(busy, 2)}`,
		''
	].join('\n');
}

const METHOD = `
## Method

- Everything on one machine over loopback: relay, two static servers (\`scripts/serve.ts\`) and the plain server as processes or in the bench's own, Chromium headless with one profile (browser context, so its own
  renderer process) per person. Chromium resolves no name but loopback. No other tab is open.
- One asking page throughout: the product's \`createTab()\` without its screens, so that no painting is measured. A token's time is when the app hands it to its screen. A second profile
  contributes all the time. (a) \`answerHere\`; (b) \`answerByMesh\`, over a WebRTC channel that a real relay introduced, with auction, signatures, checkpoints and receipt; (c) \`fetch\` of server-sent events from a plain
  Node server with the same engine code and weights (\`bench/server.ts\`), one event a token, nothing signed.
- The same prompt for the three of a turn, another for each turn (so no way can use what it computed before); minTokens = maxTokens; temperature 1, top 20. The order rotates. Two turns are thrown away first. The engines that are
  not asked are loaded and idle.
- Asking and answering tab share the machine's cores: at (b) decoding runs in one process while the asker verifies in another, at (a) both in one. With two cores that is a core each, as on two machines; what else runs shows in all three.
- Arrival rate: (tokens − 1) / (last − first). Engine's clock: tokens / decodeMs, at (b) out of the receipt. Round trip: the mesh's own heartbeat over the same data channels, which includes the wait for both event loops; the
  aim takes the median of the run.
- Intervals: percentile bootstrap of the median of pairs, 4,000 resamples, fixed seed.
- Newcomers and bytes are of the built app (\`build/\`), the first seen from outside through \`WebSocket\` and \`RTCPeerConnection\`, the second counted at a door in front of the server, where the requests of workers pass too.
- Not in it: distance between the machines (loopback has none), a slower asker than answerer, several jobs at once.
`;

function ratio(triples: readonly Triple[], above: Way, below: Way, of: (run: Run) => number): Estimate {
	return estimate(triples.map(({ runs }) => of(runs[above]) / of(runs[below])));
}

function word(verdict: Verdict): string {
	return { met: '**met**', missed: '**missed**', undecided: '**undecided**: the interval holds the aim' }[verdict];
}

function signed(value: number, digits: number): string {
	return `${value > 0 ? '+' : ''}${fixed(value, digits)}`;
}

/**
 * The app without its screens, for the bench: the very tab of the product, with `globalThis.bench` to ask it and to note when tokens come.
 * Noted where the screens would hear it, so painting is not part of any number. Built by bench/stage.ts; the product has no such door.
 */
import type { App, Wish } from '#lib/node/app.ts';
import { formatPeerId } from '#lib/protocol/did.ts';
import { read } from '#lib/protocol/envelope.ts';
import { executionReceipt } from '#lib/protocol/receipt.ts';
import { createTab } from '#lib/tab.ts';
import { OPEN } from '#lib/ui/chat/manner.ts';
import { Pace, type Paced } from '#lib/ui/chat/pace.ts';
import type { Broken, Chronicle } from '../failover/chronicle.ts';
import type { Ask, Run } from '../run.ts';

/** A new one for each job, as the screens have it: what listens to one that lives for ever lives for ever too. */
const never = () => new AbortController().signal;

function wishFor({ prompt, tokens }: Ask): Wish {
	return {
		turns: [{ role: 'user', content: prompt }],
		continueFrom: [],
		model: undefined,
		sampling: OPEN,
		minTokens: tokens,
		maxTokens: tokens,
		message: undefined
	};
}

/** Notes times since it was made. */
function notes() {
	const began = performance.now();
	const tokensAt: number[] = [];
	const firstOf: Record<string, number> = {};
	return {
		tokensAt,
		firstOf,
		now: () => performance.now() - began,
		event(type: string, tokens = 0) {
			const at = performance.now() - began;
			firstOf[type] ??= at;
			for (let i = 0; i < tokens; i += 1) tokensAt.push(at);
		}
	};
}

class BenchPage {
	readonly #app: App;

	constructor(app: App) {
		this.#app = app;
	}

	async here(ask: Ask): Promise<Run> {
		const { tokensAt, firstOf, now, event: note } = notes();
		for await (const event of this.#app.answerHere(wishFor(ask), never())) {
			note(event.type, event.type === 'words' ? event.tokens.length : 0);
			if (event.type === 'finished') {
				const decodeMs = (1000 * event.tokens) / event.tokensPerSecond;
				const engine = { tokens: event.tokens, decodeMs, prefillMs: undefined };
				return { way: 'here', tokensAt, endedAt: now(), firstOf, engine, roundTripMs: undefined };
			}
			if (event.type === 'failed' || event.type === 'fixed') throw new Error(JSON.stringify(event));
		}
		throw new Error('ended without an end');
	}

	async mesh(ask: Ask): Promise<Run> {
		const { tokensAt, firstOf, now, event: note } = notes();
		let executor = '';
		for await (const event of this.#app.answerByMesh(wishFor(ask), never())) {
			note(event.type, event.type === 'words' ? event.tokens.length : 0);
			if (event.type === 'assigned') executor = event.executor.id;
			if (event.type === 'finished') {
				const endedAt = now();
				const fields = (await this.#app.openReceipt(event.receipt))?.fields ?? {};
				const { decodeMs, prefillMs } = fields;
				if (typeof decodeMs !== 'number' || typeof prefillMs !== 'number') throw new Error('receipt without times');
				const engine = { tokens: event.tokens, decodeMs, prefillMs };
				const { roundTripMs } = this.#app.mesh.value.peers.find(({ id }) => id === executor) ?? {};
				return { way: 'mesh', tokensAt, endedAt, firstOf, engine, roundTripMs };
			}
			if (event.type === 'failed' || event.type === 'lost') throw new Error(JSON.stringify(event));
		}
		throw new Error('ended without an end');
	}

	/**
	 * One answer that is to be broken off, by the clock that all processes of a machine share. `reached` of the page is called with who answers and
	 * who stands by when it is `at` tokens long.
	 */
	async broken({ prompt, tokens, hedge, at }: Broken): Promise<Chronicle> {
		const kept = {
			words: [],
			screen: [],
			said: [],
			tokens: [],
			text: '',
			executors: [],
			standbys: [],
			end: '',
			receipt: ''
		};
		const chronicle: Chronicle = kept as Chronicle;
		const note = listening(chronicle);
		let due = true;
		const show = (characters: number) => {
			if (characters > (chronicle.screen.at(-1)?.characters ?? 0))
				chronicle.screen.push({ at: Date.now(), characters });
		};
		const pace = new Pace<Paced>({
			now: Date.now,
			evenly: true,
			show: ({ message }) => show(message.text.length),
			keep: () => undefined
		});
		try {
			for await (const event of this.#app.answerByMesh(wishFor({ prompt, tokens }), never(), { hedge })) {
				const moment = Date.now();
				if (event.type === 'assigned') chronicle.executors.push(event.executor.id);
				if (event.type === 'handed-over') chronicle.executors.push(event.to.id);
				if (event.type === 'standby') chronicle.standbys.push({ at: moment, executor: event.executor.id });
				if (event.type === 'words') {
					chronicle.words.push({ at: moment, position: event.position });
					chronicle.tokens.push(...event.tokens);
					chronicle.text += event.text;
					pace.hear({ message: { text: chronicle.text }, phase: { kind: 'writing' } });
					if (due && chronicle.tokens.length >= at) {
						due = false;
						(globalThis as { reached?: (now: Reached) => unknown }).reached?.({
							leader: chronicle.executors.at(-1) ?? '',
							standbys: chronicle.standbys.map(({ executor }) => executor)
						});
					}
				}
				if (event.type === 'finished' || event.type === 'lost' || event.type === 'failed') {
					chronicle.end = event.type === 'finished' ? event.status : `${event.type}: ${event.code}`;
					const { receipt } = event as { receipt?: string };
					chronicle.receipt = receipt ?? '';
				}
			}
		} finally {
			note.stop();
			pace.end();
			show(chronicle.text.length);
		}
		const record = await this.#app.store.receipts.get(chronicle.receipt);
		if (record?.kind === 'sealed') {
			const { seed, sampling } = read(executionReceipt, record.document).body;
			Object.assign(chronicle, { seed: [...seed], sampling });
		}
		return chronicle;
	}

	/** So many answers at once that nobody disturbs: how long each took in ms, how it ended, and the lines that the app told developers meanwhile. */
	async together({ prompt, tokens, many }: Together): Promise<Calmly> {
		const kept: Pick<Chronicle, 'said'> = { said: [] };
		const note = listening(kept);
		const answer = async (which: number) => {
			const began = Date.now();
			let end = '';
			for await (const event of this.#app.answerByMesh(wishFor({ prompt: `${prompt}, ${which}`, tokens }), never(), {}))
				if (event.type === 'finished') end = event.status;
				else if (event.type === 'lost' || event.type === 'failed') end = `${event.type}: ${event.code}`;
			return { ms: Date.now() - began, end };
		};
		try {
			const answers = await Promise.all(Array.from({ length: many }, (_, which) => answer(which)));
			return { answers, said: kept.said };
		} finally {
			note.stop();
		}
	}

	/** This tab's PeerId. */
	get peer(): string {
		return formatPeerId(this.#app.identity.node.publicKey);
	}

	/** Whether it waits for jobs. */
	get idle(): boolean {
		return this.#app.contribution.value.state === 'ready';
	}

	/** The same from a server that streams its engine's tokens as server-sent events (bench/server.ts). */
	async served(ask: Ask, address: string): Promise<Run> {
		const { tokensAt, firstOf, now, event: note } = notes();
		const { turns, minTokens, maxTokens, sampling } = wishFor(ask);
		const body = JSON.stringify({ turns, minTokens, maxTokens, sampling });
		const response = await fetch(address, { method: 'POST', body });
		note('headers');
		if (response.body === null || !response.ok) throw new Error(`status ${String(response.status)}`);
		let rest = '';
		for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
			const events = (rest + piece).split('\n\n');
			rest = events.pop() ?? '';
			for (const each of events) {
				const said = JSON.parse(each.slice('data: '.length)) as Said;
				note(said.type, said.type === 'words' ? said.tokens.length : 0);
				if (said.type === 'finished') {
					return { way: 'served', tokensAt, endedAt: now(), firstOf, engine: said.engine, roundTripMs: undefined };
				}
			}
		}
		throw new Error('ended without an end');
	}

	/** Starts contributing; resolves when this tab waits for jobs. */
	async lend(): Promise<void> {
		await this.#app.startContributing();
		await new Promise<void>((resolve) => {
			const stop = this.#app.contribution.observe(({ state }) => {
				if (state !== 'ready') return;
				resolve();
				queueMicrotask(() => stop());
			});
		});
	}
}

/** Who is at an answer when it is to be broken off. */
export interface Reached {
	readonly leader: string;
	readonly standbys: readonly string[];
}

/** Answers that are asked for at once, each of so many tokens. */
export interface Together {
	readonly prompt: string;
	readonly tokens: number;
	readonly many: number;
}

/** What became of them. */
export interface Calmly {
	readonly answers: readonly { readonly ms: number; readonly end: string }[];
	readonly said: Chronicle['said'];
}

/** Notes what the app tells developers, until stopped. */
function listening(chronicle: Pick<Chronicle, 'said'>) {
	const debug = console.debug.bind(console);
	console.debug = (...facts: unknown[]) => {
		chronicle.said.push({ at: Date.now(), line: String(facts[0]), facts: facts[1] });
		debug(...facts);
	};
	return { stop: () => (console.debug = debug) };
}

/** Events of the stream; the words are those of the app's own events. */
export type Said =
	| { readonly type: 'words'; readonly text: string; readonly tokens: readonly number[]; readonly position: number }
	| { readonly type: 'finished'; readonly engine: Run['engine'] };

export type { BenchPage };

Object.assign(globalThis, { bench: new BenchPage(await createTab()) });

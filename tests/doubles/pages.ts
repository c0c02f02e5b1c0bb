/** A page that follows one which asked and was closed in mid-answer, over a mesh of one executor: all of it in the hands of a test. */
import type { OriginateEvent } from '#lib/node/events.ts';
import { facts } from '#lib/node/hire.ts';
import type { NodePorts } from '#lib/node/ports.ts';
import { reattach } from '#lib/node/reattach.ts';
import { recordJob } from '#lib/node/record.ts';
import { Registry } from '#lib/node/registry.ts';
import type { Channel } from '#lib/ports/mesh.ts';
import type { OriginatedJob } from '#lib/ports/store.ts';
import { seal } from '#lib/protocol/envelope.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import { encodeFrame } from '#lib/protocol/frame.ts';
import { jobStatus, type JobStatusUpdate } from '#lib/protocol/status.ts';
import { SeededRandom } from './chance.ts';
import { ORDINARY_WISH } from './node.ts';
import { channelTo, Papers } from './papers.ts';

export const KEPT = { tokens: [5, 6, 7], text: 'abc' };
export const ADDRESSES = ['/memory/there'];

const unreachable = () => Promise.reject(new Refusal('unreachable'));

/** The page that follows one that kept three words; `reach` says what becomes of its channel to the executor. */
export async function pageAfter(reach: (signal: AbortSignal) => Promise<Channel> = unreachable, bid = {}) {
	const papers = await Papers.of({ bid: { addresses: ADDRESSES, ...bid } });
	const { clock, store, log } = papers;
	const random = new SeededRandom('page');
	const failed: unknown[] = [];
	const registry = new Registry({ store, clock, random, log: () => undefined, online: () => true });
	registry.failed = (...what) => void failed.push(what);
	const opened: { readonly peer: string; readonly addresses: readonly string[]; readonly at: number }[] = [];
	const bids: ((bytes: Uint8Array) => void)[] = [];
	const deaf = { count: 0 };
	const mesh = {
		self: papers.asker.peer,
		open: (peer: string, addresses: readonly string[], signal: AbortSignal) => {
			opened.push({ peer, addresses, at: clock.monotonic() - 300 });
			return reach(signal);
		},
		subscribe: (_topic: string, _judge: unknown, hear: (bytes: Uint8Array) => void) => {
			bids.push(hear);
			return () => deaf.count++;
		},
		publish: async () => undefined
	};
	const ports = { ...papers.ports, mesh, registry, random } as unknown as NodePorts;
	await clock.pass(300);
	const record = recordJob(papers.job, { ...ORDINARY_WISH, message: 'm' }, ports);
	await record.hired(papers.hired());
	for (const [i, token] of KEPT.tokens.entries())
		await record.note({ type: 'words', position: i, tokens: [token], text: KEPT.text[i] as string });
	await record.note({ type: 'checkpoint', tokens: 3, receipt: 'cp' });
	const row = async () => (await store.jobs.get(papers.job.hex)) as OriginatedJob;
	const stop = new AbortController();
	const events: OriginateEvent[] = [];
	const come = async (shown = KEPT, before = (_event: OriginateEvent): unknown => undefined) => {
		for await (const event of reattach('m', shown, ports, stop.signal)) {
			events.push(event);
			await before(event);
		}
		return events;
	};
	const who = facts(papers.hired().executor);
	return { papers, ...{ clock, store, log, failed, opened, bids, deaf, ports, row, stop, events, come, who } };
}

/** The same, its executor at the other end of a channel. */
export async function atExecutor(bid = {}) {
	const channel = channelTo('executor');
	const page = await pageAfter(() => Promise.resolve(channel), bid);
	const { papers, clock } = page;
	const { job, epoch } = papers.assignment.body;
	const status = async (change: Partial<JobStatusUpdate> = {}) => {
		const nonce = change.state === undefined ? { executorNonce: papers.nonce } : {};
		const word = { job, epoch, state: 'accepted' as const, ...nonce, issuedAt: clock.now() };
		channel.messages.says((await seal(jobStatus, { ...word, extensions: {}, ...change }, papers.executor.node)).bytes);
		await clock.pass(0);
	};
	const frame = async (sequence: number, position: number, tokens: number[], text: string) => {
		channel.messages.says(encodeFrame({ job, epoch, sequence, position, tokens, text }));
		await clock.pass(0);
	};
	return { ...page, channel, status, frame };
}

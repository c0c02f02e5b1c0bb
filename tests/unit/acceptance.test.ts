/** What an asker takes for an acceptance: the executor's own signed word for this very job, with the nonce it had committed to, in time. */
import { expect, it } from 'vitest';
import type { SignedBid } from '#lib/node/bidding.ts';
import { acceptance } from '#lib/node/assign.ts';
import { Inbox, type JobMail } from '#lib/node/inbox.ts';
import type { NodePorts } from '#lib/node/ports.ts';
import type { AssignJob } from '#lib/protocol/assignment.ts';
import { commitNonce } from '#lib/protocol/bid.ts';
import { seal } from '#lib/protocol/envelope.ts';
import { codeOf, retryMsOf } from '#lib/protocol/errors.ts';
import { jobStatus, type JobStatusUpdate } from '#lib/protocol/status.ts';
import { World } from '../doubles/node.ts';

const job = new Uint8Array(16).fill(3);
const nonce = new Uint8Array(32).fill(7);
const PATIENCE = { wordMs: 1_000, queueMs: 20_000 };

/** A status; `accepted` with the right nonce by who bid, unless it says otherwise. */
interface Word extends Partial<Pick<JobStatusUpdate, 'state' | 'job' | 'epoch' | 'code' | 'waitMs'>> {
	readonly nonce?: Uint8Array | 'none';
	readonly by?: 'other';
}

/** What comes of these words, each said so many ms after the one before; a stop, an end or bytes as they are. */
async function after(...words: readonly (readonly [ms: number, what: Word | JobMail])[]) {
	const world = new World('acceptance');
	const { clock } = world;
	const [mine, other] = [
		world.seals.signer(new Uint8Array(32).fill(1)),
		world.seals.signer(new Uint8Array(32).fill(2))
	];
	const heard = {
		signed: { signer: mine.publicKey },
		bid: { nonceCommitment: commitNonce(nonce) }
	} as unknown as SignedBid;
	const inbox = new Inbox<JobMail>(clock);
	const waits: number[] = [];
	const ports = { clock, crypto: world.seals } as unknown as NodePorts;
	const found = acceptance(inbox, heard, { job, epoch: 1 } as AssignJob, ports, PATIENCE, (ms) => waits.push(ms));
	const talk = async () => {
		for (const [ms, what] of words) {
			await clock.sleep(ms);
			if ('type' in what) inbox.put(what);
			else {
				const { by, nonce: shown = (what.state ?? 'accepted') === 'accepted' ? nonce : 'none', ...change } = what;
				const opened = shown === 'none' ? {} : { executorNonce: shown };
				const body = { job, epoch: 1, state: 'accepted' as const, issuedAt: clock.now(), extensions: {} };
				const { bytes } = await seal(jobStatus, { ...body, ...opened, ...change }, by === 'other' ? other : mine);
				inbox.put({ type: 'message', bytes });
			}
		}
	};
	const began = clock.monotonic();
	const end = (refused: unknown) => ({ code: codeOf(refused), retryMs: retryMsOf(refused) });
	const [result] = await clock.until(Promise.all([found.catch(end), talk()]));
	return { result, waits, tookMs: Math.round(clock.monotonic() - began) };
}
const refused = (code: string, retryMs?: number) => ({ code, retryMs });

it('is its nonce', async () => {
	expect((await after([10, {}])).result).toEqual(nonce);
});

it('comes after a time in its queue, of which it tells', async () => {
	const queued = { state: 'queued' } as const;
	const { result, waits } = await after(
		[10, { ...queued, waitMs: 4_000 }],
		[3_000, { ...queued, waitMs: 900 }],
		[950, {}]
	);
	expect(result).toEqual(nonce);
	expect(waits).toEqual([4_000, 900]);
	expect((await after([10, { ...queued, waitMs: 20_000 }])).result).toEqual(refused('busy', 20_000));
	const soon = Array.from({ length: 8 }, () => [4_000, { ...queued, waitMs: 100 }] as const);
	const never = await after([10, queued], ...soon);
	expect(never.result).toEqual(refused('busy'));
});

it('is not awaited longer than was said: silence is a stall', async () => {
	const { result, tookMs } = await after();
	expect(result).toEqual(refused('stalled'));
	expect(tookMs).toBe(1_000);
	expect((await after([10, { state: 'queued', waitMs: 100 }])).tookMs).toBe(5_010);
});

it('is signed by who bid, for this job and this epoch, with the nonce of the bid', async () => {
	expect((await after([10, { by: 'other' }])).result).toEqual(refused('wrong-signer'));
	expect((await after([10, { job: new Uint8Array(16) }])).result).toEqual(refused('wrong-job'));
	expect((await after([10, { epoch: 2 }])).result).toEqual(refused('wrong-job'));
	expect((await after([10, { nonce: new Uint8Array(32) }])).result).toEqual(refused('terms-differ'));
	expect((await after([10, { nonce: 'none' }])).result).toEqual(refused('terms-differ'));
});

it('may be a refusal, an end or a stop instead', async () => {
	const no = { state: 'refused' } as const;
	expect((await after([10, { ...no, code: 'busy', waitMs: 3_000 }])).result).toEqual(refused('busy', 3_000));
	expect((await after([10, { ...no, code: 'no such code' }])).result).toEqual(refused('declined'));
	expect((await after([10, { type: 'ended', code: 'peer-lost' }])).result).toEqual(refused('peer-lost'));
	expect((await after([10, { type: 'ended', code: undefined }])).result).toEqual(refused('channel-closed'));
	expect((await after([10, { type: 'stop' }])).result).toEqual(refused('aborted'));
	expect((await after([10, { type: 'message', bytes: Uint8Array.of(1) }])).result).toEqual(refused('malformed'));
});

/** A job that another page of this profile began, as its record has it: read back, checked, and ready to be taken up again. */
import type { OriginatedJob, Unfinished } from '#lib/ports/store.ts';
import { jobAnnouncement } from '#lib/protocol/announcement.ts';
import { assignJob, type AssignJob } from '#lib/protocol/assignment.ts';
import { jobBid, seedOf } from '#lib/protocol/bid.ts';
import { openCertificate } from '#lib/protocol/certificate.ts';
import { checkpoint as checkpointKind } from '#lib/protocol/checkpoint.ts';
import { formatDid, formatPeerId } from '#lib/protocol/did.ts';
import { decodeCanonical, equalBytes, toHex, type Link } from '#lib/protocol/encode.ts';
import { open, read, type Signed } from '#lib/protocol/envelope.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import { chainNext, chainStart } from '#lib/protocol/frame.ts';
import { MAX_CHANNEL_MESSAGE } from '#lib/protocol/limits.ts';
import { readPolicy } from '#lib/protocol/policy.ts';
import type { Wish } from './app.ts';
import type { HiredJob, Resumed } from './hired-job.ts';
import type { NodePorts } from './ports.ts';
import type { Transcript } from './transcript.ts';

/** Unfinished jobs are among the newest; the rest of the table is not read for them. */
const RECENT = 64;
/** An executor keeps an answer no longer than ten minutes after its end (kept.ts), and it ends with the deadline at the latest. */
const HOPELESS_MS = 600_000;

/** An answer as the screen's record has it: every token, and the whole text. */
export interface Shown {
	readonly tokens: readonly number[];
	readonly text: string;
}

/** One frame as it came. */
export interface Piece {
	readonly position: number;
	readonly tokens: readonly number[];
	readonly text: string;
}

/** A job as it was left. */
export interface Found {
	/** All but the channel. */
	readonly hired: Omit<HiredJob, 'channel' | 'inbox'> & { readonly resumed: Resumed };
	readonly wish: Wish;
	/** Every frame since the job began, those of earlier executors included. */
	readonly pieces: readonly Piece[];
	/** Signed acknowledgement of the newest checkpoint kept, to be said again. */
	readonly acknowledgement: Uint8Array | undefined;
}

/** The unfinished job of a message, newest first. */
export async function unfinishedOf(message: string, ports: NodePorts): Promise<OriginatedJob | undefined> {
	const rows = await ports.store.jobs.list(RECENT);
	return rows.find((row) => row.message === message && row.unfinished !== undefined);
}

/** Keys of messages whose answers were under way when their pages ended, or still are in another tab. Forgets what is hopelessly old. */
export async function unfinishedMessages(ports: NodePorts): Promise<readonly string[]> {
	const rows = await ports.store.jobs.list(RECENT);
	const found: string[] = [];
	for (const row of rows) {
		if (row.unfinished === undefined) continue;
		if (row.unfinished.deadlineAt + HOPELESS_MS > ports.clock.now()) found.push(row.message ?? '');
		else await ports.store.jobs.put({ ...row, state: 'lost', code: 'expired', unfinished: undefined });
	}
	return found.filter((message) => message !== '');
}

/**
 * Reads a job back. `shown` is the answer as the screen's record has it, tokens counted from the answer's beginning.
 * Refusals: those of its messages' decoders, `internal` when its key is gone or its words are not those of the message.
 */
export async function restore(
	unfinished: Unfinished,
	shown: Shown,
	message: string | undefined,
	ports: NodePorts
): Promise<Found> {
	const assignment = read(assignJob, unfinished.assignment);
	const announcement = read(jobAnnouncement, unfinished.announcement);
	const signed = await open(jobBid, unfinished.bid, ports.crypto);
	const { account: accountKey } = await openCertificate(signed, ports.crypto, ports.clock.now());
	const key = await ports.jobKeys.keptJobKey(assignment.signer);
	if (key === undefined) throw new Refusal('internal', 'no key for the job');
	const { body } = assignment;
	const { originatorNonce } = body;
	const seedFrom = body.seedFrom ?? { epoch: body.epoch, originatorNonce, executorNonce: unfinished.executorNonce };
	const account = formatDid(accountKey);
	const { startedFrom, parts } = unfinished;
	const pieces = piecesOf(unfinished, body);
	const { resumed, acknowledgement } = await whereItStands(assignment, pieces, ports);
	const known = Math.min(shown.tokens.length, resumed.transcript.position) - startedFrom;
	if (unfinished.tokens.slice(0, known).some((token, i) => token !== shown.tokens[startedFrom + i]))
		throw new Refusal('internal', 'other words than the message');
	return {
		hired: {
			job: {
				id: body.job,
				hex: toHex(body.job),
				key,
				policy: readPolicy(decodeCanonical(unfinished.policy, MAX_CHANNEL_MESSAGE)),
				announcement
			},
			executor: {
				bid: signed.body,
				signed,
				executor: formatPeerId(signed.signer),
				account,
				accountKey,
				sameAccount: account === ports.identity.account,
				heardAt: ports.clock.monotonic()
			},
			assignment,
			seed: seedOf(body.job, seedFrom.epoch, seedFrom.originatorNonce, seedFrom.executorNonce),
			seedFrom,
			deadlineAt: ports.clock.monotonic() + unfinished.deadlineAt - ports.clock.now(),
			startedFrom,
			parts,
			resumed: {
				...resumed,
				shown: whatIsShown(unfinished, body.continueFrom, resumed, shown),
				attempt: unfinished.attempt + 1
			}
		},
		wish: {
			turns: body.turns,
			continueFrom: [],
			model: announcement.body.model,
			sampling: body.sampling,
			minTokens: body.minTokens,
			maxTokens: body.maxTokens,
			message
		},
		pieces,
		acknowledgement
	};
}

type Kept = Pick<Resumed, 'transcript' | 'tokens' | 'text'>;

/** Frames out of a record. Refusal `internal` when they do not add up: a record that was changed is not gone on with. */
function piecesOf({ tokens, text, frames, startedFrom }: Unfinished, run: AssignJob): Piece[] {
	const pieces: Piece[] = [];
	let [at, character] = [0, 0];
	for (let i = 0; i + 1 < frames.length; i += 2) {
		const [count = 0, length = 0] = [frames[i], frames[i + 1]];
		const piece = { tokens: tokens.slice(at, at + count), text: text.slice(character, character + length) };
		pieces.push({ ...piece, position: startedFrom + at });
		at += count;
		character += length;
	}
	const whole = at === tokens.length && character === text.length && pieces.every((piece) => piece.tokens.length > 0);
	const given = run.continueFrom.slice(startedFrom);
	if (!whole || given.some((token, i) => token !== tokens[i])) throw new Refusal('internal', 'a broken record');
	return pieces;
}

/** The longer of both records, with the text since the executor began. */
function whatIsShown({ text, startedFrom }: Unfinished, before: readonly number[], kept: Kept, shown: Shown): Shown {
	const { position } = kept.transcript;
	if (shown.tokens.length <= position) return { tokens: [...before, ...kept.tokens], text: kept.text };
	const began = startedFrom === 0 ? 0 : Math.max(0, shown.text.lastIndexOf(text));
	return { tokens: shown.tokens, text: kept.text + shown.text.slice(began + text.length) };
}

/** The transcript after every kept frame of this executor, and the newest checkpoint that agrees with it. */
async function whereItStands(
	assignment: Signed<AssignJob>,
	pieces: readonly Piece[],
	ports: NodePorts
): Promise<Pick<Found, 'acknowledgement'> & { readonly resumed: Kept }> {
	const { job, epoch, continueFrom, maxTokens } = assignment.body;
	const start = continueFrom.length;
	const mine = pieces.filter((piece) => piece.position + piece.tokens.length > start);
	let chain = chainStart(assignment.bodyBytes);
	let position = start;
	const chains = new Map<number, Uint8Array>();
	for (const piece of mine) {
		if (piece.position !== position) throw new Refusal('internal', 'a broken record');
		position += piece.tokens.length;
		chain = chainNext(chain, piece);
		chains.set(position, chain);
	}
	let checked = start;
	let lastCheckpoint: Link | undefined;
	let acknowledgement: Uint8Array | undefined;
	for (const record of await ports.store.receipts.list(RECENT)) {
		if (record.kind !== 'checkpoint' || record.role !== 'originator' || record.job !== toHex(job)) continue;
		const { body, cid } = read(checkpointKind, record.document);
		const agrees = equalBytes(chains.get(body.tokens) ?? new Uint8Array(), body.chain);
		if (body.epoch !== epoch || !agrees || body.tokens <= checked) continue;
		[checked, lastCheckpoint, acknowledgement] = [body.tokens, cid, record.counterpart];
	}
	const transcript: Transcript = {
		...{ job, epoch, assignment: assignment.cid, start, maxTokens, sequence: mine.length },
		...{ position, chain, checked, lastCheckpoint }
	};
	const tokens = mine.flatMap((piece) => piece.tokens);
	return { resumed: { transcript, tokens, text: mine.map((piece) => piece.text).join('') }, acknowledgement };
}

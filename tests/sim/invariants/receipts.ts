/** What either side can prove afterwards: everything that was done, and nothing else. */
import type { OpenedReceipt } from '#lib/node/app.ts';
import { openReceipt } from '#lib/node/open-receipt.ts';
import type { Crypto } from '#lib/ports/crypto.ts';
import { CHECKPOINT_TOKENS } from '#lib/protocol/limits.ts';
import { segments, shown, type Accuse, type Dossier } from '../dossier.ts';
import type { Inhabitant } from '../inhabitant.ts';

/** Most tokens an executor works beyond its last proof: two checkpoints of an asker that is away, and the third that makes it pause (asker.ts). */
export const MOST_UNPROVEN = 3 * CHECKPOINT_TOKENS;

/** Rows that one node holds for the job, opened; undefined for one that is no receipt any more. */
export async function held(
	{ hex }: Dossier,
	by: Inhabitant,
	role: 'originator' | 'executor',
	crypto: Crypto,
	now: number
): Promise<OpenedReceipt[]> {
	const rows = [...by.shelves.receipts.rows.values()].filter((row) => row.job === hex && row.role === role);
	return Promise.all(rows.map((row) => openReceipt(row, crypto, now)));
}

const whole = ({ signatures, cidMatches }: OpenedReceipt) =>
	cidMatches && signatures.every(({ present, valid }) => valid || !present);
const both = (receipt: OpenedReceipt) => whole(receipt) && receipt.signatures.every(({ present }) => present);
const until = ({ startPosition, answerTokens }: OpenedReceipt) => startPosition + answerTokens;

/** The asker's side. */
export function chainOfAsker(dossier: Dossier, rows: readonly OpenedReceipt[], accuse: Accuse): void {
	const { events, asker } = dossier;
	const end = events.at(-1);
	const count = shown(events).length;
	const parts = segments(events);
	for (const row of rows) {
		if (!whole(row)) accuse('one-chain', `asker keeps a ${row.kind} that does not verify`);
		if (row.answerTokens === 0) continue;
		const part = parts.find(({ executor, from }) => executor === row.executor && from === row.startPosition);
		if (part === undefined || part.tokens.length < row.answerTokens) {
			accuse(
				'no-unearned',
				`asker keeps a ${row.kind} for ${row.answerTokens} tokens, shown ${part?.tokens.length ?? 0}`
			);
		}
	}
	// A disk that refused has holes, and says so.
	if (asker.shelves.refused > 0) return;
	const last =
		end?.type === 'finished' || end?.type === 'lost' ? rows.find(({ cid }) => cid === end.receipt) : undefined;
	if (end?.type === 'finished') {
		if (last === undefined) return accuse('one-chain', 'finished, and the asker keeps no receipt');
		if (!both(last)) accuse('one-chain', 'finished with a receipt that one side did not sign');
		if (until(last) !== count) accuse('one-chain', `the receipt ends at ${until(last)}, the answer at ${count}`);
	}
	if (end?.type === 'lost' && end.receipt !== undefined && last === undefined) {
		accuse('one-chain', 'the last proof of a lost answer is not kept');
	}
	for (const { executor, from, tokens } of parts) {
		const proven = rows.some((row) => row.executor === executor && row.startPosition === from);
		// A part of less than a checkpoint may end without any signature, one of more may not.
		if (tokens.length > 2 * CHECKPOINT_TOKENS && !proven) accuse('one-chain', `no proof of ${tokens.length} tokens`);
	}
	for (const cid of last?.predecessors ?? []) {
		const before = rows.find((row) => row.cid === cid);
		if (before === undefined) accuse('one-chain', 'a receipt names one before it that nobody keeps');
		else if (until(before) > (last?.startPosition ?? 0)) accuse('one-chain', 'parts overlap');
	}
}

/** One honest executor's side. */
export function chainOfExecutor(
	dossier: Dossier,
	by: Inhabitant,
	rows: readonly OpenedReceipt[],
	accuse: Accuse
): void {
	const runs = dossier.runs.filter((run) => run.by === by);
	for (const row of rows) {
		if (!whole(row)) accuse('one-chain', `executor keeps a ${row.kind} that does not verify`);
		if (row.answerTokens === 0) continue;
		const run = runs.find(({ request }) => request.continueFrom.length === row.startPosition);
		const made = run === undefined ? 0 : run.tokens.length - run.request.continueFrom.length;
		if (made < row.answerTokens) {
			accuse('no-unearned', `executor keeps a ${row.kind} for ${row.answerTokens} tokens, made ${made}`);
		}
	}
	const sealed = rows.filter(({ kind }) => kind === 'sealed');
	if (new Set(sealed.map(({ epoch }) => epoch)).size < sealed.length) {
		accuse('one-chain', 'two receipts of one executor for one epoch');
	}
	if (by.shelves.refused > 0) return;
	for (const { request, tokens } of runs) {
		const from = request.continueFrom.length;
		const made = tokens.length - from;
		const proven = Math.max(
			0,
			...rows.filter((row) => both(row) && row.startPosition === from).map(({ answerTokens }) => answerTokens)
		);
		if (made - proven > MOST_UNPROVEN) accuse('small-loss', `executor made ${made} tokens and can prove ${proven}`);
	}
}

/**
 * The old tab's side of a move: it is given the code of the new one, both people compare six figures, and the backup goes across.
 * Nothing is deleted here, whatever happens there. How it would be cheated: docs/spec/moving.md.
 */
import type { Agreement } from '#lib/ports/agreement.ts';
import type { Clock } from '#lib/ports/clock.ts';
import type { Mesh } from '#lib/ports/mesh.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import { agree, answerTag, commitTo, helloTag, sameTag, type Agreed } from '#lib/protocol/move-agreement.ts';
import { addressesOf, readMoveCode, type MoveCode } from '#lib/protocol/move-code.ts';
import { MOVE_VERSION, PIECE_BYTES } from '#lib/protocol/move.ts';
import { MoveLine, PERSON_PATIENCE_MS, type MovePerson } from './move-line.ts';

export interface MoveOutPorts {
	readonly mesh: Pick<Mesh, 'self' | 'open'>;
	readonly agreement: Agreement;
	readonly clock: Clock;
	/** The same sealed file that a person can save. */
	readonly backUp: (passphrase: string) => Promise<Uint8Array>;
}

/**
 * Resolves when the other side has kept everything. Refusals: those of `readMoveCode` (`malformed` also for one's own code), `unreachable`,
 * `limited-connection`, `declined` (either person said no), `not-agreed` (somebody stands between, or a wrong code), `stalled`, `channel-closed`,
 * `peer-lost`, `aborted`, those of a backup, and whatever reason the other side gives.
 */
export async function moveOut(
	pasted: string,
	ports: MoveOutPorts,
	person: MovePerson,
	signal: AbortSignal
): Promise<void> {
	const code = readMoveCode(pasted);
	if (code.peer === ports.mesh.self) throw new Refusal('malformed', 'the code of this very tab');
	const channel = await ports.mesh.open(code.peer, addressesOf(code), signal, 'move');
	const line = new MoveLine(channel, ports.clock, signal);
	await line.throughout(async () => {
		const { digits, oldTag, newTag, passphrase } = await agreeFirst(line, code, ports);
		await line.confirmed({ digits, mine: oldTag, theirs: newTag }, person);
		await handOver(line, await ports.backUp(passphrase), person);
		await line.expect('kept', PERSON_PATIENCE_MS);
		await channel.close();
	});
}

/** Commit, hear, reveal. */
async function agreeFirst(
	line: MoveLine,
	{ peer, secret }: MoveCode,
	{ mesh, agreement }: MoveOutPorts
): Promise<Agreed> {
	const ends = { oldPeer: mesh.self, newPeer: peer };
	const pair = await agreement.pair();
	const commitment = commitTo(pair.publicKey);
	const tag = helloTag(secret, ends, commitment);
	await line.send({ type: 'hello', version: MOVE_VERSION, commitment, tag });
	const answer = await line.expect('answer');
	if (!sameTag(answer.tag, answerTag(secret, ends, commitment, answer.key))) throw new Refusal('not-agreed', 'answer');
	const shared = await pair.shared(answer.key);
	await line.send({ type: 'reveal', key: pair.publicKey });
	return agree(shared, secret, { ...ends, commitment, newKey: answer.key, oldKey: pair.publicKey });
}

/** Piece by piece, each only when the line has room. */
async function handOver(line: MoveLine, file: Uint8Array, person: MovePerson): Promise<void> {
	await line.send({ type: 'file', length: file.length });
	for (let at = 0; at < file.length; at += PIECE_BYTES) {
		const data = file.subarray(at, at + PIECE_BYTES);
		await line.send({ type: 'piece', at, data });
		person.progress(at + data.length, file.length);
	}
}

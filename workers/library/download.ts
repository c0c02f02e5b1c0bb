/**
 * Brings one file from a server into a drawer: goes on where it stopped, tries again when the connection breaks, and gives back only what has
 * the length and the hash that were asked for. docs/spec/models.md has the rules.
 */
import { Refusal } from '#lib/protocol/errors.ts';
import { MOST_FILE_BYTES } from '#lib/engine/library/record.ts';
import { openIntake, type Drawer, type Intake } from './drawer.ts';
import { ask, Broken, lengthOf, validatorOf, type Answer, type World } from './request.ts';

/** What is wanted. */
export interface Sought {
	/** Mirrors, best first. */
	readonly addresses: readonly string[];
	readonly bytes: number | undefined;
	readonly sha256: string | undefined;
	/** What the server called the version whose beginning is here. */
	readonly validator: string | undefined;
}

export interface Brought {
	readonly bytes: number;
	readonly sha256: string;
}

export interface DownloadReports {
	/** Bytes of it that are here. */
	at(bytes: number): void;
	/** The version that is coming; write it down, so that a later call knows whether it can go on. */
	version(validator: string | undefined): Promise<void>;
}

/** Bytes asked for again when going on, and compared: servers without any validator are caught mixing two versions by this. */
const OVERLAP_BYTES = 64 * 1024;
/** Tries after one that broke without bringing anything new. */
const RETRIES = 1;
const BACKOFF_MS = 1500;
/** New bytes that make a broken try a useful one: on a bad line a large file may take hundreds of them. */
const USEFUL_BYTES = 256 * 1024;
/** A file that came complete and wrong is fetched once more from the same address: it may have been damaged on the way. */
const TIMES_WRONG = 2;

/** What came is another file than the one asked for. */
class Wrong extends Error {}

/**
 * Refusals: `engine-load-failed` (not reachable, not there; what came stays), `weights-corrupt` (nothing stays), `storage-full`,
 * `storage-unavailable`, `aborted` (what came stays). The drawer is left open.
 */
export async function download(
	sought: Sought,
	drawer: Drawer,
	world: World,
	reports: DownloadReports,
	signal: AbortSignal
): Promise<Brought> {
	const intake = await openIntake(drawer, sought.bytes ?? MOST_FILE_BYTES, world.breathe, signal);
	const version = { validator: sought.validator };
	let refusal = new Refusal('engine-load-failed', 'no address');
	for (const address of sought.addresses) {
		for (let times = 0; times < TIMES_WRONG; times++) {
			try {
				await arrive(address, sought, intake, version, world, reports, signal);
				const sha256 = intake.sha256();
				if (sought.sha256 !== undefined && sha256 !== sought.sha256) throw new Wrong('hash differs');
				intake.flush();
				return { bytes: intake.at, sha256 };
			} catch (error) {
				if (error instanceof Wrong) {
					intake.restart();
					refusal = new Refusal('weights-corrupt', error.message);
					continue;
				}
				intake.flush();
				// A full disk is full for every mirror.
				if (!(error instanceof Refusal) || error.code !== 'engine-load-failed') throw error;
				// The first thing that went wrong says more than that the last mirror was down, but a wrong file says most.
				if (refusal.code !== 'weights-corrupt') refusal = error;
				break;
			}
		}
	}
	throw refusal;
}

/** Until everything is here that the address gives. */
async function arrive(
	address: string,
	sought: Sought,
	intake: Intake,
	version: { validator: string | undefined },
	world: World,
	reports: DownloadReports,
	signal: AbortSignal
): Promise<void> {
	let tries = RETRIES;
	let furthest = intake.at;
	while (sought.bytes === undefined || intake.at < sought.bytes) {
		try {
			if ((await attempt(address, sought, intake, version, world, reports, signal)) === 'whole') return;
		} catch (error) {
			if (!(error instanceof Broken)) throw error;
			if (intake.at >= furthest + USEFUL_BYTES) {
				tries = RETRIES;
				furthest = intake.at;
			} else if (tries-- === 0) {
				throw new Refusal('engine-load-failed', error.message);
			}
			await world.sleep(BACKOFF_MS, signal);
		}
	}
}

/** One request. `anew` when what is here turned out to be of another version and was dropped. */
async function attempt(
	address: string,
	sought: Sought,
	intake: Intake,
	version: { validator: string | undefined },
	world: World,
	reports: DownloadReports,
	signal: AbortSignal
): Promise<'whole' | 'anew'> {
	const overlap = Math.min(intake.at, OVERLAP_BYTES);
	const from = intake.at - overlap;
	const answer = await ask(world, address, { method: 'GET', from }, signal);
	try {
		const { response } = answer;
		const anew = (): 'anew' => {
			intake.restart();
			reports.at(0);
			return 'anew';
		};
		// It has no such range: what is here is longer than what is there.
		if (response.status === 416 && intake.at > 0) return anew();
		if (!response.ok) throw new Refusal('engine-load-failed', `status ${response.status}`);
		const validator = validatorOf(response);
		const total = lengthOf(response, from);
		const partial = response.status === 206;
		if (partial && isAnotherPart(response, from)) throw new Wrong('another part of the file');
		const changed = validator !== undefined && version.validator !== undefined && validator !== version.validator;
		// If-Range would ask the server to judge this, but it is a header that servers of other origins must allow by name; most do not.
		if (partial && intake.at > 0 && changed) return anew();
		if (sought.bytes !== undefined && total !== undefined && total !== sought.bytes)
			throw new Wrong(`${total} bytes, not ${sought.bytes}`);
		// The whole file came although a part was asked for.
		if (!partial) anew();
		if (intake.at === 0 && validator !== version.validator) {
			version.validator = validator;
			await reports.version(validator);
		}
		const expected = partial && overlap > 0 ? intake.tail(overlap) : new Uint8Array(0);
		if (!(await pour(answer, expected, intake, reports))) return anew();
		const end = sought.bytes ?? total;
		if (end === undefined || intake.at === end) return 'whole';
		throw new Broken('ended early');
	} finally {
		answer.end();
	}
}

function isAnotherPart({ headers }: Response, from: number): boolean {
	const start = /^bytes (\d+)-/.exec(headers.get('content-range') ?? '')?.[1];
	return start !== undefined && Number(start) !== from;
}

/** Reads to the end. False when the first bytes are not `expected`, those that are here already. */
async function pour(answer: Answer, expected: Uint8Array, intake: Intake, reports: DownloadReports): Promise<boolean> {
	let compared = 0;
	for (let chunk = await answer.next(); chunk !== undefined; chunk = await answer.next()) {
		const known = Math.min(chunk.length, expected.length - compared);
		for (let i = 0; i < known; i++) if (chunk[i] !== expected[compared + i]) return false;
		compared += known;
		if (known === chunk.length) continue;
		try {
			intake.take(chunk.subarray(known));
		} catch (error) {
			if (error instanceof Refusal && error.code === 'weights-corrupt') throw new Wrong('longer than it said');
			throw error;
		}
		reports.at(intake.at);
	}
	return true;
}

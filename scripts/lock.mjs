/**
 * One at a time across processes: two terminals may both install or build. Plain JavaScript, nothing installed.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';

/** How often a waiting process looks whether it is its turn. */
const LOOK_EVERY_MS = 200;

/** A lock folder without a readable holder is younger than this when its maker is between two system calls. */
const HOLDER_WRITTEN_WITHIN_LOOKS = 10;

/** Runs `work` while holding `folder` as the lock; waits for another living holder, takes over from a dead one. */
export async function withLock(folder, work, { log = console.error, what = 'this step' } = {}) {
	const holderFile = path.join(folder, 'pid');
	let told = false;
	for (let withoutHolder = 0; ;) {
		mkdirSync(path.dirname(folder), { recursive: true });
		try {
			mkdirSync(folder);
			writeFileSync(holderFile, String(process.pid));
			break;
		} catch (error) {
			if (error.code !== 'EEXIST') throw error;
		}
		const holder = livingHolder(holderFile);
		withoutHolder = holder === undefined ? withoutHolder + 1 : 0;
		if (holder === 'dead' || withoutHolder > HOLDER_WRITTEN_WITHIN_LOOKS) {
			rmSync(folder, { recursive: true, force: true });
			withoutHolder = 0;
			continue;
		}
		if (!told && typeof holder === 'number') log(`Waiting for process ${holder}, which is doing ${what}.`);
		told = told || typeof holder === 'number';
		await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
	}
	try {
		return await work();
	} finally {
		rmSync(folder, { recursive: true, force: true });
	}
}

/** The pid that holds the lock, 'dead' when that process is gone, undefined when nothing readable is there. */
function livingHolder(file) {
	let pid;
	try {
		pid = Number(readFileSync(file, 'utf8'));
	} catch {
		return undefined;
	}
	if (!Number.isInteger(pid) || pid <= 0) return undefined;
	try {
		process.kill(pid, 0);
		return pid;
	} catch (error) {
		return error.code === 'EPERM' ? pid : 'dead';
	}
}

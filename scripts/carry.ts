/** Makes the one file that opens without a server out of a built app: `npm run carry`, or `node scripts/carry.ts <build folder> <file>`. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { carriedPage, CARRIED_NAME, type CarriedFile } from '#lib/survival/carried/pack.ts';

/**
 * The bytes of the carried app of a build folder. Rejects when the folder is not a build of this app. `change`: what a hostile hand does to a
 * file on the way, for tests.
 */
export async function carry(
	build: string,
	change: (path: string, bytes: Buffer) => Buffer = (_, bytes) => bytes
): Promise<Buffer> {
	const entries = await readdir(build, { recursive: true, withFileTypes: true });
	const paths = entries
		.filter((entry) => entry.isFile())
		.map((entry) => path.relative(build, path.join(entry.parentPath, entry.name)));
	const boot = paths.find((name) => /^_app\/immutable\/workers\/carried-[\w-]+\.js$/.test(name));
	if (boot === undefined)
		throw new Error(`${build} is not a build of this app: no carried-….js in it. Run "npm run build" first.`);
	const files: CarriedFile[] = await Promise.all(
		paths.map(async (name) => ({ path: name, bytes: change(name, await readFile(path.join(build, name))) }))
	);
	return Buffer.concat(await carriedPage(files, await readFile(path.join(build, boot), 'utf8')));
}

if (import.meta.main) {
	const [build = 'build', file = CARRIED_NAME] = process.argv.slice(2);
	const bytes = await carry(build);
	await writeFile(file, bytes);
	console.log(`${file}: ${(bytes.length / 1e6).toFixed(2)} MB. It opens by a double click, with or without a network.`);
}

/**
 * `npm run release [-- --from FOLDER] [--out FOLDER]`: the app's folder with twins, its name (CID), its blocks as a CAR, and sizes. Unsigned.
 * `npm run release -- publish --keys FILE --manifest FILE [--out FOLDER]`: the same with its signed documents, ready for gateways.
 */
import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { readPaper, isOf, signersOfManifest } from '../keys/documents.ts';
import { carOf, dagOf } from './dag.ts';
import { writeParts } from './development.ts';
import { listOf, payloadOf, readFolder, TWIN, writeFolder, type Folder } from './folder.ts';
import { withTwins } from './twins.ts';
import { sentenceOf } from '../../src/lib/protocol/errors.ts';

const { positionals, values } = parseArgs({
	allowPositionals: true,
	options: {
		from: { type: 'string', default: 'build' },
		out: { type: 'string', default: '.fireweed/release' },
		keys: { type: 'string' },
		manifest: { type: 'string' }
	}
});

/** Where things lie. */
const app = path.join(values.out, 'app');
const signed = path.join(values.out, 'signed');

function table(payload: Folder): string {
	const rows = [...payload]
		.filter(([name]) => !(name.endsWith(TWIN) && payload.has(name.slice(0, -TWIN.length))))
		.map(([name, bytes]) => [bytes.length, payload.get(name + TWIN)?.length ?? bytes.length, name] as const);
	const total = (column: 0 | 1) => rows.reduce((sum, row) => sum + row[column], 0);
	const line = (plain: number, packed: number, name: string) =>
		`${String(plain).padStart(10)} ${String(packed).padStart(10)}  ${name}`;
	return ['     bytes     packed  file', ...rows.map((row) => line(...row)), line(total(0), total(1), 'together')].join(
		'\n'
	);
}

async function make(): Promise<void> {
	const payload = withTwins(payloadOf(await readFolder(values.from)));
	const dag = await dagOf(payload);
	const car = await carOf([dag]);
	await writeFolder(app, payload);
	await writeFile(path.join(values.out, 'app.car'), car);
	await writeFile(path.join(values.out, 'files.cbor'), listOf(payload).encoded);
	console.log(table(payload));
	console.log(
		`\nfolder  ${app}\nCAR     ${path.join(values.out, 'app.car')}, ${car.length} bytes, sha256 ${sha256(car)}`
	);
	console.log(`CID     ${dag.root.toString()}`);
}

async function publish(): Promise<void> {
	if (!values.keys || !values.manifest) throw new Error('publish needs --keys and --manifest.');
	const payload = await readFolder(app);
	const [keys, manifest] = await Promise.all([bytesOf(values.keys), bytesOf(values.manifest)]);
	const paper = readPaper(manifest);
	if (paper.kind !== 'manifest' || !(await isOf(payload, paper.document.body)))
		throw new Error(
			`${app} is not the folder this release speaks of. Run npm run release again, or find out what differs.`
		);
	const { signers, needed } = await signersOfManifest(keys, manifest);
	await writeFolder(signed, payload);
	await writeParts(signed, { keys, manifest, files: listOf(payload).encoded });
	const [outer, inner] = [await dagOf(await readFolder(signed)), await dagOf(payload)];
	const car = await carOf([outer, inner]);
	await writeFile(path.join(values.out, 'signed.car'), car);
	console.log(`Signed by ${signers.join(', ')}; ${needed} had to.`);
	console.log(
		`folder  ${signed}\nCAR     ${path.join(values.out, 'signed.car')}, ${car.length} bytes\nCID     ${outer.root.toString()}`
	);
}

const bytesOf = async (file: string) => new Uint8Array(await readFile(file));
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

try {
	await mkdir(values.out, { recursive: true });
	await (positionals[0] === 'publish' ? publish() : make());
} catch (error) {
	console.error(sentenceOf(error));
	process.exitCode = 1;
}

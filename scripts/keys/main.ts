/** `npm run keys -- <step> …`: the papers of a line of releases, from first keys to a signed release. docs/runbook.md tells when to use which. */
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import process from 'node:process';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { parseArgs } from 'node:util';
import { isCode, sentenceOf } from '../../src/lib/protocol/errors.ts';
import { decodeChain } from '../../src/lib/survival/release.ts';
import { payloadOf, readFolder } from '../release/folder.ts';
import {
	accept,
	bakedIn,
	draftDirectory,
	draftRelease,
	found,
	handOut,
	isOf,
	newest,
	readPaper,
	rotate,
	sign
} from './documents.ts';
import { KeyTrouble, makeKey, openKey, parsed, publicPart } from './keyfile.ts';

const HELP = `npm run keys -- <step> …

  make   --name NAME --role release|directory --out FILE      a key of your own: FILE (sealed) and FILE.pub
  found  --line LINE --release M --directory M --out FILE PUB…  the first keys of a line, to be signed
  rotate --keys KEYS --out FILE [--drop NAME]… [--add PUB]… [--release M] [--directory M]   the next keys, to be signed
  accept [--keys KEYS] --out FILE PAPER                        signed keys, put to the others
  root   --keys KEYS --out FILE                                 first keys, as the source file that bakes them in
  draft  --keys KEYS --folder FOLDER --name NAME --sequence N [--days N] --out FILE   a release, to be signed
  list   --keys KEYS --sequence N [--days N] --out FILE RELAY…  a list of relays, to be signed by directory keys
  hand-out --keys KEYS --out FILE PAPER                         a signed list, as the app reads it: directory.json
  sign   --key FILE [--folder FOLDER | --unseen] PAPER         adds your signature to a paper
  show   PAPER|KEYS                                            what a paper says and who signed it

The passphrase is asked for, or taken from FIREWEED_PASSPHRASE.`;

/** Readers of a release are warned after so many days, unless said otherwise: two releases a year, and some slack. */
const DEFAULT_DAYS = 240;
/** And of a list of relays: relays come and go. */
const LIST_DAYS = 90;

const { positionals, values } = parseArgs({
	allowPositionals: true,
	options: {
		name: { type: 'string' },
		role: { type: 'string' },
		out: { type: 'string' },
		line: { type: 'string' },
		release: { type: 'string' },
		directory: { type: 'string' },
		keys: { type: 'string' },
		drop: { type: 'string', multiple: true, default: [] },
		add: { type: 'string', multiple: true, default: [] },
		folder: { type: 'string' },
		sequence: { type: 'string' },
		days: { type: 'string' },
		key: { type: 'string' },
		unseen: { type: 'boolean', default: false },
		help: { type: 'boolean', default: false }
	}
});
const [step, ...files] = positionals;

type Option = Exclude<keyof typeof values, 'drop' | 'add' | 'unseen' | 'help'>;

function need(option: Option): string {
	const value = values[option];
	if (value === undefined) throw new KeyTrouble(`${step} needs --${option}. npm run keys -- --help`);
	return value;
}

function count(option: Option, value = need(option)): number {
	if (!/^\d{1,9}$/.test(value)) throw new KeyTrouble(`--${option} takes a number.`);
	return Number(value);
}

function one(what: string): string {
	const [file] = files;
	if (file === undefined || files.length > 1) throw new KeyTrouble(`${step} takes one file: ${what}.`);
	return file;
}

const read = async (file: string) => new Uint8Array(await readFile(file));
const readPublic = async (file: string) => publicPart(parsed(await readFile(file, 'utf8')));

/** Papers are written beside, never over: a paper with signatures is work of several people. */
async function writeNew(file: string, content: Uint8Array | string): Promise<void> {
	if (existsSync(file)) throw new KeyTrouble(`${file} is there already; choose another name.`);
	await writeFile(file, content, { mode: 0o600 });
}

async function passphrase(): Promise<string> {
	const given = process.env['FIREWEED_PASSPHRASE'];
	if (given !== undefined) return given;
	if (!process.stdin.isTTY) throw new KeyTrouble('No terminal to ask for the passphrase at; set FIREWEED_PASSPHRASE.');
	process.stderr.write('Passphrase: ');
	const mute = new Writable({ write: (_chunk, _encoding, done) => done() });
	const asking = createInterface({ input: process.stdin, output: mute, terminal: true });
	const answer = await asking.question('');
	asking.close();
	process.stderr.write('\n');
	return answer;
}

const steps: Record<string, () => Promise<void>> = {
	async make() {
		const role = need('role');
		if (role !== 'release' && role !== 'directory') throw new KeyTrouble('--role is release or directory.');
		const { sealed, open } = makeKey(need('name'), role, await passphrase());
		await writeNew(need('out'), sealed);
		await writeNew(`${need('out')}.pub`, `${JSON.stringify(open, null, '\t')}\n`);
		console.log(
			`${open.name}: ${open.role} key ${open.key}\nKeep ${need('out')} and its passphrase apart from each other; give away ${need('out')}.pub.`
		);
	},
	async found() {
		const keys = await Promise.all(files.map(readPublic));
		const thresholds = { release: count('release'), directory: count('directory') };
		await writeNew(need('out'), found(need('line'), keys, thresholds, Date.now()));
		await tell(need('out'));
	},
	async rotate() {
		const change = {
			drop: values.drop,
			add: await Promise.all(values.add.map(readPublic)),
			thresholds: {
				...(values.release === undefined ? {} : { release: count('release') }),
				...(values.directory === undefined ? {} : { directory: count('directory') })
			}
		};
		await writeNew(need('out'), await rotate(await read(need('keys')), change, Date.now()));
		await tell(need('out'));
	},
	async accept() {
		const chain = values.keys === undefined ? undefined : await read(values.keys);
		await writeNew(need('out'), await accept(chain, await read(one('the signed keys'))));
		await tell(need('out'));
	},
	async root() {
		const first = decodeChain(await read(need('keys')))[0] as Uint8Array;
		const source = await readFile(new URL('../../src/lib/survival/root.ts', import.meta.url), 'utf8');
		await writeNew(need('out'), bakedIn(source, first));
		console.log(`${need('out')} takes the place of src/lib/survival/root.ts`);
	},
	async draft() {
		const about = {
			name: need('name'),
			sequence: count('sequence'),
			days: count('days', values.days ?? String(DEFAULT_DAYS))
		};
		const payload = payloadOf(await readFolder(need('folder')));
		await writeNew(need('out'), await draftRelease(await read(need('keys')), payload, about, Date.now()));
		await tell(need('out'));
	},
	async list() {
		const about = { sequence: count('sequence'), days: count('days', values.days ?? String(LIST_DAYS)) };
		await writeNew(need('out'), await draftDirectory(await read(need('keys')), files, about, Date.now()));
		await tell(need('out'));
	},
	async 'hand-out'() {
		const paper = await read(one('the signed list'));
		const { text, signers, needed } = await handOut(await read(need('keys')), paper, Date.now());
		await writeNew(need('out'), text);
		console.log(
			`${need('out')}: signed by ${signers.join(', ')}; ${needed} had to. It lies beside the app as directory.json.`
		);
	},
	async sign() {
		const file = one('the paper to sign');
		const paper = await read(file);
		const about = readPaper(paper);
		if (about.kind === 'manifest' && !values.unseen) {
			const payload = payloadOf(await readFolder(need('folder')));
			if (!(await isOf(payload, about.document.body)))
				throw new KeyTrouble(
					'The folder you built is not the one this paper speaks of. Do not sign; compare sources and tools.'
				);
		}
		await writeFile(file, await sign(paper, openKey(await readFile(need('key'), 'utf8'), await passphrase())));
		await tell(file);
	},
	async show() {
		await tell(one('a paper, or keys.cbor'));
	}
};

/** Says in words what lies in a file. */
async function tell(file: string): Promise<void> {
	const bytes = await read(file);
	const date = (at: number) => new Date(at).toISOString().slice(0, 10);
	const chain = await newest(bytes).catch(() => undefined);
	if (chain) {
		const { line, version, release, directory } = chain;
		const names = (role: typeof release) => `${role.threshold} of ${role.keys.map(({ name }) => name).join(', ')}`;
		console.log(
			`${file}: keys of ${line}, version ${version}\n  releases: ${names(release)}\n  directories: ${names(directory)}`
		);
		return;
	}
	const { kind, document } = readPaper(bytes);
	const signers = document.signatures.map(({ key }) => Buffer.from(key).toString('hex').slice(0, 16));
	const signed = signers.length === 0 ? 'nobody has signed it' : `signed by keys ${signers.join(', ')}`;
	if (kind === 'keys') {
		const { line, version, release } = document.body;
		console.log(
			`${file}: keys of ${line}, version ${version}, ${release.threshold} of ${release.keys.map(({ name }) => name).join(', ')}; ${signed}`
		);
	} else if (kind === 'directory') {
		const { line, keys, sequence, relays, expiresAt } = document.body;
		console.log(
			`${file}: list of relays of ${line}, place ${keys}.${sequence}, good until ${date(expiresAt)}\n  ${relays.join('\n  ')}\n  ${signed}`
		);
	} else {
		const { line, keys, sequence, name, app, count: amount, bytes: size, expiresAt } = document.body;
		console.log(
			`${file}: ${line} ${name}, place ${keys}.${sequence}, ${amount} files, ${size} bytes, heard of again by ${date(expiresAt)}\n  ${app.toString()}\n  ${signed}`
		);
	}
}

try {
	const run = step === undefined || values.help ? undefined : steps[step];
	if (run) await run();
	else {
		console.log(HELP);
		process.exitCode = values.help ? 0 : 2;
	}
} catch (error) {
	const known =
		error instanceof KeyTrouble ||
		(error instanceof Error && 'code' in error && (isCode(error.code) || error.code === 'ENOENT'));
	if (!known) throw error;
	console.error(sentenceOf(error));
	process.exitCode = 1;
}

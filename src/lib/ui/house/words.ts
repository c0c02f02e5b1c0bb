/** What the backup and restore screens say: of a file, every refusal means something else than it does of a peer. */
import type { RestoreOffer } from '#lib/node/moving.ts';
import type { MergeReport } from '#lib/ports/store.ts';
import { counted, moment } from '../numbers.ts';
import { codeOfThrown, wordsFor, type Words } from '../words.ts';

const UNCHANGED = 'Nothing on this device changed.';

const OF_FILES: Readonly<Record<string, Words>> = {
	malformed: {
		happened: 'This is no Fireweed backup, or only a piece of one.',
		safe: UNCHANGED,
		todo: 'Choose the file that Fireweed saved, or another copy of it.'
	},
	oversized: {
		happened: 'This is too large for a Fireweed backup.',
		safe: UNCHANGED,
		todo: 'Choose the file that Fireweed saved, or delete long conversations before you make a backup.'
	},
	'unknown-version': {
		happened: 'A newer version of Fireweed made this backup.',
		safe: UNCHANGED,
		todo: 'Reload this page to get the newest version, then try again.'
	},
	'wrong-passphrase': {
		happened: 'The passphrase does not open this backup, or the file is damaged; nobody can tell which.',
		safe: UNCHANGED,
		todo: 'Type the passphrase again, or take another copy of the file.'
	},
	'storage-full': {
		happened: 'There is no room left for what the backup holds.',
		safe: `${UNCHANGED} What had come was taken out again.`,
		todo: 'Delete a model or conversations you no longer need, then restore again.'
	},
	'storage-unavailable': {
		happened: 'This browser keeps nothing for this site just now.',
		safe: UNCHANGED,
		todo: 'Leave private browsing, or allow this site to keep data, then try again.'
	},
	aborted: { happened: 'Stopped.', safe: UNCHANGED, todo: '' },
	'insecure-context': {
		happened: 'This address is not secure, so the browser withholds what encryption needs.',
		safe: UNCHANGED,
		todo: 'Open Fireweed at an address that begins with https.'
	}
};
const ALIASES: Readonly<Record<string, string>> = { 'not-canonical': 'malformed' };

/** One paragraph for whatever backup or restore threw. */
export function fileWords(error: unknown): string {
	const code = codeOfThrown(error);
	const { happened, safe, todo } = OF_FILES[ALIASES[code] ?? code] ?? wordsFor(code);
	return [happened, safe, todo].filter((sentence) => sentence !== '').join(' ');
}

/** What is wrong with a passphrase about to be used for a new file; undefined when nothing is. */
export function passphraseFault(passphrase: string, again: string): string | undefined {
	if ([...passphrase].length < 8) return 'The passphrase needs at least 8 characters. Four unrelated words are better.';
	if (passphrase !== again) return 'The two passphrases differ.';
	return undefined;
}

/** What restoring would bring, one sentence a line. */
export function offerLines({ accountIs, madeAt, report }: RestoreOffer): string[] {
	const account = {
		same: 'The account in it is the one in use here.',
		other:
			'The account in it takes the place of the one in use here. The present one stays in this browser, unused; make a backup of it first if you may want it again.',
		left: 'This address keeps no keys, so the account stays in the file; only conversations and receipts come.'
	};
	return [
		madeAt === undefined ? 'This file holds an account and nothing else.' : `Made on ${moment(madeAt)}.`,
		account[accountIs],
		...(madeAt === undefined ? [] : reportLines(report))
	];
}

function reportLines(report: MergeReport): string[] {
	const { conversations, messages, receipts, copied, same, unreadable } = report;
	const comes = [
		counted(conversations, 'conversation', 'conversations'),
		counted(messages, 'message', 'messages'),
		counted(receipts, 'receipt', 'receipts')
	];
	const nothing = conversations + messages + receipts === 0;
	return [
		nothing ? 'Everything in it is here already.' : `It brings ${comes.slice(0, -1).join(', ')} and ${comes.at(-1)}.`,
		'Conversations that are here stay as they are.',
		...(copied > 0
			? [
					`${counted(copied, 'conversation', 'conversations')} went on differently here; the other comes beside it, with “(from the backup)” behind its title.`
				]
			: []),
		...(same > 0 && !nothing ? [`${counted(same, 'thing is', 'things are')} here already, word for word.`] : []),
		...(unreadable > 0 ? [`${counted(unreadable, 'entry', 'entries')} in it cannot be read and will be left out.`] : [])
	];
}

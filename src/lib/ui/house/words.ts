/** What the backup and restore screens say: of a file, every refusal means something else than it does of a peer. */
import type { RestoreOffer } from '#lib/node/moving.ts';
import type { MergeReport } from '#lib/ports/store.ts';
import { listed, moment } from '../numbers.ts';
import { codeOfThrown, wordsFor, type Words } from '../words.ts';
import { t, type Key } from '../language/language.svelte.ts';

const OF_FILES: Readonly<Record<string, Words>> = {
	malformed: {
		get happened() {
			return t('house.this-is-no-fireweed-backup');
		},
		get safe() {
			return t('house.nothing-on-this-device-changed');
		},
		get todo() {
			return t('house.choose-the-file-that-fireweed');
		}
	},
	oversized: {
		get happened() {
			return t('house.this-is-too-large-for');
		},
		get safe() {
			return t('house.nothing-on-this-device-changed');
		},
		get todo() {
			return t('house.choose-the-file-that-fireweed-2');
		}
	},
	'unknown-version': {
		get happened() {
			return t('house.a-newer-version-of-fireweed');
		},
		get safe() {
			return t('house.nothing-on-this-device-changed');
		},
		get todo() {
			return t('house.reload-this-page-to-get');
		}
	},
	'wrong-passphrase': {
		get happened() {
			return t('house.the-passphrase-does-not-open');
		},
		get safe() {
			return t('house.nothing-on-this-device-changed');
		},
		get todo() {
			return t('house.type-the-passphrase-again-or');
		}
	},
	'storage-full': {
		get happened() {
			return t('house.there-is-no-room-left');
		},
		get safe() {
			return t('house.what-had-come-was-taken');
		},
		get todo() {
			return t('house.delete-a-model-or-conversations');
		}
	},
	'storage-unavailable': {
		get happened() {
			return t('house.this-browser-keeps-nothing-for');
		},
		get safe() {
			return t('house.nothing-on-this-device-changed');
		},
		get todo() {
			return t('house.leave-private-browsing-or-allow');
		}
	},
	aborted: {
		get happened() {
			return t('house.stopped');
		},
		get safe() {
			return t('house.nothing-on-this-device-changed');
		},
		todo: ''
	},
	'insecure-context': {
		get happened() {
			return t('house.this-address-is-not-secure');
		},
		get safe() {
			return t('house.nothing-on-this-device-changed');
		},
		get todo() {
			return t('house.open-fireweed-at-an-address');
		}
	}
};
const ALIASES: Readonly<Record<string, string>> = { 'not-canonical': 'malformed' };

/** One paragraph for whatever backup or restore threw. */
export function fileWords(error: unknown): string {
	const code = codeOfThrown(error);
	return paragraph(OF_FILES[ALIASES[code] ?? code] ?? wordsFor(code));
}

const OF_MOVES: Readonly<Record<string, Words>> = {
	'channel-closed': moved('move.the-other-side-closed'),
	'peer-lost': moved('move.the-other-side-closed'),
	stalled: moved('move.the-other-side-stopped'),
	'deadline-passed': moved('move.the-other-side-stopped'),
	'not-agreed': moved('move.the-two-sides-do-not'),
	expired: moved('move.nobody-came-with-the-code'),
	'unknown-version': OF_FILES['unknown-version'] ?? wordsFor('unknown-version'),
	declined: {
		get happened() {
			return t('move.one-of-the-two-said');
		},
		get safe() {
			return t('house.nothing-on-this-device-changed');
		},
		todo: ''
	},
	unreachable: moved('move.the-new-one-could-not', 'move.keep-its-code-in-sight'),
	'limited-connection': moved('move.the-new-one-could-not', 'move.keep-its-code-in-sight'),
	'relay-unavailable': moved('move.no-relay-could-be-reached', 'move.check-the-connection-or')
};
/** Of a place that cannot take an account in. */
const OF_ARRIVING: Readonly<Record<string, Words>> = {
	'storage-unavailable': moved('move.this-place-keeps-no-account', 'move.open-it-where-it-is-kept')
};
/** Of a code that was pasted here. */
const OF_CODES: Readonly<Record<string, Words>> = {
	malformed: moved('move.this-is-no-code', 'move.copy-the-whole-code'),
	oversized: moved('move.this-is-no-code', 'move.copy-the-whole-code')
};

function moved(happened: Key, todo: Key = 'error.make-a-new-code-there'): Words {
	return {
		get happened() {
			return t(happened);
		},
		get safe() {
			return t('house.nothing-on-this-device-changed');
		},
		get todo() {
			return t(todo);
		}
	};
}

/** What ended a move, said at the new place. */
export function moveInWords(error: unknown): string {
	const code = codeOfThrown(error);
	const words = OF_MOVES[code] ?? OF_ARRIVING[code];
	return words === undefined ? otherWords(error) : paragraph(words);
}

/** What is wrong with what came: there is no passphrase to type again. */
export function cameWords(error: unknown): string {
	const code = codeOfThrown(error);
	const broken = ['malformed', 'not-canonical', 'oversized', 'wrong-passphrase'].includes(code);
	return broken ? paragraph(moved('move.what-came-is-no-backup')) : fileWords(error);
}

/** What ended a move, said at the old place. */
export function moveOutWords(error: unknown): string {
	const code = codeOfThrown(error);
	const words = OF_MOVES[code] ?? OF_CODES[ALIASES[code] ?? code];
	return words === undefined ? otherWords(error) : paragraph(words);
}

/** Of a move, files' words fit only where they speak of this browser. */
function otherWords(error: unknown): string {
	const code = codeOfThrown(error);
	const here = ['storage-full', 'storage-unavailable', 'aborted', 'insecure-context'];
	return here.includes(code) ? fileWords(error) : paragraph(wordsFor(code));
}

function paragraph({ happened, safe, todo }: Words): string {
	return [happened, safe, todo].filter((sentence) => sentence !== '').join(' ');
}

/** What is wrong with a passphrase about to be used for a new file; undefined when nothing is. */
export function passphraseFault(passphrase: string, again: string): string | undefined {
	if ([...passphrase].length < 8) return t('house.the-passphrase-needs-at-least');
	if (passphrase !== again) return t('house.the-two-passphrases-differ');
	return undefined;
}

/** What restoring would bring, one sentence a line. */
export function offerLines({ accountIs, madeAt, report }: RestoreOffer): string[] {
	const account = {
		same: t('house.the-account-in-it-is'),
		other: t('house.the-account-in-it-takes'),
		left: t('house.this-address-keeps-no-keys')
	};
	return [
		madeAt === undefined ? t('house.this-file-holds-an-account') : t('house.made-on', { moment: moment(madeAt) }),
		account[accountIs],
		...(madeAt === undefined ? [] : reportLines(report))
	];
}

function reportLines(report: MergeReport): string[] {
	const { conversations, messages, receipts, copied, same, unreadable } = report;
	const comes = [
		t('number.conversations', { n: conversations }),
		t('number.messages', { n: messages }),
		t('number.receipts', { n: receipts })
	];
	const nothing = conversations + messages + receipts === 0;
	return [
		nothing ? t('house.everything-in-it-is-here') : t('house.it-brings', { list: listed(comes) }),
		t('house.conversations-that-are-here-stay'),
		...(copied > 0 ? [t('house.conversation-went-on-differently-here', { n: copied })] : []),
		...(same > 0 && !nothing ? [t('house.thing-is-here-already-word', { n: same })] : []),
		...(unreadable > 0 ? [t('house.entry-in-it-cannot-be', { n: unreadable })] : [])
	];
}

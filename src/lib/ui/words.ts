/**
 * What a person is told for every code of protocol/errors: what happened, what is safe, what to do.
 * tests/unit/ui-words.test.ts asserts that no code is missing.
 */
import type { Code } from '#lib/protocol/errors.ts';
import { t, type Key } from './language/language.svelte.ts';

/** Three short sentences in the reader's language; `todo` may be empty where nothing needs doing. */
export interface Words {
	readonly happened: string;
	readonly safe: string;
	readonly todo: string;
}

const KEPT: Key = 'error.every-word-that-came-is';
const NOTHING_SENT: Key = 'error.your-prompt-did-not-leave';
const REFUSED: Key = 'error.it-was-refused-and-nothing';
const AGAIN: Key = 'error.try-again-or-choose-this';
const KEEP_VERSION: Key = 'error.go-on-with-the-version';

/** Looked up when they are shown, so that they follow the language. */
const said = (happened: Key, safe: Key, todo?: Key): Words => ({
	get happened() {
		return t(happened);
	},
	get safe() {
		return t(safe);
	},
	get todo() {
		return todo === undefined ? '' : t(todo);
	}
});

/** Broken messages differ to developers; to a person they are one thing that happened. */
const broken = (happened: Key): Words => said(happened, REFUSED, AGAIN);

/** Whatever is wrong with a new version, the one that runs stays. */
const update = (happened: Key): Words => said(happened, REFUSED, KEEP_VERSION);

export const WORDS: Readonly<Record<Code, Words>> = {
	malformed: broken('error.the-other-computer-sent-something'),
	'not-canonical': broken('error.the-other-computer-sent-a'),
	oversized: broken('error.the-other-computer-sent-more'),
	'unknown-type': broken('error.the-other-computer-sent-a-2'),
	'unknown-version': said('error.the-other-computer-speaks-a', REFUSED, 'error.reload-this-page-to-get'),
	'bad-signature': broken('error.a-signature-of-the-other'),
	'bad-certificate': broken('error.the-other-computer-could-not'),
	'wrong-signer': broken('error.somebody-else-signed-than-the'),
	'clock-skew': said('error.the-clocks-of-the-two', REFUSED, 'error.check-this-devices-date-and'),
	expired: broken('error.a-message-came-after-its'),
	replayed: broken('error.a-message-came-a-second'),
	'out-of-order': broken('error.a-piece-of-the-answer'),
	'wrong-job': broken('error.the-other-computer-answered-something'),
	'old-epoch': broken('error.a-computer-that-was-already'),
	'terms-differ': broken('error.the-other-computer-changed-what'),
	'unknown-token': broken('error.the-other-computer-did-not'),

	'too-few-keys': update('error.too-few-of-the-people'),
	'wrong-role': update('error.a-new-version-was-signed'),
	'other-line': update('error.what-was-offered-as-a'),
	'broken-succession': update('error.a-new-version-is-signed'),
	'rolled-back': update('error.what-was-offered-as-a-2'),
	'fast-forward': update('error.a-new-version-skips-so'),
	'same-number': update('error.two-different-versions-carry-the'),
	'mixed-release': update('error.the-parts-of-a-new'),

	'no-bids': said('error.nobody-offered-to-answer', NOTHING_SENT, 'error.try-again-in-a-moment'),
	unreachable: said('error.the-computer-that-wanted-to', NOTHING_SENT, AGAIN),
	'limited-connection': said('error.only-a-connection-through-a', NOTHING_SENT, AGAIN),
	declined: said('error.the-chosen-computer-declined', 'error.nothing-was-answered-or-charged', AGAIN),
	busy: said('error.everyone-who-could-answer-is', 'error.nothing-was-answered-or-charged', AGAIN),
	stalled: said('error.the-computer-that-answered-stopped', KEPT, 'error.continue-where-it-stopped'),
	'peer-lost': said('error.the-computer-that-answered-went', KEPT, 'error.continue-where-it-stopped'),
	'channel-closed': said('error.the-connection-was-closed', KEPT, 'error.continue-where-it-stopped'),
	'no-acknowledgement': said('error.the-one-who-asked-went', 'error.what-was-confirmed-before-is'),
	aborted: said('error.it-was-stopped-before-it', KEPT, 'error.continue-where-it-stopped'),
	'deadline-passed': said('error.it-took-longer-than-allowed', KEPT, 'error.continue-where-it-stopped'),
	'rate-limited': said('error.there-were-too-many-requests', 'error.nothing-was-lost', 'error.wait-a-minute-then-try'),
	'relay-unavailable': said(
		'error.no-relay-could-be-reached',
		'error.chats-on-this-device-go',
		'error.check-the-connection-fireweed-goes'
	),

	'engine-not-ready': said(
		'error.the-model-is-not-loaded',
		'error.your-message-is-kept',
		'error.try-again-in-a-moment-2'
	),
	'engine-busy': said(
		'error.the-model-is-answering-something',
		'error.your-message-is-kept',
		'error.wait-until-it-is-done'
	),
	'engine-failed': said('error.the-model-stopped-with-an', KEPT, 'error.try-again-if-it-happens'),
	'engine-load-failed': said(
		'error.the-model-could-not-be',
		'error.your-conversations-are-kept',
		'error.check-the-connection-and-try'
	),
	'weights-corrupt': said('error.the-model-file-is-damaged', 'error.it-was-not-run', 'error.reload-this-page-to-fetch'),
	'prompt-too-long': said('error.the-message-is-too-long', 'error.your-message-is-kept', 'error.shorten-it-or-start-a'),
	'out-of-memory': said(
		'error.there-was-not-enough-memory',
		'error.your-conversations-are-kept',
		'error.close-other-tabs-then-try'
	),

	'device-lost': said('error.the-graphics-device-went-away', KEPT, 'error.try-again-the-model-is'),
	'no-graphics': said('error.no-graphics-device-in-this', 'error.nothing-was-fetched', 'error.choose-a-model-for-the'),
	'model-unsupported': said(
		'error.this-model-is-of-a',
		'error.your-other-models-are-kept',
		'error.choose-another-a-decoder-in'
	),
	'self-test-failed': said(
		'error.this-device-computed-the-model',
		'error.nobody-got-a-wrong-answer',
		'error.choose-another-model-or-update'
	),
	'not-verifiable': said(
		'error.answers-of-this-model-cannot',
		'error.it-goes-on-answering-on',
		'error.choose-another-model-to-contribute'
	),

	'storage-full': said(
		'error.the-browser-has-no-room',
		'error.what-was-saved-before-is',
		'error.delete-conversations-you-no-longer'
	),
	'storage-unavailable': said(
		'error.this-browser-keeps-nothing-for',
		'error.everything-works-but-it-ends',
		'error.leave-private-browsing-or-allow'
	),
	'wrong-passphrase': said(
		'error.the-passphrase-does-not-open',
		'error.your-present-account-stays-as',
		'error.type-the-passphrase-again-or'
	),
	'not-agreed': said('error.the-two-sides-did-not', REFUSED, 'error.make-a-new-code-there'),
	'insecure-context': said(
		'error.this-address-is-not-secure',
		'error.nothing-was-sent',
		'error.open-fireweed-at-an-address'
	),
	locked: said('error.the-keys-in-this-tab', NOTHING_SENT, 'error.choose-this-device-or-open'),
	internal: said(
		'error.something-went-wrong-inside-the',
		'error.what-was-saved-is-kept',
		'error.try-again-if-it-happens'
	)
};

/** The words for a code that may come from storage or from another version. */
export const wordsFor = (code: string | undefined): Words =>
	WORDS[code !== undefined && Object.hasOwn(WORDS, code) ? (code as Code) : 'internal'];

/**
 * The code of anything thrown. The interface may import types alone from protocol, so the closed list is this table's keys.
 */
export function codeOfThrown(error: unknown): Code {
	if (typeof error === 'object' && error !== null) {
		if ('code' in error && typeof error.code === 'string' && Object.hasOwn(WORDS, error.code))
			return error.code as Code;
		if ('name' in error && error.name === 'AbortError') return 'aborted';
	}
	return 'internal';
}

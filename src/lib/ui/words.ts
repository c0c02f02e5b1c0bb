/**
 * What a person is told for every code of protocol/errors: what happened, what is safe, what to do.
 * tests/unit/ui-words.test.ts asserts that no code is missing.
 */
import type { Code } from '#lib/protocol/errors.ts';

/** Three short sentences; `todo` may be empty where nothing needs doing. */
export interface Words {
	readonly happened: string;
	readonly safe: string;
	readonly todo: string;
}

const KEPT = 'Every word that came is kept.';
const NOTHING_SENT = 'Your prompt did not leave this device.';
const REFUSED = 'It was refused, and nothing on this device changed.';
const AGAIN = 'Try again, or choose This device.';
const KEEP_VERSION = 'Go on with the version you have; it works as before.';

/** Broken messages differ to developers; to a person they are one thing that happened. */
const broken = (happened: string): Words => ({ happened, safe: REFUSED, todo: AGAIN });

/** Whatever is wrong with a new version, the one that runs stays. */
const update = (happened: string): Words => ({ happened, safe: REFUSED, todo: KEEP_VERSION });

export const WORDS: Readonly<Record<Code, Words>> = {
	malformed: broken('The other computer sent something that is not a message.'),
	'not-canonical': broken('The other computer sent a message in a form that cannot be checked.'),
	oversized: broken('The other computer sent more than it may.'),
	'unknown-type': broken('The other computer sent a kind of message this version does not know.'),
	'unknown-version': {
		happened: 'The other computer speaks a newer version.',
		safe: REFUSED,
		todo: 'Reload this page to get the newest version, or choose This device.'
	},
	'bad-signature': broken('A signature of the other computer does not fit.'),
	'bad-certificate': broken('The other computer could not show whose it is.'),
	'wrong-signer': broken('Somebody else signed than the one who answers.'),
	'clock-skew': {
		happened: 'The clocks of the two computers differ too much.',
		safe: REFUSED,
		todo: "Check this device's date and time, then try again."
	},
	expired: broken('A message came after its time.'),
	replayed: broken('A message came a second time.'),
	'out-of-order': broken('A piece of the answer was missing or out of order.'),
	'wrong-job': broken('The other computer answered something else.'),
	'old-epoch': broken('A computer that was already replaced went on answering.'),
	'terms-differ': broken('The other computer changed what was agreed.'),
	'unknown-token': broken('The other computer did not keep to the length that was agreed.'),

	'too-few-keys': update('Too few of the people who must sign a new version have signed this one.'),
	'wrong-role': update('A new version was signed by someone who may not sign one.'),
	'other-line': update('What was offered as a new version belongs to another app.'),
	'broken-succession': update('A new version is signed by keys that the makers of this one did not pass on.'),
	'rolled-back': update('What was offered as a new version is older than the one you have.'),
	'fast-forward': update('A new version skips so many numbers that no later one could follow.'),
	'same-number': update('Two different versions carry the same number, so one of them is not honest.'),
	'mixed-release': update('The parts of a new version do not belong together.'),

	'no-bids': {
		happened: 'Nobody offered to answer.',
		safe: NOTHING_SENT,
		todo: 'Try again in a moment, or choose This device. You can also open Contribute in a second tab.'
	},
	unreachable: {
		happened: 'The computer that wanted to answer could not be reached directly.',
		safe: NOTHING_SENT,
		todo: AGAIN
	},
	'limited-connection': {
		happened: 'Only a connection through a relay came about, and prompts never travel that way.',
		safe: NOTHING_SENT,
		todo: AGAIN
	},
	declined: { happened: 'The chosen computer declined.', safe: 'Nothing was answered or charged.', todo: AGAIN },
	busy: { happened: 'The chosen computer is busy.', safe: 'Nothing was answered or charged.', todo: AGAIN },
	stalled: { happened: 'The computer that answered stopped sending.', safe: KEPT, todo: 'Continue where it stopped.' },
	'peer-lost': { happened: 'The computer that answered went away.', safe: KEPT, todo: 'Continue where it stopped.' },
	'channel-closed': { happened: 'The connection was closed.', safe: KEPT, todo: 'Continue where it stopped.' },
	'no-acknowledgement': {
		happened: 'The one who asked went away.',
		safe: 'What was confirmed before is kept in a receipt.',
		todo: ''
	},
	aborted: { happened: 'It was stopped before it was complete.', safe: KEPT, todo: 'Continue where it stopped.' },
	'deadline-passed': { happened: 'It took longer than allowed.', safe: KEPT, todo: 'Continue where it stopped.' },
	'rate-limited': {
		happened: 'There were too many requests in a short time.',
		safe: 'Nothing was lost.',
		todo: 'Wait a minute, then try again.'
	},
	'relay-unavailable': {
		happened: 'No relay could be reached, so other computers cannot be found.',
		safe: 'Chats on this device go on, and computers already connected stay connected.',
		todo: 'Check the connection; Fireweed goes on trying by itself.'
	},

	'engine-not-ready': {
		happened: 'The model is not loaded yet.',
		safe: 'Your message is kept.',
		todo: 'Try again in a moment.'
	},
	'engine-busy': {
		happened: 'The model is answering something else.',
		safe: 'Your message is kept.',
		todo: 'Wait until it is done, then try again.'
	},
	'engine-failed': {
		happened: 'The model stopped with an error.',
		safe: KEPT,
		todo: 'Try again. If it happens again, reload this page.'
	},
	'engine-load-failed': {
		happened: 'The model could not be loaded.',
		safe: 'Your conversations are kept.',
		todo: 'Check the connection and try again. What was loaded is not loaded twice.'
	},
	'weights-corrupt': {
		happened: 'The model file is damaged or was changed.',
		safe: 'It was not run.',
		todo: 'Reload this page to fetch it again.'
	},
	'prompt-too-long': {
		happened: 'The message is too long for this model.',
		safe: 'Your message is kept.',
		todo: 'Shorten it, or start a new chat.'
	},
	'out-of-memory': {
		happened: 'There was not enough memory.',
		safe: 'Your conversations are kept.',
		todo: 'Close other tabs, then try again.'
	},

	'device-lost': {
		happened: 'The graphics device went away.',
		safe: KEPT,
		todo: 'Try again: the model is loaded anew. If it happens again, choose a smaller model.'
	},
	'no-graphics': {
		happened: 'No graphics device in this browser can run this model.',
		safe: 'Nothing was fetched.',
		todo: 'Choose a model for the processor, or open Fireweed in a browser with WebGPU.'
	},
	'model-unsupported': {
		happened: 'This model is of a kind that cannot run here.',
		safe: 'Your other models are kept.',
		todo: 'Choose another: a decoder in ONNX with keys and values as inputs, with its tokenizer beside it.'
	},
	'self-test-failed': {
		happened: 'This device computed the model wrongly, so it must not answer with it.',
		safe: 'Nobody got a wrong answer.',
		todo: 'Choose another model, or update the browser and its graphics driver.'
	},
	'not-verifiable': {
		happened: 'Answers of this model cannot be checked, so it cannot be lent.',
		safe: 'It goes on answering on this device.',
		todo: 'Choose another model to contribute with.'
	},

	'storage-full': {
		happened: 'The browser has no room left for this site.',
		safe: 'What was saved before is kept; new messages end with this tab.',
		todo: 'Delete conversations you no longer need, or free space on this device.'
	},
	'storage-unavailable': {
		happened: 'This browser keeps nothing for this site.',
		safe: 'Everything works, but it ends with this tab.',
		todo: 'Leave private browsing, or allow this site to keep data.'
	},
	'wrong-passphrase': {
		happened: 'The passphrase does not open this file, or the file was changed.',
		safe: 'Your present account stays as it is.',
		todo: 'Type the passphrase again, or take another copy of the file.'
	},
	'insecure-context': {
		happened: 'This address is not secure, so the browser withholds what is needed.',
		safe: 'Nothing was sent.',
		todo: 'Open Fireweed at an address that begins with https.'
	},
	locked: {
		happened: 'The keys in this tab are locked, because this address changed what keeps Fireweed on this device.',
		safe: NOTHING_SENT,
		todo: 'Choose This device, or open Fireweed from a file or an address you trust.'
	},
	internal: {
		happened: 'Something went wrong inside the app.',
		safe: 'What was saved is kept.',
		todo: 'Try again. If it happens again, reload this page.'
	}
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

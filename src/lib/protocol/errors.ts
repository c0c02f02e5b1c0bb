/**
 * Errors as a closed list of codes that survive the wire, a worker and the bundler.
 * Match on `code`, never on `instanceof` across a boundary. docs/spec/errors.md holds the same table and is tested against it.
 */
export const CODES = {
	// Bytes and signatures
	malformed: 'The bytes are not a message of this kind.',
	'not-canonical': 'The bytes are not in canonical DAG-CBOR.',
	oversized: 'The message is larger than its limit.',
	'unknown-type': 'The message type is not known here.',
	'unknown-version': 'The message version is not known here.',
	'bad-signature': 'The signature does not fit the bytes.',
	'bad-certificate': 'The node key is not certified by an account, or no longer.',
	'wrong-signer': 'The message is signed by someone else than the one who may send it.',
	'clock-skew': 'The stamp lies outside the accepted window.',
	expired: 'The message came after its time.',
	replayed: 'The message was seen before.',
	'out-of-order': 'The message does not follow the one before it.',
	'wrong-job': 'The message belongs to another job.',
	'old-epoch': 'The message belongs to an earlier assignment of the job.',
	'terms-differ': 'The message disagrees with the terms of the job.',
	'unknown-token': 'The answer breaks the length the job allows.',
	// Releases
	'too-few-keys': 'Fewer keys have signed it than must.',
	'wrong-role': 'It carries the signature of a key that may not sign this.',
	'other-line': 'It belongs to another line of releases.',
	'broken-succession': 'Its keys do not follow from the keys known here.',
	'rolled-back': 'It is older than one that was accepted before.',
	'fast-forward': 'Its number lies further ahead than a release may jump.',
	'same-number': 'Another document has the same number.',
	'mixed-release': 'Its parts belong to different releases.',
	// Running a job
	'no-bids': 'Nobody offered to answer in time.',
	unreachable: 'The chosen peer could not be reached directly.',
	'limited-connection': 'A sealed message may not travel over a relayed connection.',
	declined: 'The chosen peer declined the job.',
	busy: 'No place is free just now.',
	stalled: 'The peer stopped sending.',
	'peer-lost': 'The peer went away.',
	'channel-closed': 'The connection was closed.',
	'no-acknowledgement': 'The asker stopped acknowledging.',
	aborted: 'It was stopped.',
	'deadline-passed': 'The time allowed for it ran out.',
	'rate-limited': 'Too many requests from this peer.',
	'relay-unavailable': 'No relay could be reached.',
	// Engines
	'engine-not-ready': 'No model is loaded.',
	'engine-busy': 'The model is answering something else.',
	'engine-failed': 'The model stopped with an error.',
	'engine-load-failed': 'The model could not be loaded.',
	'weights-corrupt': 'The model file does not match its hash.',
	'prompt-too-long': 'The prompt does not fit the model.',
	'out-of-memory': 'There was not enough memory.',
	'device-lost': 'The graphics device was lost.',
	'no-graphics': 'No graphics device here can run this model.',
	'model-unsupported': 'The model is of a kind that cannot run here.',
	'self-test-failed': 'The engine computed something else than the model.',
	'not-verifiable': 'Answers of this model cannot be checked.',
	// Keeping things
	'storage-full': 'The browser has no room left for this site.',
	'storage-unavailable': 'The browser keeps nothing for this site.',
	'wrong-passphrase': 'The passphrase does not open this file, or the file was changed.',
	'not-agreed': 'The two sides did not come to the same secret.',
	'insecure-context': 'This address is not secure, so the browser withholds what is needed.',
	locked: 'The keys of this device are locked.',
	internal: 'Something went wrong inside the app.'
} as const;

export type Code = keyof typeof CODES;

export function isCode(value: unknown): value is Code {
	return typeof value === 'string' && Object.hasOwn(CODES, value);
}

export { Refusal } from './refusal.ts';

/** After how many ms asking again makes sense, when what was thrown says so. */
export function retryMsOf(error: unknown): number | undefined {
	const said = typeof error === 'object' && error !== null && 'retryMs' in error ? error.retryMs : undefined;
	return typeof said === 'number' && Number.isFinite(said) && said >= 0 ? said : undefined;
}

/** The code of anything thrown: its own when it has one, `aborted` for an AbortError, else `internal`. */
export function codeOf(error: unknown): Code {
	if (typeof error === 'object' && error !== null) {
		if ('code' in error && isCode(error.code)) return error.code;
		if ('name' in error && error.name === 'AbortError') return 'aborted';
	}
	return 'internal';
}

/** What a person at a command line reads of anything thrown: the sentence of its code, with the detail, or its own words. */
export function sentenceOf(error: unknown): string {
	if (!(error instanceof Error)) return String(error);
	if (!('code' in error) || !isCode(error.code)) return error.message;
	const sentence = CODES[error.code];
	return 'detail' in error && typeof error.detail === 'string' ? `${sentence} (${error.detail})` : sentence;
}

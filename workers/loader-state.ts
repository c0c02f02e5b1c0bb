/**
 * Which release a page gets, as pure steps from one state to the next: what runs, what ran well before, what waits for the person's word.
 *
 * The state lies in a cache, where others may write on a shared origin. It is read like a stranger's message, and the releases in it are
 * verified again whenever the worker starts; spoiling it costs an attacker nothing but wins him only a release that was signed.
 */
import { decodeCanonical, encodeCanonical } from '#lib/protocol/encode.ts';
import { comparePlaces, type Place } from '#lib/protocol/release.ts';
import { blob, fields, flag, integer, list, optional, text, type Infer } from '#lib/protocol/shape.ts';
import { PARTS, type SignedParts } from '#lib/survival/release.ts';

/** Opened so often without a word from the page that it started, a release is taken for broken. A reload or two in impatience is not that. */
export const MAX_TRIES = 3;
/** Releases remembered as broken, newest last. */
const MAX_FAILED = 8;

const place = fields({ keys: integer(0, 1_000), sequence: integer(0, 1_000_000_000_000) });
const kept = fields({
	cid: text(100, 1),
	name: text(100),
	place,
	keys: blob(PARTS.keys.max),
	manifest: blob(PARTS.manifest.max),
	files: blob(PARTS.files.max)
});

/** A release that was verified here. */
export type Kept = Infer<typeof kept>;

const shape = fields({
	/** What pages get. */
	running: optional(kept),
	/** Whether a page of it ever said that it started. */
	started: flag,
	/** How often it was opened since, without such a word. */
	tries: integer(0, 1_000_000),
	/** The last one that did start: what is gone back to. */
	good: optional(kept),
	/** Verified and here, waiting for the person's word. */
	offered: optional(kept),
	/** Names of releases that did not start here. */
	failed: list(text(100, 1), MAX_FAILED),
	/** The furthest release ever verified here, so that nothing older is taken for news. */
	furthest: optional(fields({ cid: text(100, 1), place })),
	/** The newest keys ever followed here. */
	keysSeen: integer(0, 1_000)
});
export type LoaderState = Infer<typeof shape>;

export const EMPTY: LoaderState = {
	started: false,
	tries: 0,
	failed: [],
	keysSeen: 0
};

const MAX_STATE = 4 * 1024 * 1024;

export function encodeState(state: LoaderState): Uint8Array {
	return encodeCanonical(state);
}

/** The state, or an empty one when the bytes are none: a loader that knows nothing begins anew. */
export function decodeState(bytes: Uint8Array): LoaderState {
	try {
		return shape.check(decodeCanonical(bytes, MAX_STATE), 'state');
	} catch {
		return EMPTY;
	}
}

/** A release in the form it is remembered in. */
export function keptOf(release: {
	readonly cid: string;
	readonly manifest: Place & { readonly name: string };
	readonly parts: SignedParts;
}): Kept {
	const { keys, sequence, name } = release.manifest;
	return { cid: release.cid, name, place: { keys, sequence }, ...release.parts };
}

/** The first release of this scope, or the one to begin anew with. */
export function withFirst(state: LoaderState, first: Kept): LoaderState {
	const { running: _running, good: _good, offered: _offered, ...rest } = state;
	return furthest({ ...rest, running: first, started: false, tries: 0 }, first);
}

/** A newer release is here, whole and verified. */
export function withOffer(state: LoaderState, offered: Kept): LoaderState {
	return furthest({ ...state, offered }, offered);
}

/** The person said yes. What ran stays beside it, when it ever started. */
export function withSwitch(state: LoaderState): LoaderState {
	const { running, offered, good, ...rest } = state;
	if (offered === undefined) return state;
	const beside = state.started ? running : good;
	return { ...rest, running: offered, started: false, tries: 0, ...(beside === undefined ? {} : { good: beside }) };
}

/** A page of what runs said that it started. */
export function withStart(state: LoaderState, cid: string): LoaderState {
	if (state.running?.cid !== cid || (state.started && state.tries === 0)) return state;
	return { ...state, started: true, tries: 0 };
}

/** A page is opened. When this release was tried often enough it goes, and the last good one comes back. */
export function withOpening(state: LoaderState): LoaderState {
	if (state.started || state.running === undefined) return state;
	if (state.tries < MAX_TRIES || state.good === undefined) return { ...state, tries: state.tries + 1 };
	return withFailure(state);
}

/** What runs cannot start any more: a file of it is gone, here and at the server. The next opening goes back, or asks. */
export function withLoss(state: LoaderState): LoaderState {
	return state.running === undefined ? state : { ...state, started: false, tries: MAX_TRIES };
}

function withFailure(state: LoaderState): LoaderState {
	const { running, good, ...rest } = state;
	if (running === undefined || good === undefined) return state;
	const failed = [...state.failed.filter((cid) => cid !== running.cid), running.cid].slice(-MAX_FAILED);
	return { ...rest, running: good, started: true, tries: 0, failed };
}

/** Keys this new were followed to. */
export function withKeys(state: LoaderState, version: number): LoaderState {
	return version > state.keysSeen ? { ...state, keysSeen: version } : state;
}

function furthest(state: LoaderState, release: Kept): LoaderState {
	if (state.furthest !== undefined && comparePlaces(release.place, state.furthest.place) < 0) return state;
	return { ...state, furthest: { cid: release.cid, place: release.place } };
}

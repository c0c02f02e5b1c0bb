/** What is said about ways to find others. Pure. */
import type { DoorsState, Found, SignedList } from '#lib/ports/doors.ts';
import type { Code } from '#lib/protocol/errors.ts';
import { t, type Key } from '../language/language.svelte.ts';
import { count } from '../numbers.ts';
import { wordsFor } from '../words.ts';

/** An account or a node in short: enough to compare aloud, the whole is one click away. */
export function short(id: string): string {
	const bare = id.replace(/^did:key:/, '');
	return bare.length <= 16 ? bare : `${bare.slice(0, 8)}…${bare.slice(-6)}`;
}

/** Where the search stands, in one sentence. */
export function stageWords({ stage, caution }: DoorsState): string {
	switch (stage) {
		case 'off':
			return t('doors.off');
		case 'met-relays':
		case 'met-tabs':
			return t('doors.met');
		case 'directory':
			return t('doors.directory');
		case 'named':
			return t('doors.named');
		case 'found':
			return t('doors.found');
		case 'nobody':
			return caution === 'known' ? t('doors.nobody-known') : t('doors.nobody');
	}
}

function signedKey(relay: boolean, met: boolean): Key {
	if (relay) return met ? 'doors.signed-by-relay-met' : 'doors.signed-by-relay-stranger';
	return met ? 'doors.signed-by-account-met' : 'doors.signed-by-account-stranger';
}

/** Who vouches for a list of relays, and whether it is of today. */
export function listSigners(list: Pick<SignedList, 'signers' | 'needed' | 'stale' | 'development'>): string {
	if (list.development) return t('doors.list-development');
	const signed = t('doors.list-signed', { signers: list.signers.join(', '), needed: count(list.needed) });
	return list.stale ? `${signed} ${t('doors.list-is-old')}` : signed;
}

/** The list that came with the app, or from others, in one sentence. */
export function listWords(list: DoorsState['list']): string {
	if (list === undefined) return t('doors.no-list');
	if ('refused' in list) return t('doors.list-not-used', { happened: wordsFor(list.refused).happened });
	return t('doors.list-names', { n: list.relays.length, signers: listSigners(list) });
}

/** What was found, who signed it, and what using it does. */
export function foundWords(found: Found): { readonly what: string; readonly who: string; readonly does: string } {
	const sees = t('doors.sees');
	switch (found.kind) {
		case 'invitation':
			return {
				what: found.name === undefined ? t('doors.invitation') : t('doors.invitation-from', { name: found.name }),
				who: t(found.metBefore ? 'doors.signed-by-met' : 'doors.signed-by-stranger', { account: short(found.signer) }),
				does: t('doors.connects-of-their-choice', { n: found.relays.length, sees })
			};
		case 'node':
			return {
				what: found.role === 'relay' ? t('doors.relay-statement') : t('doors.computer-address'),
				who: t(signedKey(found.role === 'relay', found.metBefore), { signer: short(found.signer) }),
				does: t('doors.connects-and-remembers', { sees })
			};
		case 'relay':
			return {
				what: t('doors.relay-address'),
				who: t('doors.unsigned'),
				does: t('doors.connects-there', { sees })
			};
		case 'directory':
			return {
				what: t('doors.list-of-relays', { n: found.relays.length }),
				who: listSigners(found),
				does: t('doors.connects-to-all', { sees })
			};
	}
}

/** Why a pasted text was not taken. */
export function refusedWords(code: Code): string {
	switch (code) {
		case 'expired':
			return t('doors.invitation-over');
		case 'malformed':
		case 'oversized':
		case 'not-canonical':
		case 'unknown-type':
			return t('doors.no-invitation');
		case 'unknown-version':
			return t('doors.invitation-newer');
		case 'bad-signature':
		case 'bad-certificate':
		case 'wrong-signer':
			return t('doors.invitation-changed');
		case 'relay-unavailable':
			return t('doors.invitation-no-relay');
		default: {
			const { happened, todo } = wordsFor(code);
			return `${happened} ${todo}`.trim();
		}
	}
}

/** What is said about ways to find others: who signed it always stands there, and nothing promises more than is so. */
import { describe, expect, test } from 'vitest';
import type { DoorsState, DoorStage, Found } from '#lib/ports/doors.ts';
import { CODES, type Code } from '#lib/protocol/errors.ts';
import { foundWords, refusedWords, short, stageWords } from '#lib/ui/doors/words.ts';

const ACCOUNT = 'did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK';
const invitation: Found = {
	kind: 'invitation',
	signer: ACCOUNT,
	name: 'Ada',
	metBefore: false,
	peer: '12D3',
	relays: ['/dns4/a/tcp/443/wss/p2p/x'],
	addresses: [],
	expiresAt: 1
};

describe('what was found', () => {
	test('an invitation says who signed it and whether they were met', () => {
		expect(foundWords(invitation).who).toContain(`${short(ACCOUNT)}, which you have not met before`);
		expect(foundWords({ ...invitation, metBefore: true }).who).toContain('which you have met before');
		// A name is the inviter's own word and never stands where the signature is told.
		expect(foundWords(invitation).who).not.toContain('Ada');
		expect(foundWords(invitation).what).toContain('calls themselves “Ada”');
		expect(foundWords({ ...invitation, name: undefined }).what).toBe('An invitation.');
	});
	test('what nobody signed says so, and every kind says what is seen', () => {
		const all: Found[] = [
			invitation,
			{ kind: 'relay', address: '/x' },
			{
				kind: 'directory',
				relays: ['/x', '/y'],
				...{ signers: ['Dora'], needed: 1, stale: false, development: false, expiresAt: 1 },
				place: { keys: 1, sequence: 1, cid: 'c' },
				document: new Uint8Array()
			},
			{
				kind: 'node',
				role: 'relay',
				signer: '12D3',
				metBefore: true,
				peer: '12D3',
				addresses: [],
				document: new Uint8Array(),
				expiresAt: 1
			}
		];
		for (const found of all) {
			const { who, does } = foundWords(found);
			expect(who).toMatch(found.kind === 'relay' ? /^Nobody signed it/ : /^Signed by/);
			expect(does).toContain('sees your network address');
		}
		expect(foundWords(all[2] as Found).what).toBe('A list of 2 relays.');
	});
	test('every code has words for a person', () => {
		for (const code of Object.keys(CODES) as Code[]) expect(refusedWords(code)).toMatch(/^[A-Z].*\.$/);
	});
	test('every stage has one sentence; nobody found differs by how far it may look', () => {
		const state = (stage: DoorStage): DoorsState => ({ stage, caution: 'ordinary', tabs: 0, relays: 0 });
		const stages: DoorStage[] = ['off', 'met-relays', 'met-tabs', 'directory', 'named', 'found', 'nobody'];
		for (const stage of stages) expect(stageWords(state(stage))).toMatch(/\.$/);
		expect(stageWords({ ...state('nobody'), caution: 'known' })).not.toBe(stageWords(state('nobody')));
	});
});

/** What people are told: every code has words, and the words keep the house's rules. */
import { describe, expect, test } from 'vitest';
import { chosen, continued, trouble, waiting, who } from '#lib/ui/chat/foot.ts';
import { emptyAnswer } from '#lib/ui/chat/answering.ts';
import { byDay } from '#lib/ui/chat/days.ts';
import { sentencesFrom, spokenForm } from '#lib/ui/chat/sentences.ts';
import { ago, bytes, credits, perThousand, short, speed } from '#lib/ui/numbers.ts';
import { exported, fieldsOf, meaning, signatureWords } from '#lib/ui/receipts/receipt-words.ts';
import { notices, type Facts } from '#lib/ui/shell/notices.ts';
import { codeOfThrown, WORDS, wordsFor } from '#lib/ui/words.ts';
import type { ReleaseFacts } from '#lib/ports/shell.ts';
import { cameWords, fileWords, moveInWords, moveOutWords } from '#lib/ui/house/words.ts';
import { CODES, Refusal, type Code } from '#lib/protocol/errors.ts';
import type { OpenedReceipt } from '#lib/node/app.ts';

describe('why somebody was chosen', () => {
	test('is said of the mesh, and not of one’s own device', () => {
		const answer = { by: 'mesh', chosen: 'measured 31 tokens a second here, answered 4 times, free now' } as const;
		expect(chosen(answer)).toBe('Chosen: measured 31 tokens a second here, answered 4 times, free now');
		expect(chosen({ ...answer, sameAccount: true })).toBeUndefined();
		expect(chosen({ ...answer, by: 'device' })).toBeUndefined();
		expect(chosen({ by: 'mesh' })).toBeUndefined();
	});
});

describe('words', () => {
	test('every code of protocol/errors has words, and no other', () => {
		expect(Object.keys(WORDS).sort()).toEqual(Object.keys(CODES).sort());
	});

	test.each(Object.entries(WORDS))(
		'%s: says what happened, what is safe and what to do, in plain words',
		(_, words) => {
			expect(words.happened).toMatch(/^[A-Z].*\.$/);
			expect(words.safe).toMatch(/^[A-Z].*\.$/);
			expect(words.todo).toMatch(/^$|^[A-Z].*\.$/);
			for (const text of Object.values(words) as string[])
				expect(text).not.toMatch(
					/\b(executor|originator|epoch|libp2p|CID|canonical|decentrali|error code|peer-|Oops|sorry)\b/i
				);
		}
	);

	test('what ends a move is said for each side, and never in words of prompts, answers and passphrases', () => {
		// Codes that a move can end with, by the docstrings of moveIn and moveOut; others would be faults of this app.
		const codes: readonly Code[] = [
			...(['malformed', 'oversized', 'unknown-version', 'unreachable', 'limited-connection', 'declined'] as const),
			...(['not-agreed', 'stalled', 'channel-closed', 'peer-lost', 'aborted', 'expired'] as const),
			...(['relay-unavailable', 'insecure-context', 'storage-full', 'storage-unavailable'] as const)
		];
		const here: readonly Code[] = [
			'malformed',
			'not-canonical',
			'oversized',
			'unknown-version',
			'wrong-passphrase',
			'storage-full'
		];
		const said = [
			...codes.flatMap((code) => [moveInWords(new Refusal(code)), moveOutWords(new Refusal(code))]),
			...here.map((code) => cameWords(new Refusal(code)))
		];
		for (const text of said) {
			expect(text).toMatch(/^[A-Z].*\.$/);
			expect(text).not.toMatch(/prompt|passphrase|\banswered\b|charged/);
		}
		expect(fileWords(new Refusal('wrong-passphrase'))).toContain('passphrase');
		expect(moveOutWords(new Refusal('malformed'))).not.toBe(moveInWords(new Refusal('malformed')));
	});

	test('anything thrown has a code', () => {
		expect(codeOfThrown(new Refusal('storage-full'))).toBe('storage-full');
		expect(codeOfThrown({ code: 'ENOENT' })).toBe('internal');
		expect(codeOfThrown(new DOMException('no', 'AbortError'))).toBe('aborted');
		expect(codeOfThrown(undefined)).toBe('internal');
		expect(wordsFor('toString')).toBe(WORDS.internal);
	});
});

describe('the foot of an answer', () => {
	test('says who answered, and what the other side only says of itself', () => {
		expect(who(emptyAnswer('device'))).toBe('This device');
		const mesh = { ...emptyAnswer('mesh'), executor: '12D3KooW' };
		expect(who(mesh)).toBe("Someone's computer");
		expect(who({ ...mesh, region: 'Lisbon' })).toBe("Someone's computer (says it is in Lisbon)");
		expect(who({ ...mesh, sameAccount: true })).toBe('Another tab of yours');
	});

	test('a lost answer says that its words are kept', () => {
		const lost = { ...emptyAnswer('mesh'), status: 'lost', code: 'peer-lost' } as const;
		expect(trouble(lost, true)).toBe('The computer that answered went away. Every word that came is kept.');
		expect(trouble({ ...lost, status: 'stopped' }, true)).toBe('Stopped');
		expect(trouble({ ...lost, status: 'done' }, true)).toBeUndefined();
	});
	test('where another computer went on, in one quiet line', () => {
		const answer = { ...emptyAnswer('mesh'), seams: [10] };
		expect(continued(emptyAnswer('mesh'), 'one two')).toBeUndefined();
		expect(continued(answer, 'Rivers run slowly.')).toBe('Continued on another computer after 2 words');
		expect(continued({ ...answer, seams: [6, 17], roughSeams: [17] }, 'Rivers run slowly.')).toBe(
			'Continued on another computer after 1 and 3 words, by another engine'
		);
		expect(continued({ ...answer, by: 'device' }, 'Rivers run slowly.')).toContain('on this device');
	});

	test('who waits for others is told how long, and what to do when that was not enough', () => {
		expect(waiting({ kind: 'queued', waitMs: 4_200 })).toBe('Others come first. Your turn in about 5 seconds…');
		expect(waiting({ kind: 'queued', waitMs: 0 })).toBe('Your turn comes next…');
		expect(waiting({ kind: 'full', retryMs: 1_000, tries: 2, most: 6 })).toBe(
			'Everyone is busy. Asking again in 1 second (2 of 6)…'
		);
		const full = { ...emptyAnswer('mesh'), status: 'failed', code: 'busy', retryMs: 12_000 } as const;
		expect(trouble(full, false)).toBe(
			'Everyone who could answer is busy. Nothing was answered or charged. Try again in about 12 seconds, or choose This device.'
		);
	});

	test('a load says its bytes', () => {
		const progress = {
			stage: 'fetching',
			loadedBytes: 900_000,
			totalBytes: 5_400_000,
			bytesPerSecond: undefined,
			secondsLeft: undefined
		} as const;
		expect(waiting({ kind: 'loading', progress })).toBe('Loading the model: 0.9 MB of 5.4 MB');
	});
});

describe('numbers', () => {
	test('carry units', () => {
		expect([speed(41.23), speed(3.14159), bytes(5_366_421)]).toEqual(['41 tok/s', '3.1 tok/s', '5.4 MB']);
		expect([credits(0), credits(400_000), credits(1_000_000), perThousand(400_000)]).toEqual([
			'free',
			'0.4 credits',
			'1 credit',
			'0.4 credits per 1,000 tokens'
		]);
		expect([ago(0, 30_000), ago(0, 180_000), ago(0, 86_400_000)]).toEqual(['now', '3 minutes ago', 'yesterday']);
		expect(short('12D3KooWJ8kqX5SNGbYw4dUqVvqkBEJ3bQ1v')).toBe('12D3KooW…J3bQ1v');
	});

	test('conversations stand under their day', () => {
		const noon = new Date(2026, 10, 21, 12).getTime();
		const at = (id: string, updatedAt: number) => ({ id, title: id, createdAt: 0, updatedAt });
		const days = byDay(
			[at('old', new Date(2026, 8, 2).getTime()), at('now', noon), at('late', noon - 13 * 3_600_000)],
			noon
		);
		expect(days.map(({ day, conversations }) => [day, ...conversations.map(({ id }) => id)])).toEqual([
			['Today', 'now'],
			['Yesterday', 'late'],
			['September 2026', 'old']
		]);
	});
});

describe('reading aloud', () => {
	test('tells each sentence once and keeps what is not complete', () => {
		const whole = 'Fireweed grows back. It is pink! Is it';
		const first = sentencesFrom(whole, 0, false);
		expect(first.sentences).toEqual(['Fireweed grows back.', 'It is pink!']);
		expect(sentencesFrom(`${whole} tall?`, first.upTo, true).sentences).toEqual(['Is it tall?']);
	});

	test('does not spell out markdown', () => {
		expect(spokenForm('## **Bold** and `code`, [a link](https://example.org)')).toBe('Bold and code , a link');
	});
});

describe('the strip', () => {
	const RELEASE: ReleaseFacts = { name: '2.0', signers: ['Ada', 'Bo', 'Cy'], stale: false, development: false };
	const NONE = new Uint8Array();
	const calm: Facts = {
		broken: undefined,
		notKept: undefined,
		insecure: false,
		shell: { kind: 'ready', release: undefined },
		news: undefined,
		relaysToConfirm: [],
		online: true,
		relaysDown: false,
		forgetful: false,
		sharedOrigin: false,
		carried: false,
		clockAhead: undefined,
		graphicsLost: false,
		nearlyFull: false,
		storage: 'fine' as const,
		second: false
	};
	const ids = (facts: Partial<Facts>) => notices({ ...calm, ...facts }).map(({ id }) => id);

	test('is empty when nothing is wrong', () => expect(ids({})).toEqual([]));

	test.each([
		[{ online: false, relaysDown: true }, 'offline'],
		[{ relaysDown: true }, 'relay-lost'],
		[{ shell: { kind: 'blocked', why: 'x' } }, 'no-worker'],
		[{ shell: { kind: 'blocked', why: 'x', code: 'too-few-keys' } }, 'unsigned:too-few-keys'],
		[{ insecure: true, shell: { kind: 'insecure-context' } }, 'insecure'],
		[{ forgetful: true }, 'forgetful'],
		[{ sharedOrigin: true, forgetful: true }, 'shared-origin'],
		[{ sharedOrigin: true, forgetful: true, carried: true, shell: { kind: 'blocked', why: 'no' } }, 'carried'],
		[{ clockAhead: 86_400_000 }, 'clock'],
		[{ graphicsLost: true }, 'graphics-lost'],
		[{ nearlyFull: true }, 'nearly-full'],
		[{ storage: 'superseded' }, 'storage:superseded'],
		[{ storage: 'blocked' }, 'storage:blocked'],
		[{ notKept: 'storage-full' }, 'keep:storage-full'],
		[{ second: true }, 'second'],
		[{ shell: { kind: 'update-ready', release: RELEASE, apply: () => undefined } }, 'update:2.0'],
		[{ shell: { kind: 'update-refused', code: 'rolled-back' } }, 'update-refused:rolled-back'],
		[{ shell: { kind: 'fell-back', name: '1.0' } }, 'fell-back'],
		[{ shell: { kind: 'worker-changed', why: 'other-loader' }, insecure: true, broken: 'internal' }, 'worker-changed'],
		[{ shell: { kind: 'ready', release: { ...RELEASE, stale: true, keys: NONE, manifest: NONE } } }, 'stale'],
		[{ news: RELEASE }, 'news:2.0'],
		[{ relaysToConfirm: ['/dns4/a/tcp/1/ws'] }, 'relay:/dns4/a/tcp/1/ws'],
		[{ broken: 'internal' }, 'broken:internal']
	] satisfies [Partial<Facts>, string][])('%j', (facts, id) => expect(ids(facts)[0]).toBe(id));

	test('names who signed a new version, and says of a development build that anyone can', () => {
		const text = (release: ReleaseFacts) =>
			notices({ ...calm, shell: { kind: 'update-ready', release, apply: () => undefined } })[0]?.text;
		expect(text(RELEASE)).toContain('Version 2.0 is ready on this device, signed by Ada, Bo and Cy.');
		expect(text({ ...RELEASE, development: true })).toContain('Anyone can sign one');
	});

	test('says by how much the clock is off, and which way', () => {
		const text = (clockAhead: number) => notices({ ...calm, clockAhead })[0]?.text;
		expect(text(25 * 3_600_000)).toMatch(/about 25 hours ahead of/);
		expect(text(-3 * 86_400_000 - 9_000)).toMatch(/about 3 days behind/);
		expect(text(-130_000)).toMatch(/about 2 minutes behind/);
	});

	test('news of a version that is ready here already is none', () =>
		expect(ids({ news: RELEASE, shell: { kind: 'update-ready', release: RELEASE, apply: () => undefined } })).toEqual([
			'update:2.0'
		]));
});

describe('a receipt', () => {
	const receipt: OpenedReceipt = {
		cid: 'bafy',
		kind: 'checkpoint',
		role: 'originator',
		job: '00',
		epoch: 1,
		status: 'partial',
		executor: '12D3KooW',
		executorAccount: undefined,
		model: undefined,
		modelName: undefined,
		engineClass: undefined,
		weightsHash: undefined,
		promptTokens: undefined,
		answerTokens: 96,
		startPosition: 0,
		startedAt: undefined,
		endedAt: undefined,
		price: 38_400,
		pricePer1k: 400_000,
		signatures: [],
		predecessors: [],
		cidMatches: true,
		fields: { tokens: 96 },
		document: Uint8Array.of(1, 2, 3)
	};

	test('explains itself in words', () => {
		expect(meaning(receipt)).toContain('it proves 96 tokens and no more');
		expect(fieldsOf(receipt).map(({ name }) => name)).toEqual([
			'Your part',
			'Answer',
			'Price',
			'Agreed rate',
			'Assignment'
		]);
		expect(signatureWords({ who: 'originator', key: '', valid: false, present: false })).toBe(
			'The one who asked did not sign.'
		);
		expect(signatureWords({ who: 'executor', key: '', valid: false, present: true })).toContain('does not fit');
	});

	test('is exported with its bytes', () => {
		expect(JSON.parse(exported(receipt))).toMatchObject({
			cid: 'bafy',
			document: { encoding: 'base64', bytes: 'AQID' }
		});
	});
});

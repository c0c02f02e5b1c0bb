/** What planted.e2e.ts plants in the sources. tests/unit/faults.test.ts holds that each can still be planted. */

/** A mistake that somebody could make. */
export interface Fault {
	readonly name: string;
	/** Within the repository. */
	readonly file: string;
	/** Stands once in the file. */
	readonly find: string;
	readonly replace: string;
	/** What the failing test must complain of, so that it fails for this reason and no other. */
	readonly complaint: RegExp;
}

/** Each stands for a promise of the walk. */
export const FAULTS: readonly Fault[] = [
	{
		name: 'the prompt in the announcement',
		file: 'src/lib/node/announce.ts',
		find: 'extensions: {}',
		replace: "extensions: { leak: utf8((wish.turns.at(-1)?.content ?? '').slice(0, 200)) }",
		complaint: /> +\d+ \|\s+expect\(payload\.includes\(secret\)\)\.toBe\(false\)/
	},
	{
		name: 'draws from another seed than agreed',
		file: 'src/lib/node/deliver.ts',
		find: 'seed: terms.seed',
		replace: 'seed: new Uint8Array(32)',
		complaint: /> +\d+ \|\s+expect\(answer\.answer\.tokens\)\.toEqual/
	},
	{
		name: 'a cursor that is off by one',
		file: 'src/lib/node/deliver.ts',
		find: 'position: step.position',
		replace: 'position: step.position + (this.count > 40 ? 1 : 0)',
		complaint: /A piece of the answer was missing or out of order/
	},
	{
		name: 'a frame sent twice',
		file: 'src/lib/node/deliver.ts',
		find: "await this.say('word', encodeFrame(frame));",
		replace:
			"await this.say('word', encodeFrame(frame)); if (this.count === 40) await this.say('word', encodeFrame(frame));",
		complaint: /A piece of the answer was missing or out of order/
	},
	{
		name: 'an acknowledgement of something else',
		file: 'src/lib/node/hearing.ts',
		find: 'tokens: position, chain, issuedAt',
		replace: 'tokens: position, chain: new Uint8Array(32), issuedAt',
		complaint: /The connection was closed/
	}
];

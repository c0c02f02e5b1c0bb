/**
 * Which engine runs which case of the acceptance suite, and why it does not run the others. docs/engines.md is this table in words, and a
 * test compares the two.
 */
import { ENGINE_CASES } from './engine.ts';
import { FAULT_CASES, type FaultyPlace } from './engine-faults.ts';

/** `webllm` is the real package in its real worker over a stand-in model library (docs/spec/webllm.md). */
export type EngineName = 'scripted' | 'ort-node' | 'ort-chromium' | 'webllm';

export interface Row {
	readonly name: string;
	/** Undefined when it does not run; `reason` says why. */
	readonly run: (() => Promise<void>) | undefined;
	readonly reason: string | undefined;
}

const NO_WORKER = 'runs in the test process itself, without a worker';
const NO_GRAPHICS = 'computes on the processor';
const NO_FILES = 'has no files';
const NO_KEEPING = 'keeps nothing; the library of models does, and tests/compliance/models.ts runs it';
const NO_MODEL = 'runs no model: it looks at no tokens and no lengths';

/** By the beginning of a case's name. */
export const EXCEPTIONS: Readonly<Record<EngineName, Readonly<Record<string, string>>>> = {
	scripted: {
		'gives up a load cancelled while': 'loads in one step',
		'gives up a load when it is unloaded': 'loads in one step',
		'ends an answer when it is unloaded': 'has nothing to free',
		'refuses files': NO_FILES,
		'refuses weights': NO_FILES,
		'says so when there is not enough memory': NO_FILES,
		'says so when there is no room': NO_FILES,
		'refuses a load whose worker': NO_WORKER,
		'refuses an answer whose worker': NO_WORKER,
		'refuses logits and counts': NO_WORKER,
		'says so when its graphics': NO_GRAPHICS,
		'refuses a request that makes no sense': NO_MODEL,
		'drops the oldest rounds': NO_MODEL,
		'gives the logits': NO_MODEL
	},
	'ort-node': {
		'says so when there is not enough memory': 'the memory of the test process cannot be limited from within',
		'says so when there is no room': NO_KEEPING,
		'refuses a load whose worker': NO_WORKER,
		'refuses an answer whose worker': NO_WORKER,
		'refuses logits and counts': NO_WORKER,
		'says so when its graphics': NO_GRAPHICS
	},
	'ort-chromium': {
		'says so when there is no room': NO_KEEPING,
		'says so when its graphics': NO_GRAPHICS
	},
	webllm: {}
};

export const ENGINES = Object.keys(EXCEPTIONS) as EngineName[];
export const caseNames: readonly string[] = [...ENGINE_CASES, ...FAULT_CASES].map(({ name }) => name);

/** Why this engine does not run the case; undefined when it does. */
export const reasonFor = (engine: EngineName, name: string): string | undefined =>
	Object.entries(EXCEPTIONS[engine]).find(([beginning]) => name.startsWith(beginning))?.[1];

/** Every case as this engine runs it, or the reason why it does not. Throws when a case has neither. */
export function rows(engine: EngineName, place: FaultyPlace): readonly Row[] {
	const plain = ENGINE_CASES.map(({ name, run }) => ({ name, run: () => run(place), missing: false }));
	const faulty = FAULT_CASES.map(({ name, needs, run }) => ({
		name,
		run: () => run(place as Parameters<typeof run>[0]),
		missing: needs.some((power) => place.faults[power] === undefined)
	}));
	return [...plain, ...faulty].map(({ name, run, missing }) => {
		const reason = reasonFor(engine, name);
		if (reason === undefined && missing) throw new Error(`${engine} cannot run "${name}" and gives no reason`);
		return { name, run: reason === undefined ? run : undefined, reason };
	});
}

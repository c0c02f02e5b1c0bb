/** What model lies at a place: its small files are read, the large ones only measured. */
import { Refusal } from '#lib/protocol/errors.ts';
import { factsOf, hasTemplate, licenceIn } from '#lib/engine/library/facts.ts';
import type { DeviceFacts } from '#lib/engine/library/fit.ts';
import {
	MOST_FILE_BYTES,
	RECORD_FORMAT,
	checkRecord,
	type LibraryRecord,
	type Part,
	type Role
} from '#lib/engine/library/record.ts';
import {
	best,
	DATA_ENDINGS,
	promisedBy,
	promisesChecks,
	WEIGHT_FOLDERS,
	WEIGHT_NAMES,
	type Variant
} from '#lib/engine/library/variants.ts';
import { graphFromAfar, graphIn, type Graph } from './graph.ts';
import type { Place, Read, Sight } from './place.ts';

const KIB = 1024;
/** Real ones take 0.5 to 4 KiB. */
const MOST_CONFIG_BYTES = 256 * KIB;
/** Some repeat every added token; those take up to 1.2 MiB. */
const MOST_TOKENIZER_CONFIG_BYTES = 4 * KIB * KIB;
const MOST_TEMPLATE_BYTES = 512 * KIB;
/** A vocabulary of 262,144 tokens takes 33 MB. It is read whole into memory when it is here. */
export const MOST_TOKENIZER_BYTES = 64 * KIB * KIB;
/** The front matter stands first. */
const README_BYTES = 16 * KIB;

/** What a look is made for. */
export interface LookInit {
	readonly name: string;
	readonly from: string | undefined;
	/** Path of the weights file that was named; undefined to choose one. */
	readonly weights: string | undefined;
	readonly facts: DeviceFacts;
}

/** What was found. */
export interface Look {
	readonly record: LibraryRecord;
	/** Path of the weights that were taken. */
	readonly weights: string;
}

/** A weights file with what belongs to it. */
interface Candidate extends Variant {
	readonly sight: Sight;
	readonly data: readonly { readonly path: string; readonly sight: Sight }[];
}

/**
 * A model of which nothing is kept yet; undefined where no config.json lies.
 * Refusals: `model-unsupported`, `oversized`, `engine-load-failed`, `aborted`.
 */
export async function describe(place: Place, init: LookInit): Promise<Look | undefined> {
	const config = await place.text('config.json', MOST_CONFIG_BYTES);
	if (config === undefined) return undefined;
	// At once: on a slow line every question costs a round trip.
	const [generation, tokenizerConfig, template, tokenizer, readme] = await Promise.all([
		place.text('generation_config.json', MOST_CONFIG_BYTES),
		place.text('tokenizer_config.json', MOST_TOKENIZER_CONFIG_BYTES),
		place.text('chat_template.jinja', MOST_TEMPLATE_BYTES),
		place.see('tokenizer.json'),
		place.opening('README.md', README_BYTES)
	]);
	const facts = factsOf(config, generation);
	if (tokenizerConfig === undefined) throw new Refusal('model-unsupported', 'no tokenizer_config.json');
	if (template === undefined && !hasTemplate(tokenizerConfig))
		throw new Refusal('model-unsupported', 'no chat template');
	if (tokenizer === undefined) throw new Refusal('model-unsupported', 'no tokenizer.json');
	if ((tokenizer.bytes ?? 0) > MOST_TOKENIZER_BYTES) throw new Refusal('oversized', 'tokenizer.json');
	const licence = licenceIn(readme);
	const candidates = init.weights === undefined ? await candidatesIn(place) : await candidatesAt(place, [init.weights]);
	const taken = best(candidates, facts.kvBytesPerToken, facts.contextTokens, init.facts);
	if (taken === undefined) throw new Refusal('model-unsupported', 'no weights in ONNX');
	const { bytes } = taken.sight;
	const read: Read = (at, length) => place.read(taken.path, at, length);
	const graph = place.near && bytes !== undefined ? await graphIn(read, bytes) : await graphFromAfar(read, bytes);
	const folder = taken.path.slice(0, taken.path.lastIndexOf('/') + 1);
	const external = graph === undefined ? taken.data : await externalOf(place, folder, graph);
	const plain = (role: Role, path: string, sight: Sight): Part => partOf(place, role, path, sight);
	const utf8 = (text: string) => ({ bytes: new TextEncoder().encode(text).length, validator: undefined });
	const record = checkRecord({
		format: RECORD_FORMAT,
		name: init.name,
		origin: 'added',
		...(init.from === undefined ? {} : { from: init.from }),
		...(licence === undefined ? {} : { licence }),
		...facts,
		precision: graph?.precision ?? taken.precision,
		verifiable: graph?.verifiable ?? promisesChecks(taken.precision),
		parts: [
			plain('tokenizer', 'tokenizer.json', tokenizer),
			plain(
				'tokenizerConfig',
				'tokenizer_config.json',
				(await place.see('tokenizer_config.json')) ?? utf8(tokenizerConfig)
			),
			...(template === undefined
				? []
				: [plain('template', 'chat_template.jinja', (await place.see('chat_template.jinja')) ?? utf8(template))]),
			plain('weights', taken.path, taken.sight),
			...external.map(({ path, sight }) => ({ ...plain('external', path, sight), location: path.slice(folder.length) }))
		]
	});
	return { record, weights: taken.path };
}

/** The weights that are there, by the names in use: the first folder that has any. */
async function candidatesIn(place: Place): Promise<readonly Candidate[]> {
	if (place.weights !== undefined) return candidatesAt(place, place.weights);
	for (const folder of WEIGHT_FOLDERS) {
		const found = await candidatesAt(
			place,
			WEIGHT_NAMES.map((name) => `${folder}${name}.onnx`)
		);
		if (found.length > 0) return found;
	}
	return [];
}

async function candidatesAt(place: Place, paths: readonly string[]): Promise<readonly Candidate[]> {
	const found = await Promise.all(
		paths.map(async (path): Promise<Candidate[]> => {
			const sight = await place.see(path);
			if (sight === undefined) return [];
			const data = await dataOf(place, path);
			const sizes = [sight, ...data.map((each) => each.sight)].map(({ bytes }) => bytes);
			const bytes = sizes.every((size) => size !== undefined) ? sizes.reduce((sum, size) => sum + size, 0) : undefined;
			return [{ path, sight, data, bytes, precision: promisedBy(path) }];
		})
	);
	return found.flat();
}

/** Data beside a graph, by the endings in use. The graph itself says later what there really is. */
async function dataOf(place: Place, path: string): Promise<Candidate['data']> {
	for (const ending of DATA_ENDINGS) {
		const sight = await place.see(path + ending);
		if (sight !== undefined) return [{ path: path + ending, sight }];
	}
	return [];
}

async function externalOf(place: Place, folder: string, graph: Graph): Promise<Candidate['data']> {
	return Promise.all(
		graph.external.map(async (location) => {
			const sight = await place.see(folder + location);
			if (sight === undefined) throw new Refusal('model-unsupported', `no ${location}`);
			return { path: folder + location, sight };
		})
	);
}

function partOf(place: Place, role: Role, path: string, { bytes, validator }: Sight): Part {
	if (bytes !== undefined && bytes > MOST_FILE_BYTES)
		throw new Refusal('model-unsupported', `${path} has more than 2 GB`);
	if (bytes === 0) throw new Refusal('model-unsupported', `${path} is empty`);
	const address = place.address(path);
	return {
		role,
		addresses: address === undefined ? [] : [address],
		...(bytes === undefined ? {} : { bytes }),
		...(validator === undefined ? {} : { validator }),
		kept: false
	};
}

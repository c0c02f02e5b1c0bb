/**
 * What every Models must do, as cases that need no test runner: Chromium runs them over the library and a loopback server
 * (tests/interop/models.browser.test.ts), Node over the double that screens are tested with (tests/unit/library-double.test.ts).
 */
import type { LoadProgress } from '#lib/ports/engine.ts';
import type { ModelEntry, Models } from '#lib/ports/models.ts';
import { refusalOf, same, until } from './store.ts';

/** A device. Two that are open at once are two tabs of it. */
export interface ModelsPlace {
	open(): Promise<Models>;
	/** Where a model can be looked at: some megabytes under Apache-2.0, 4 bit. */
	readonly address: string;
	/** The same model as files of a person. */
	files(): Promise<readonly File[]>;
}

export interface ModelsCase {
	readonly name: string;
	run(place: ModelsPlace): Promise<void>;
}

const signal = () => new AbortController().signal;
const nobody = () => undefined;

/** The id of the one model that is kept beside the built-in one, as a visit finds it. */
function keptIn({ entries }: Models): string {
	const kept = entries.filter((entry) => entry.kept === 'whole' && entry.origin !== 'built-in');
	same(kept.length, 1);
	return kept[0]?.id ?? '';
}

export const MODELS_CASES: readonly ModelsCase[] = [
	{
		name: 'the built-in model stands first, is here, fits, and stays',
		run: async (place) => {
			const models = await place.open();
			const [first] = models.entries as readonly [ModelEntry];
			same([first.origin, first.kept, first.fit, first.integrity], ['built-in', 'whole', { fits: true }, 'released']);
			same(first.keptBytes, first.bytes);
			await models.fetch(first.id, nobody, signal());
			same(await refusalOf(models.remove(first.id)), 'malformed');
			same(models.engine(first.id).state, 'idle');
			same(models.entries[0]?.id, first.id);
		}
	},
	{
		name: 'what is looked at is shown with size, licence and fit, and nothing of it is kept',
		run: async (place) => {
			const models = await place.open();
			const found = await models.look(place.address, signal());
			same([found.runs, found.origin, found.kept, found.keptBytes], ['cpu', 'added', 'no', 0]);
			same(
				[found.licence, found.precision, found.fit, found.integrity],
				['apache-2.0', 'q4', { fits: true }, 'first-use']
			);
			same((found.bytes ?? 0) > 1_000_000 && (found.memoryBytes ?? 0) > (found.bytes ?? 0), true);
			same(found.from !== undefined && place.address.includes(found.from), true);
			same(
				models.entries.find(({ id }) => id === found.id),
				found
			);
			const again = await models.look(place.address, signal());
			same(again, found);
			same(models.entries.filter(({ id }) => id === found.id).length, 1);
			await models.remove(found.id);
			same(
				models.entries.some(({ id }) => id === found.id),
				false
			);
		}
	},
	{
		name: 'what is fetched is kept, under the name it had, and for later visits under one that its bytes give',
		run: async (place) => {
			const models = await place.open();
			const { id, bytes } = await models.look(place.address, signal());
			const seen: LoadProgress[] = [];
			await models.fetch(id, (progress) => seen.push(progress), signal());
			const kept = models.entries.find((entry) => entry.id === id);
			same([kept?.kept, kept?.keptBytes, kept?.bytes], ['whole', bytes, bytes]);
			same(
				seen.every(({ stage }) => stage === 'fetching'),
				true
			);
			same(seen.at(-1)?.loadedBytes, bytes);
			same(
				seen.map(({ loadedBytes }) => loadedBytes).toSorted((a, b) => a - b),
				seen.map(({ loadedBytes }) => loadedBytes)
			);
			await models.fetch(id, nobody, signal());
			same(models.engine(id).id, id);
			const later = await place.open();
			const real = keptIn(later);
			same(later.engine(real).id, real);
			await later.remove(real);
			same(
				later.entries.some((entry) => entry.id === real),
				false
			);
			await until(() => !models.entries.some((entry) => entry.id === id));
		}
	},
	{
		name: 'who observes is called at once, at every change, and not after leaving',
		run: async (place) => {
			const models = await place.open();
			const heard: number[] = [];
			const leave = models.observe((entries) => heard.push(entries.length));
			same(heard, [models.entries.length]);
			const { id } = await models.look(place.address, signal());
			same(heard.at(-1), models.entries.length);
			leave();
			const before = heard.length;
			await models.remove(id);
			same(heard.length, before);
		}
	},
	{
		name: 'two who fetch share it; one who leaves does not stop the other',
		run: async (place) => {
			const models = await place.open();
			const { id } = await models.look(place.address, signal());
			const leaving = new AbortController();
			const [first, second] = [
				refusalOf(models.fetch(id, nobody, leaving.signal)),
				refusalOf(models.fetch(id, nobody, signal()))
			];
			leaving.abort();
			same([await first, await second], ['aborted', 'accepted']);
			same(models.entries.find((entry) => entry.id === id)?.kept, 'whole');
			await models.remove(id);
		}
	},
	{
		name: 'files of a person become a model that can be kept and deleted',
		run: async (place) => {
			const models = await place.open();
			const seen: LoadProgress[] = [];
			const taken = await models.take(await place.files(), (progress) => seen.push(progress), signal());
			same([taken.origin, taken.kept, taken.from, taken.precision], ['added', 'whole', undefined, 'q4']);
			same(seen.at(-1)?.loadedBytes, taken.bytes);
			await models.remove(taken.id);
			same(
				models.entries.some(({ id }) => id === taken.id),
				false
			);
		}
	},
	{
		name: 'the same weights have the same id, wherever they came from',
		run: async (place) => {
			const models = await place.open();
			const { id } = await models.look(place.address, signal());
			await models.fetch(id, nobody, signal());
			const real = keptIn(await place.open());
			await models.remove(id);
			const taken = await models.take(await place.files(), nobody, signal());
			same(keptIn(await place.open()), real);
			await models.remove(taken.id);
		}
	},
	{
		name: 'stopped before it began',
		run: async (place) => {
			const models = await place.open();
			const stopped = AbortSignal.abort();
			same(await refusalOf(models.look(place.address, stopped)), 'aborted');
			same(await refusalOf(models.take(await place.files(), nobody, stopped)), 'aborted');
			const { id } = await models.look(place.address, signal());
			same(await refusalOf(models.fetch(id, nobody, stopped)), 'aborted');
			same(models.entries.find((entry) => entry.id === id)?.kept, 'no');
			await models.remove(id);
		}
	},
	{
		name: 'what is no address, no model, or not in the list is refused by name',
		run: async (place) => {
			const models = await place.open();
			for (const address of [
				'',
				'model',
				'ftp://a.example/',
				'javascript:alert(1)',
				'file:///etc/passwd',
				'https://me:secret@a.example/'
			])
				same([address, await refusalOf(models.look(address, signal()))], [address, 'malformed']);
			same(await refusalOf(models.look(`https://a.example/${'x'.repeat(5000)}`, signal())), 'oversized');
			same(await refusalOf(models.take([], nobody, signal())), 'model-unsupported');
			same(await refusalOf(models.fetch('none', nobody, signal())), 'engine-not-ready');
			same(await refusalOf(models.remove('none')), 'engine-not-ready');
			same(await refusalOf(Promise.resolve().then(() => models.engine('none'))), 'engine-not-ready');
		}
	},
	{
		name: 'says how much room there is',
		run: async (place) => {
			const models = await place.open();
			const { used, quota } = await models.room();
			same(used >= 0 && (quota ?? 0) > used, true);
			same(typeof (await models.persist()), 'boolean');
		}
	}
];

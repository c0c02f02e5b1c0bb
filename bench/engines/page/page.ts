/** One engine in a page of its own, driven from bench/engines/stage.ts. Nothing of any engine is fetched before `load`. */
import type { Ask, Contender, ContestPage, Library, ModelPlace } from '../contest.ts';

const LOADERS: Readonly<Record<Library, () => Promise<{ readonly contender: () => Contender }>>> = {
	fireweed: () => import('./fireweed.ts'),
	wllama: () => import('./wllama.ts'),
	transformers: () => import('./transformers.ts')
};

function makePage(): ContestPage {
	let here: Contender | undefined;
	return {
		async load(library: Library, place: ModelPlace) {
			const started = performance.now();
			here = (await LOADERS[library]()).contender();
			await here.load(place);
			return performance.now() - started;
		},
		answer(ask: Ask) {
			if (here === undefined) throw new TypeError('load first');
			return here.answer(ask);
		}
	};
}

Object.assign(globalThis, { contest: makePage() });

/** Sets code and formulas away from the page, which may end this worker at any time (docs/decisions/answers-as-trees.md). */
import type { TypesetReply, TypesetRequest } from '#lib/ports/typeset.ts';
import { formulaOf } from './formula.ts';
import { highlighter } from './highlight.ts';

const highlight = highlighter();

self.addEventListener('message', ({ data }: MessageEvent<TypesetRequest>) => {
	const reply: TypesetReply =
		data.job === 'code'
			? { id: data.id, job: 'code', runs: highlight(data.language, data.text) }
			: { id: data.id, job: 'formula', formula: formulaOf(data.text, data.display) };
	self.postMessage(reply);
});
// Its own time begins only now: a slow connection is no hostile answer.
self.postMessage('ready');

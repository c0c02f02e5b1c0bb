/** The project's measures of success, as far as this device alone can tell them. Pure. */
import type { Offer } from '#lib/node/app.ts';
import type { Message } from '#lib/ports/store.ts';

/** One measure: what it counts, and what stands here. */
export interface Measure {
	readonly name: string;
	readonly definition: string;
	readonly value: string;
}

/** Never an invented figure: what cannot be known here says so. */
export function measures(messages: readonly Message[], offers: readonly Offer[]): readonly Measure[] {
	const lost = messages.filter(({ answer }) => answer?.by === 'mesh' && answer.status === 'lost').length;
	const survived = messages.filter(({ answer }) => answer?.status === 'done' && answer.seams.length > 0).length;
	const struck = lost + survived;
	return [
		{
			name: 'Answers that outlived their computer',
			definition: 'Of your answers whose computer was lost in the middle, those that another one completed.',
			value: struck === 0 ? 'none was lost yet' : `${survived} of ${struck}`
		},
		{
			name: 'Independent contributors',
			definition:
				'Accounts that offer a model just now. One person can have many accounts, so it is the most there can be.',
			value: String(new Set(offers.map(({ account }) => account)).size)
		},
		{
			name: 'Time to another computer',
			definition: 'From the loss of a computer to the first word of the next.',
			value: 'not measured on this device'
		},
		{
			name: 'Companies that could stop payments',
			definition: 'Payment providers without which nobody could pay.',
			value: 'none: nothing is paid yet'
		}
	];
}

/** The project's measures of success, as far as this device alone can tell them. Pure. */
import type { Offer } from '#lib/node/app.ts';
import type { Message } from '#lib/ports/store.ts';
import { t } from '../language/language.svelte.ts';
import { count } from '../numbers.ts';

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
			name: t('network.answers-that-outlived-their-computer'),
			definition: t('network.of-your-answers-whose-computer'),
			value:
				struck === 0
					? t('network.none-was-lost-yet')
					: t('network.of', { survived: count(survived), struck: count(struck) })
		},
		{
			name: t('network.independent-contributors'),
			definition: t('network.accounts-that-offer-a-model'),
			value: count(new Set(offers.map(({ account }) => account)).size)
		},
		{
			name: t('network.time-to-another-computer'),
			definition: t('network.from-the-loss-of-a'),
			value: t('network.not-measured-on-this-device')
		},
		{
			name: t('network.companies-that-could-stop-payments'),
			definition: t('network.payment-providers-without-which-nobody'),
			value: t('network.none-nothing-is-paid-yet')
		}
	];
}

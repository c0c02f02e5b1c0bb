/** Who sees what, as docs/privacy.md has it: the tables there are held by tests, and so is that these are the same. */
import type { Key } from '../language/language.svelte.ts';

export type Seen = 'prompt' | 'account' | 'name' | 'address';

/** Somebody, and all they see. */
export interface Party {
	readonly who: Key;
	readonly sees: readonly Seen[];
}

/** In the order of the words on the screen. */
export const SEEN: Readonly<Record<Seen, Key>> = {
	prompt: 'privacy.your-prompt-and-the-answer',
	account: 'privacy.your-account',
	name: 'privacy.the-name-of-this-tab',
	address: 'privacy.your-network-address'
};

/** When the mesh is asked. Who offers and is not chosen is one of everybody. */
export const ASKING: readonly Party[] = [
	{
		who: 'privacy.the-computer-that-answers',
		sees: ['prompt', 'name', 'address']
	},
	{
		who: 'privacy.a-computer-that-is-asked',
		sees: ['name', 'address']
	},
	{
		who: 'privacy.a-computer-of-somebody',
		sees: ['prompt', 'account', 'name', 'address']
	},
	{ who: 'privacy.a-relay', sees: ['name', 'address'] },
	{ who: 'privacy.where-the-app-comes-from', sees: ['address'] },
	{ who: 'privacy.somebody-watching', sees: ['address'] },
	{ who: 'privacy.everybody', sees: [] }
];

/** When this device is lent. */
export const LENDING: readonly Party[] = [
	{ who: 'privacy.the-one-who-asks', sees: ['account', 'name', 'address'] },
	{ who: 'privacy.everybody', sees: ['account', 'name'] }
];

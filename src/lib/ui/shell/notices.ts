/**
 * The one sentence at the top: which of the present causes a person should hear of, and what one action helps. Pure.
 */
import type { StorageState } from '#lib/node/app.ts';
import type { Code } from '#lib/protocol/errors.ts';
import { wordsFor } from '../words.ts';

/** Where the offline shell stands, as src/lib/survival/shell.ts reports it; the screens import nothing from there. */
export type ShellState =
	| { readonly kind: 'unsupported' | 'insecure-context' | 'installing' | 'ready' | 'blocked' }
	| { readonly kind: 'update-ready'; readonly apply: () => void };

/** What a click on the strip's button does. */
export type NoticeAction = 'reload' | 'update' | 'use-relay' | 'receipts' | 'models' | 'dismiss';

/** A cause that a person should know of. `id` names it, so that one dismissed stays away until it comes anew. */
export interface Notice {
	readonly id: string;
	readonly tone: 'calm' | 'degraded' | 'failed';
	readonly text: string;
	readonly action: NoticeAction;
	readonly label: string;
}

/** What is known when a notice is chosen. */
export interface Facts {
	readonly broken: Code | undefined;
	readonly notKept: Code | undefined;
	readonly insecure: boolean;
	readonly shell: ShellState['kind'];
	readonly relaysToConfirm: readonly string[];
	readonly online: boolean;
	/** Every relay this tab uses is down, although it uses some. */
	readonly relaysDown: boolean;
	/** The browser keeps nothing: the identity and the conversations end with the tab. */
	readonly forgetful: boolean;
	/** What has become of the place where this tab keeps things. */
	readonly storage: StorageState;
	/** Pages of other sites share this page's storage. */
	readonly sharedOrigin: boolean;
	/** The graphics device went away. */
	readonly graphicsLost: boolean;
	/** The room for this site is nearly used up. */
	readonly nearlyFull: boolean;
	readonly second: boolean;
}

const STORAGE: Readonly<Record<StorageState, string | undefined>> = {
	fine: undefined,
	blocked: 'An older Fireweed tab holds your conversations; close it, then reload this one.',
	superseded: 'A newer Fireweed is open in another tab and keeps your conversations now; reload this one.',
	newer: 'Your conversations were written by a newer Fireweed, so they are not shown here; reload to get it.',
	terminated:
		'The browser took away the place where conversations are kept; what you see is still here, reload to try again.'
};

/** Every notice whose cause stands, the most pressing first. */
export function notices(facts: Facts): readonly Notice[] {
	const found: Notice[] = [];
	const say = (when: boolean, notice: Notice) => void (when && found.push(notice));
	const broken = wordsFor(facts.broken);
	const notKept = wordsFor(facts.notKept);
	say(facts.insecure, {
		id: 'insecure',
		tone: 'failed',
		text: 'This address is not secure, so the app cannot be kept for offline; this device still answers. Open Fireweed over https.',
		action: 'dismiss',
		label: 'Understood'
	});
	say(facts.broken !== undefined && !facts.insecure, {
		id: `broken:${facts.broken}`,
		tone: 'failed',
		text: `Fireweed could not start: ${broken.happened} ${broken.todo}`.trim(),
		action: 'reload',
		label: 'Reload'
	});
	const storage = STORAGE[facts.storage];
	say(storage !== undefined, {
		id: `storage:${facts.storage}`,
		tone: 'failed',
		action: 'reload',
		label: 'Reload',
		text: storage ?? ''
	});
	say(facts.relaysToConfirm.length > 0, {
		id: `relay:${facts.relaysToConfirm.join()}`,
		tone: 'calm',
		text: `The link you opened names a relay, ${facts.relaysToConfirm.join(', ')}, which will see your address but no prompt.`,
		action: 'use-relay',
		label: 'Use it this time'
	});
	say(facts.notKept !== undefined, {
		id: `keep:${facts.notKept}`,
		tone: 'failed',
		text: `${notKept.happened} ${notKept.todo}`.trim(),
		action: 'dismiss',
		label: 'Understood'
	});
	say(facts.graphicsLost, {
		id: 'graphics-lost',
		tone: 'degraded',
		text: 'The graphics card went away; what was answered is kept, and the next message loads the model again.',
		action: 'dismiss',
		label: 'Fine'
	});
	say(facts.nearlyFull, {
		id: 'nearly-full',
		tone: 'degraded',
		text: 'The room for this site is nearly used up, so the browser may soon keep nothing more.',
		action: 'models',
		label: 'Look at models'
	});
	say(!facts.online, {
		id: 'offline',
		tone: 'degraded',
		text: 'You are offline; this device still answers, and your conversations and receipts are here.',
		action: 'dismiss',
		label: 'Fine'
	});
	say(facts.online && facts.relaysDown, {
		id: 'relay-lost',
		tone: 'degraded',
		text: 'The relay does not answer; connected computers stay connected, and Fireweed goes on trying by itself.',
		action: 'dismiss',
		label: 'Fine'
	});
	say(facts.shell === 'update-ready', {
		id: 'update',
		tone: 'calm',
		text: 'A new version is ready on this device.',
		action: 'update',
		label: 'Start it'
	});
	say(facts.sharedOrigin, {
		id: 'shared-origin',
		tone: 'degraded',
		text: 'Other pages of this gateway can read what is kept here, and nothing is lent from here; an address of Fireweed’s own is safer.',
		action: 'dismiss',
		label: 'Understood'
	});
	say(facts.forgetful && !facts.sharedOrigin, {
		id: 'forgetful',
		tone: 'degraded',
		text: 'This browser keeps nothing here, so conversations, receipts and your key end with this tab.',
		action: 'dismiss',
		label: 'Understood'
	});
	say((facts.shell === 'blocked' || facts.shell === 'unsupported') && !facts.insecure, {
		id: 'no-worker',
		tone: 'degraded',
		text: 'This browser does not let Fireweed keep itself, so it will not open without a connection.',
		action: 'dismiss',
		label: 'Understood'
	});
	say(facts.second, {
		id: 'second',
		tone: 'calm',
		text: 'Fireweed is open in another tab too; both show the same conversations.',
		action: 'dismiss',
		label: 'Fine'
	});
	return found;
}

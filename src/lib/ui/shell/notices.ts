/**
 * The one sentence at the top: which of the present causes a person should hear of, and what one action helps. Pure.
 */
import type { StorageState } from '#lib/node/app.ts';
import type { LoaderAlarm, ReleaseFacts, ShellState } from '#lib/ports/shell.ts';
import type { Code } from '#lib/protocol/errors.ts';
import { wordsFor } from '../words.ts';

/** What a click on the strip's button does. */
export type NoticeAction = 'share' | 'reload' | 'update' | 'use-relay' | 'receipts' | 'models' | 'sources' | 'dismiss';

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
	readonly shell: ShellState;
	/** A newer release that peers speak of and this address does not offer. */
	readonly news: ReleaseFacts | undefined;
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
	/** Opened from a carried file. */
	readonly carried: boolean;
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

const ALARMS: Readonly<Record<LoaderAlarm, string>> = {
	'not-signed': 'What keeps Fireweed on this device says it runs a version that its makers did not sign.',
	'other-loader': 'This address put something else in the place of what keeps Fireweed on this device.'
};

function listed(names: readonly string[]): string {
	return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}

/** Every notice whose cause stands, the most pressing first. */
export function notices(facts: Facts): readonly Notice[] {
	const found: Notice[] = [];
	const say = (when: boolean, notice: Notice) => void (when && found.push(notice));
	const broken = wordsFor(facts.broken);
	const notKept = wordsFor(facts.notKept);
	if (facts.shell.kind === 'worker-changed') {
		found.push({
			id: 'worker-changed',
			tone: 'failed',
			text: `${ALARMS[facts.shell.why]} Your keys are locked in this tab: nothing is signed or lent. Close Fireweed here, and open it from a file or an address you trust.`,
			action: 'dismiss',
			label: 'Understood'
		});
	}
	say(facts.insecure, {
		id: 'insecure',
		tone: 'failed',
		text: 'This address is not secure, so the app cannot be kept for offline; this device still answers. Open Fireweed over https, or save it as a file and open that.',
		action: 'share',
		label: 'Save it'
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
	if (facts.shell.kind === 'update-ready') {
		const { name, signers, development } = facts.shell.release;
		found.push({
			id: `update:${name}`,
			tone: 'calm',
			text: development
				? 'Another build of this development version is ready on this device. Anyone can sign one, so start it only if it is yours.'
				: `Version ${name} is ready on this device, signed by ${listed(signers)}. The one you have stays beside it.`,
			action: 'update',
			label: 'Start it'
		});
	}
	if (facts.shell.kind === 'fell-back') {
		found.push({
			id: 'fell-back',
			tone: 'degraded',
			text: `A newer version did not start on this device, so version ${facts.shell.name} is back. Everything of yours is here.`,
			action: 'dismiss',
			label: 'Understood'
		});
	}
	if (facts.shell.kind === 'update-refused') {
		const refused = wordsFor(facts.shell.code);
		found.push({
			id: `update-refused:${facts.shell.code}`,
			tone: 'degraded',
			text: `This address offered something else as a new version. ${refused.happened} ${refused.safe}`,
			action: 'dismiss',
			label: 'Understood'
		});
	}
	if (facts.news && facts.shell.kind !== 'update-ready') {
		found.push({
			id: `news:${facts.news.name}`,
			tone: 'degraded',
			text: `Others already have version ${facts.news.name}, signed by ${listed(facts.news.signers)}. This address does not offer it, so somebody may be keeping it from you; name a gateway that has it.`,
			action: 'sources',
			label: 'Name one'
		});
	}
	say(facts.shell.kind === 'ready' && facts.shell.release?.stale === true, {
		id: 'stale',
		tone: 'degraded',
		text: 'The makers of this version meant to be heard of again before today. It goes on working; look whether another address has a newer one, and whether this device’s date is right.',
		action: 'dismiss',
		label: 'Understood'
	});
	say(facts.carried, {
		id: 'carried',
		tone: 'calm',
		text: 'This copy runs from a file: other files opened in this browser may read what is kept here, so your key ends with this tab and nothing is lent.',
		action: 'share',
		label: 'About it'
	});
	say(facts.sharedOrigin && !facts.carried, {
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
	const unsigned = facts.shell.kind === 'blocked' ? facts.shell.code : undefined;
	say(unsigned !== undefined, {
		id: `unsigned:${unsigned}`,
		tone: 'failed',
		text: `What this address serves is not a signed Fireweed, so it is not kept here. ${wordsFor(unsigned).happened} Do not enter anything you want to keep to yourself.`,
		action: 'dismiss',
		label: 'Understood'
	});
	const notKeeping = facts.shell.kind === 'blocked' || facts.shell.kind === 'unsupported';
	say(notKeeping && unsigned === undefined && !facts.insecure && !facts.carried, {
		id: 'no-worker',
		tone: 'degraded',
		text: 'This browser does not let Fireweed keep itself, so it will not open without a connection.',
		action: 'dismiss',
		label: 'Understood'
	});
	const missing = facts.shell.kind === 'installing' ? (facts.shell.missing ?? 0) : 0;
	say(facts.online && missing > 0, {
		id: 'missing',
		tone: 'degraded',
		text: 'Not all of Fireweed came from this address yet, so it may not open without a connection. It goes on trying; a gateway you name can give the rest.',
		action: 'sources',
		label: 'Name one'
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

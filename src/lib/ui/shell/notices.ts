/**
 * The one sentence at the top: which of the present causes a person should hear of, and what one action helps. Pure.
 */
import type { StorageState } from '#lib/node/app.ts';
import type { LoaderAlarm, ReleaseFacts, ShellState } from '#lib/ports/shell.ts';
import type { Code } from '#lib/protocol/errors.ts';
import { listed, roughly } from '../numbers.ts';
import { wordsFor } from '../words.ts';
import { t } from '../language/language.svelte.ts';

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
	/** By how many ms this device's clock is ahead of the others' (negative: behind); undefined while nothing is known against it. */
	readonly clockAhead: number | undefined;
	/** The graphics device went away. */
	readonly graphicsLost: boolean;
	/** The room for this site is nearly used up. */
	readonly nearlyFull: boolean;
	readonly second: boolean;
}

const STORAGE: Readonly<Record<StorageState, string | undefined>> = {
	fine: undefined,
	get blocked() {
		return t('shell.an-older-fireweed-tab-holds');
	},
	get superseded() {
		return t('shell.a-newer-fireweed-is-open');
	},
	get newer() {
		return t('shell.your-conversations-were-written-by');
	},
	get terminated() {
		return t('shell.the-browser-took-away-the');
	}
};

const ALARMS: Readonly<Record<LoaderAlarm, string>> = {
	get 'not-signed'() {
		return t('shell.what-keeps-fireweed-on-this');
	},
	get 'other-loader'() {
		return t('shell.this-address-put-something-else');
	}
};

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
			text: t('shell.your-keys-are-locked-in', { alarm: ALARMS[facts.shell.why] }),
			action: 'dismiss',
			label: t('all.understood')
		});
	}
	say(facts.insecure, {
		id: 'insecure',
		tone: 'failed',
		text: t('shell.this-address-is-not-secure'),
		action: 'share',
		label: t('shell.save-it')
	});
	say(facts.broken !== undefined && !facts.insecure, {
		id: `broken:${facts.broken}`,
		tone: 'failed',
		text: t('shell.fireweed-could-not-start', { happened: broken.happened, todo: broken.todo }).trim(),
		action: 'reload',
		label: t('shell.reload')
	});
	const storage = STORAGE[facts.storage];
	say(storage !== undefined, {
		id: `storage:${facts.storage}`,
		tone: 'failed',
		action: 'reload',
		label: t('shell.reload'),
		text: storage ?? ''
	});
	say(facts.relaysToConfirm.length > 0, {
		id: `relay:${facts.relaysToConfirm.join()}`,
		tone: 'calm',
		text: t('shell.the-link-names-a-relay', { relays: facts.relaysToConfirm.join(', ') }),
		action: 'use-relay',
		label: t('shell.use-it-this-time')
	});
	say(facts.notKept !== undefined, {
		id: `keep:${facts.notKept}`,
		tone: 'failed',
		text: `${notKept.happened} ${notKept.todo}`.trim(),
		action: 'dismiss',
		label: t('all.understood')
	});
	say(facts.graphicsLost, {
		id: 'graphics-lost',
		tone: 'degraded',
		text: t('shell.the-graphics-card-went-away'),
		action: 'dismiss',
		label: t('shell.fine')
	});
	say(facts.nearlyFull, {
		id: 'nearly-full',
		tone: 'degraded',
		text: t('shell.the-room-for-this-site'),
		action: 'models',
		label: t('shell.look-at-models')
	});
	const { clockAhead } = facts;
	if (clockAhead !== undefined) {
		const about = roughly(Math.abs(clockAhead));
		found.push({
			id: 'clock',
			tone: 'degraded',
			text: t(clockAhead > 0 ? 'shell.the-clock-here-is-ahead' : 'shell.the-clock-here-is-behind', { about }),
			action: 'dismiss',
			label: t('all.understood')
		});
	}
	say(!facts.online, {
		id: 'offline',
		tone: 'degraded',
		text: t('shell.you-are-offline-this-device'),
		action: 'dismiss',
		label: t('shell.fine')
	});
	say(facts.online && facts.relaysDown, {
		id: 'relay-lost',
		tone: 'degraded',
		text: t('shell.the-relay-does-not-answer'),
		action: 'dismiss',
		label: t('shell.fine')
	});
	if (facts.shell.kind === 'update-ready') {
		const { name, signers, development } = facts.shell.release;
		found.push({
			id: `update:${name}`,
			tone: 'calm',
			text: development
				? t('shell.another-build-of-this-development')
				: t('shell.version-is-ready-on-this', { name, listed: listed(signers) }),
			action: 'update',
			label: t('shell.start-it')
		});
	}
	if (facts.shell.kind === 'fell-back') {
		found.push({
			id: 'fell-back',
			tone: 'degraded',
			text: t('shell.a-newer-version-did-not', { name: facts.shell.name }),
			action: 'dismiss',
			label: t('all.understood')
		});
	}
	if (facts.shell.kind === 'update-refused') {
		const refused = wordsFor(facts.shell.code);
		found.push({
			id: `update-refused:${facts.shell.code}`,
			tone: 'degraded',
			text: t('shell.this-address-offered-something-else', { happened: refused.happened, safe: refused.safe }),
			action: 'dismiss',
			label: t('all.understood')
		});
	}
	if (facts.news && facts.shell.kind !== 'update-ready') {
		found.push({
			id: `news:${facts.news.name}`,
			tone: 'degraded',
			text: t('shell.others-already-have-version-signed', {
				name: facts.news.name,
				listed: listed(facts.news.signers)
			}),
			action: 'sources',
			label: t('shell.name-one')
		});
	}
	say(facts.shell.kind === 'ready' && facts.shell.release?.stale === true, {
		id: 'stale',
		tone: 'degraded',
		text: t('shell.the-makers-of-this-version'),
		action: 'dismiss',
		label: t('all.understood')
	});
	say(facts.carried, {
		id: 'carried',
		tone: 'calm',
		text: t('shell.this-copy-runs-from-a'),
		action: 'share',
		label: t('shell.about-it')
	});
	say(facts.sharedOrigin && !facts.carried, {
		id: 'shared-origin',
		tone: 'degraded',
		text: t('shell.other-pages-of-this-gateway'),
		action: 'dismiss',
		label: t('all.understood')
	});
	say(facts.forgetful && !facts.sharedOrigin, {
		id: 'forgetful',
		tone: 'degraded',
		text: t('shell.this-browser-keeps-nothing-here'),
		action: 'dismiss',
		label: t('all.understood')
	});
	const unsigned = facts.shell.kind === 'blocked' ? facts.shell.code : undefined;
	say(unsigned !== undefined, {
		id: `unsigned:${unsigned}`,
		tone: 'failed',
		text: t('shell.what-this-address-serves-is', { happened: wordsFor(unsigned).happened }),
		action: 'dismiss',
		label: t('all.understood')
	});
	const notKeeping = facts.shell.kind === 'blocked' || facts.shell.kind === 'unsupported';
	say(notKeeping && unsigned === undefined && !facts.insecure && !facts.carried, {
		id: 'no-worker',
		tone: 'degraded',
		text: t('shell.this-browser-does-not-let'),
		action: 'dismiss',
		label: t('all.understood')
	});
	const missing = facts.shell.kind === 'installing' ? (facts.shell.missing ?? 0) : 0;
	say(facts.online && missing > 0, {
		id: 'missing',
		tone: 'degraded',
		text: t('shell.not-all-of-fireweed-came'),
		action: 'sources',
		label: t('shell.name-one')
	});
	say(facts.second, {
		id: 'second',
		tone: 'calm',
		text: t('shell.fireweed-is-open-in-another'),
		action: 'dismiss',
		label: t('shell.fine')
	});
	return found;
}

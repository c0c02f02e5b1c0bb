/** What a contributor agreed to, and what a pause is called. Pure. */
import type { LendingLimits, PauseCause } from '#lib/node/app.ts';
import { t } from '../language/language.svelte.ts';

/**
 * Version of what lending means: the three sentences on the page. Raise it when one of them changes in substance; whoever agreed to an
 * earlier one is then asked again before anything is lent by itself.
 */
export const CONSENT_VERSION = 1;

/** Whether a kept consent covers what lending means now. */
export const agreed = (kept: unknown): boolean => kept === CONSENT_VERSION;

/** Whether somebody agreed to an earlier meaning, and should be told that it changed. */
export const agreedToAnother = (kept: unknown): boolean => typeof kept === 'number' && kept !== CONSENT_VERSION;

/** `22:30` from minutes after midnight, as time inputs write it. */
export const clockTime = (minute: number): string =>
	`${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`;

/** Minutes after midnight; undefined for what is not `hh:mm`. */
export function minuteOf(text: string): number | undefined {
	const [, hours, minutes] = /^(\d\d):(\d\d)/.exec(text) ?? [];
	const minute = Number(hours) * 60 + Number(minutes);
	return hours !== undefined && minute < 24 * 60 && Number(minutes) < 60 ? minute : undefined;
}

/** Why nothing is lent for now and when it will be again, in one sentence. */
export function pauseWords(cause: PauseCause, limits: LendingLimits): string {
	switch (cause) {
		case 'person':
			return t('contribute.paused-by-you-no-new');
		case 'hours':
			return limits.hours === undefined
				? t('contribute.paused-for-now')
				: t('contribute.paused-until-by-your-hours', { time: clockTime(limits.hours.from) });
		case 'battery':
			return t('contribute.paused-while-this-device-runs');
		case 'hidden':
			return t('contribute.paused-while-this-tab-is');
		case 'jobs':
			return t('contribute.paused-until-midnight-the-jobs');
	}
}

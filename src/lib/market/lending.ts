/**
 * May this device be lent just now: the limits a contributor sets, and the pure decision over them.
 *
 * How it would be cheated: a stranger gains nothing here, the limits are asked of this device alone; a wrong clock shifts the hours, and no
 * more than that. What the browser does not tell (a battery, in most of them) limits nothing, and the screen says so.
 */

/** Minutes after local midnight, 0 to 1439. `from` after `to` goes over midnight; equal ones mean the whole day. */
export interface Hours {
	readonly from: number;
	readonly to: number;
}

/** What a contributor allows. */
export interface LendingLimits {
	/** Undefined: at any time. */
	readonly hours: Hours | undefined;
	/** Not while the device runs on its battery. */
	readonly onlyPluggedIn: boolean;
	/** Also while the tab is not looked at. */
	readonly whileHidden: boolean;
	/** Jobs of others from local midnight to midnight; undefined: as many as come. */
	readonly jobsPerDay: number | undefined;
	/** Only accounts of the owner's own list (market/people), and their own. */
	readonly onlyPeople: boolean;
}

/** What stands around the device at this moment. */
export interface Circumstances {
	/** Local, 0 to 1439. */
	readonly minuteOfDay: number;
	/** Undefined where the browser does not tell. */
	readonly pluggedIn: boolean | undefined;
	readonly hidden: boolean;
	/** Jobs of other accounts begun since local midnight. */
	readonly jobsToday: number;
}

/** Why nothing is lent for now; `person`: they pressed Pause. */
export type PauseCause = 'person' | 'hours' | 'battery' | 'hidden' | 'jobs';

/** A laptop on its battery is spared where the browser tells; all else goes until the contributor says otherwise. */
export const DEFAULT_LIMITS: LendingLimits = {
	hours: undefined,
	onlyPluggedIn: true,
	whileHidden: true,
	jobsPerDay: undefined,
	onlyPeople: false
};

const MINUTES_A_DAY = 24 * 60;
/** More than a device can answer in a day; a bound for what is read back from storage. */
const MAX_JOBS_PER_DAY = 100_000;

/** Undefined when it may be lent, else the first cause against it. */
export function pauseCause(limits: LendingLimits, now: Circumstances): PauseCause | undefined {
	if (limits.hours !== undefined && !within(limits.hours, now.minuteOfDay)) return 'hours';
	if (limits.onlyPluggedIn && now.pluggedIn === false) return 'battery';
	if (!limits.whileHidden && now.hidden) return 'hidden';
	if (limits.jobsPerDay !== undefined && now.jobsToday >= limits.jobsPerDay) return 'jobs';
	return undefined;
}

function within({ from, to }: Hours, minute: number): boolean {
	// Of equal ones either half holds, whatever the minute.
	return from < to ? minute >= from && minute < to : minute >= from || minute < to;
}

/** As one line for the settings table. */
export const writeLimits = (limits: LendingLimits): string => JSON.stringify(limits);

/** What `writeLimits` wrote. Whatever else stands there, from another version or by accident, gives the default for that limit. */
export function readLimits(text: unknown): LendingLimits {
	const found = parsed(text);
	const { hours, onlyPluggedIn, whileHidden, jobsPerDay, onlyPeople } = found;
	return {
		hours: isHours(hours) ? { from: hours.from, to: hours.to } : DEFAULT_LIMITS.hours,
		onlyPluggedIn: typeof onlyPluggedIn === 'boolean' ? onlyPluggedIn : DEFAULT_LIMITS.onlyPluggedIn,
		whileHidden: typeof whileHidden === 'boolean' ? whileHidden : DEFAULT_LIMITS.whileHidden,
		jobsPerDay: isWithin(jobsPerDay, 1, MAX_JOBS_PER_DAY) ? jobsPerDay : DEFAULT_LIMITS.jobsPerDay,
		onlyPeople: typeof onlyPeople === 'boolean' ? onlyPeople : DEFAULT_LIMITS.onlyPeople
	};
}

/** `Object` of what is no object, as null or 5, is one without fields. */
function parsed(text: unknown): Partial<Record<keyof LendingLimits, unknown>> {
	try {
		return Object(typeof text === 'string' ? JSON.parse(text) : undefined) as Partial<
			Record<keyof LendingLimits, unknown>
		>;
	} catch {
		return {};
	}
}

function isHours(value: unknown): value is Hours {
	const { from, to } = Object(value) as Partial<Record<keyof Hours, unknown>>;
	return isWithin(from, 0, MINUTES_A_DAY - 1) && isWithin(to, 0, MINUTES_A_DAY - 1);
}

function isWithin(value: unknown, least: number, most: number): value is number {
	return Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
}

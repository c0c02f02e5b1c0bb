/**
 * Watches whether this device may be lent just now: the limits its owner set, the clock, the battery, the tab's visibility and the day's jobs.
 * What is decided stands in market/lending; here it is only asked at the right moments.
 */
import {
	DEFAULT_LIMITS,
	pauseCause,
	readLimits,
	writeLimits,
	type Circumstances,
	type LendingLimits,
	type PauseCause
} from '#lib/market/lending.ts';
import type { Clock } from '#lib/ports/clock.ts';
import type { Store } from '#lib/ports/store.ts';
import type { Watched } from './app.ts';
import { SharedSetting } from './shared-setting.ts';

/** What the browser tells of the device. */
export type Surroundings = Pick<Circumstances, 'pluggedIn' | 'hidden'>;

export interface LendingPorts {
	readonly store: Pick<Store, 'settings' | 'assigned'>;
	readonly clock: Clock;
	readonly surroundings: Watched<Surroundings>;
}

/** Name of the setting that holds the limits. */
const SETTING = 'lending-limits';
/** The hours are looked at this often; they are set by the minute. */
const LOOK_EVERY_MS = 15_000;

export class Lending {
	/** The same in every tab of the profile. */
	readonly limits: Watched<LendingLimits>;
	readonly #ports: LendingPorts;
	readonly #kept: SharedSetting<LendingLimits>;
	#paused = false;
	#judge: (() => void) | undefined;

	constructor(ports: LendingPorts) {
		this.#ports = ports;
		this.#kept = new SharedSetting({
			...{ settings: ports.store.settings, now: () => ports.clock.now(), id: SETTING },
			read: readLimits,
			write: writeLimits,
			// Whether strangers may be answered is not known then.
			unread: { ...DEFAULT_LIMITS, onlyPeople: true }
		});
		this.limits = this.#kept.value;
	}

	/** Sets and keeps the limits. Refusals of the store; the limits hold for this visit all the same. */
	async set(limits: LendingLimits): Promise<void> {
		await this.#kept.set(readLimits(writeLimits(limits)));
	}

	/** The person's own pause, until they end it or the tab does. */
	pause(paused: boolean): void {
		this.#paused = paused;
		this.#judge?.();
	}

	/** Says at once, and at every change from then on, why nothing may be lent; undefined: it may. Returns how to stop. */
	async follow(say: (cause: PauseCause | undefined) => void): Promise<() => void> {
		await this.#kept.ready();
		const { store, clock, surroundings } = this.#ports;
		const stopping = new AbortController();
		let said: { readonly cause: PauseCause | undefined } | undefined;
		const ask = async (): Promise<void> => {
			const cause = await this.#cause();
			if (stopping.signal.aborted || (said !== undefined && said.cause === cause)) return;
			said = { cause };
			say(cause);
		};
		// One after the other: a slow look at the day's jobs must not overtake a later pause.
		let last = Promise.resolve();
		const judge = () => (last = last.then(ask));
		this.#judge = () => void judge();
		const deaf = [
			surroundings.observe(this.#judge),
			store.assigned.observe(this.#judge),
			this.limits.observe(this.#judge)
		];
		const watch = async () => {
			for (;;) {
				await clock.sleep(LOOK_EVERY_MS, stopping.signal);
				await judge();
			}
		};
		await judge();
		watch().catch(() => undefined);
		return () => {
			this.#judge = undefined;
			this.#paused = false;
			stopping.abort();
			for (const stop of deaf) stop();
		};
	}

	async #cause(): Promise<PauseCause | undefined> {
		if (this.#paused) return 'person';
		const { clock, surroundings } = this.#ports;
		const limits = this.limits.value;
		const now = new Date(clock.now());
		const minuteOfDay = 60 * now.getHours() + now.getMinutes();
		const jobsToday = limits.jobsPerDay === undefined ? 0 : await this.#jobsSince(now.setHours(0, 0, 0, 0));
		return pauseCause(limits, { ...surroundings.value, minuteOfDay, jobsToday });
	}

	/** Jobs of other accounts. What cannot be read is counted as none: the limit is the owner's comfort, not a defence. */
	async #jobsSince(midnight: number): Promise<number> {
		const jobs = await this.#ports.store.assigned.list().catch(() => []);
		return jobs.filter((job) => !job.sameAccount && job.createdAt >= midnight).length;
	}
}

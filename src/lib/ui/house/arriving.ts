/** A move as its new place sees it: it waits, takes in what comes as it would from a file, and tells the old place how that ended. */
import type { App } from '#lib/node/app.ts';
import type { Arrived } from '#lib/node/move-in.ts';
import { Move } from './move.svelte.ts';
import { Restoring } from './restoring.svelte.ts';
import { cameWords, moveInWords } from './words.ts';

export class Arriving {
	readonly move = new Move(moveInWords);
	readonly restoring: Restoring;
	readonly #app: () => App | undefined;
	/** Until the old place was told how it ended. */
	#arrived: Arrived | undefined;

	/** `remember`: over the start of a new page, what was restored. */
	constructor(app: () => App | undefined, remember: (said: string) => void) {
		this.#app = app;
		this.restoring = new Restoring(app, remember, (whole) => this.#end(whole), cameWords);
	}

	/** Shows a code and waits; resolves when what came was opened, or when that ended early, which the states then say. */
	async begin(): Promise<void> {
		this.restoring.cancel();
		const arrived = await this.move.run(async (person, signal) => this.#app()?.house.moveIn(person, signal));
		this.#arrived = arrived;
		if (arrived === undefined) return;
		this.move.reset();
		await this.restoring.open(arrived.file, arrived.passphrase);
	}

	/** Tells the old place, if it still waits, that nothing was kept. */
	leave(): void {
		this.#arrived?.leave();
		this.#arrived = undefined;
	}

	/** The screen goes: everything stops. What is just being taken in is kept or taken back first, and the old place told which. */
	close(): void {
		const taking = this.restoring.state.step === 'restoring';
		this.restoring.cancel();
		if (taking) return;
		this.move.stop();
		this.leave();
	}

	async #end(whole: boolean): Promise<void> {
		if (!whole) return this.leave();
		const arrived = this.#arrived;
		this.#arrived = undefined;
		await arrived?.kept();
	}
}

/** A long page stands a piece at a time, so that on a slow phone what is already there can be read and pressed meanwhile. */

/** To be made while a component is made; ends with it. */
export class Unhurried {
	readonly #many: () => number;
	/** How many pieces stand. */
	count = $state(1);

	/** Of `many` pieces the first stands at once, each further one a task later. */
	constructor(many: () => number) {
		this.#many = many;
		$effect(() => {
			if (this.done) return;
			const timer = setTimeout(() => this.count++);
			return () => clearTimeout(timer);
		});
	}

	get done(): boolean {
		return this.count >= this.#many();
	}
}

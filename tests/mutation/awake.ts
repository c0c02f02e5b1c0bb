/** Wakes the mutant that the resident process names, before the tests load anything. Loaded in the instrumented tree only. */
import 'vitest';

/** Under which name it is handed to the tests. */
export const MUTANT = 'fireweedMutant';

declare module 'vitest' {
	interface ProvidedContext {
		[MUTANT]: string;
	}
}

/** Stryker's switch, which its instrumented code reads. */
interface Switch {
	activeMutant?: string;
}

/** No effect with an empty name. */
export function wake(mutant: string | undefined): void {
	if (mutant === undefined || mutant === '') return;
	const all = globalThis as { __stryker__?: Switch };
	(all.__stryker__ ??= {}).activeMutant = mutant;
}

/** Writes down, at the end of a process or of a test file, which mutants would have run. Loaded in the instrumented tree only. */
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { COVERAGE } from './checks.ts';

interface Stryker {
	readonly mutantCoverage?: { readonly static: Readonly<Record<string, number>> };
}

/** No effect where nobody asked for it. */
export function writeCoverage(): void {
	const folder = process.env[COVERAGE];
	if (folder === undefined) return;
	const { __stryker__ } = globalThis as { __stryker__?: Stryker };
	const ids = Object.keys(__stryker__?.mutantCoverage?.static ?? {});
	writeFileSync(join(folder, `${randomUUID()}.json`), JSON.stringify(ids));
}

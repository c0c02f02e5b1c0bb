/** Runs beside every unit test in the instrumented tree, before the test's own imports. */
import { afterAll, inject } from 'vitest';
import { MUTANT, wake } from './awake.ts';
import { writeCoverage } from './coverage.ts';

wake(inject(MUTANT));
afterAll(writeCoverage);

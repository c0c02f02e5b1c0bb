/** Runs beside every unit test in the instrumented tree. */
import { afterAll } from 'vitest';
import { writeCoverage } from './coverage.ts';

afterAll(writeCoverage);

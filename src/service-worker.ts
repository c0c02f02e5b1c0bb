/** The loader's door. It hands over to workers/offline.ts at once and holds no decision of its own. */
import { serveOffline, type OfflineScope } from '#workers/offline.ts';
import { firstKeys } from '#lib/survival/root.ts';

declare const self: OfflineScope;

serveOffline(self, firstKeys());

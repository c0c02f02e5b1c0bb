/** The loader. It hands over to workers/offline.ts at once and holds no decision of its own. */
import { serveOffline, type OfflineScope, type PrecacheEntry } from '#workers/offline.ts';

declare const self: OfflineScope & { __WB_MANIFEST: PrecacheEntry[] };

serveOffline(self, self.__WB_MANIFEST);

/** Before each file: files share a process (tests/vitest.config.ts), and no file shall find the databases of another. */
import { IDBFactory } from 'fake-indexeddb';

if ('indexedDB' in globalThis) globalThis.indexedDB = new IDBFactory();

/**
 * ReleaseNewsV1: the newest release a node knows, passed on whole. Whoever is kept from updates by the place the app comes from hears of
 * them here. The news is in the signed documents, not in the word of who passes them on: a liar has nothing to say.
 */
import { kind, type BodyOf } from './envelope.ts';
import { MAX_GOSSIP_MESSAGE } from './limits.ts';
import { blob, extensions, fields, optional, stamp } from './shape.ts';

/** Room for a manifest under sixteen signatures, and for the keys it needs in most cases; larger ones are fetched, not passed on. */
export const MAX_NEWS_DOCUMENT = 3 * 1024;

export const releaseNews = kind(
	'ReleaseNews',
	1,
	fields({
		/** A ReleaseManifestV1 document. */
		manifest: blob(MAX_NEWS_DOCUMENT),
		/** The ReleaseKeysV1 document it is signed under, for readers who know the keys before; absent for the first keys. */
		keys: optional(blob(MAX_NEWS_DOCUMENT)),
		issuedAt: stamp,
		extensions
	}),
	MAX_GOSSIP_MESSAGE - 1024
);
export type ReleaseNews = BodyOf<typeof releaseNews>;

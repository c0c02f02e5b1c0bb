/** The ports the story runs over, handed in by a composition root. */
import type { Clock } from '#lib/ports/clock.ts';
import type { Crypto } from '#lib/ports/crypto.ts';
import type { Engine } from '#lib/ports/engine.ts';
import type { Identity, Keys, Signer } from '#lib/ports/keys.ts';
import type { Log } from '#lib/ports/log.ts';
import type { Mesh, PeerId } from '#lib/ports/mesh.ts';
import type { Random } from '#lib/ports/random.ts';
import type { Store } from '#lib/ports/store.ts';
import type { Offer } from './app.ts';
import type { Choosing } from './registry.ts';

export interface NodePorts {
	readonly mesh: Mesh;
	readonly store: Pick<Store, 'jobs' | 'bids' | 'assigned' | 'receipts' | 'capabilities'>;
	readonly identity: Identity;
	/** A fresh key for one job. */
	readonly jobKey: () => Promise<Signer>;
	/** Those of running jobs, over a reload. */
	readonly jobKeys: Pick<Keys, 'keepJobKey' | 'keptJobKey' | 'dropJobKey'>;
	readonly crypto: Crypto;
	readonly clock: Clock;
	readonly random: Random;
	readonly log: Log;
	/** Executors that offer the model (any, when undefined) just now; undefined while some may not have been heard of yet. */
	readonly offering: (model: string | undefined) => readonly PeerId[] | undefined;
	/** Offers that still hold, as far as they were heard. */
	readonly offers: () => readonly Offer[];
	/** Who did well here before, and whom to choose therefore. */
	readonly registry: Choosing;
}

export interface ExecutorPorts extends NodePorts {
	readonly engine: Engine;
}

/** A contributor reduced to what others hear of it: its identity and its capability statements. Runs in Node and in a page. */
import type { Identity, Signer } from '#lib/ports/keys.ts';
import { capabilityAdvertisement, type CapabilityAdvertisement } from '#lib/protocol/capability.ts';
import { certify } from '#lib/protocol/certificate.ts';
import { formatDid, formatPeerId } from '#lib/protocol/did.ts';
import { seal } from '#lib/protocol/envelope.ts';
import { SAMPLES } from '../fixtures/messages.ts';

const SAMPLE = SAMPLES.find(({ kind }) => kind.type === capabilityAdvertisement.type)?.body as CapabilityAdvertisement;

/** The node `node` of the account `account`, with its certificate. */
export async function identityOf(account: Signer, node: Signer): Promise<Identity> {
	return {
		account: formatDid(account.publicKey),
		accountKey: account.publicKey,
		node,
		certificate: await certify(account, node.publicKey, Date.now()),
		peer: formatPeerId(node.publicKey),
		nodeSince: Date.now(),
		kept: 'session'
	};
}

/** A statement as it would be published at `now`; `change` overrides parts of it. */
export async function statement(
	identity: Pick<Identity, 'node' | 'certificate'>,
	now: number,
	change: Partial<CapabilityAdvertisement> = {}
): Promise<Uint8Array> {
	const body = { ...SAMPLE, addresses: [], sequence: now, issuedAt: now, ...change };
	return (await seal(capabilityAdvertisement, body, identity.node, identity.certificate)).bytes;
}

/** What counts as a bid: for this very job and its terms, signed by a node of an account that is not this one; whatever else comes does no harm. */
import { beforeEach, describe, expect, it } from 'vitest';
import type { AnnouncedJob } from '#lib/node/announce.ts';
import { admitBid, restate, whoBid, type SignedBid } from '#lib/node/bidding.ts';
import { jobAnnouncement } from '#lib/protocol/announcement.ts';
import { jobBid, jobInterest } from '#lib/protocol/bid.ts';
import { certify } from '#lib/protocol/certificate.ts';
import { open, seal } from '#lib/protocol/envelope.ts';
import { MAX_GOSSIP_MESSAGE } from '#lib/protocol/limits.ts';
import { OWN, square, type Lender, type Square } from '../doubles/square.ts';

let at: Square;
let job: AnnouncedJob;
let [a, b] = [] as unknown as [Lender, Lender];
beforeEach(async () => {
	at = await square();
	job = await at.job();
	[a, b] = await Promise.all([at.lender(1), at.lender(2)]);
});
const refusals = () =>
	at.log.flatMap(({ event, facts }) => (event === 'bid-refused' ? [(facts as { code: string }).code] : []));

describe('a bid that came', () => {
	const admit = async (bytes: Uint8Array, ports = at.ports) => admitBid(bytes, job, [job.announcement], ports);

	it('is who bid, of which account, and when it was heard', async () => {
		await at.clock.pass(33);
		const signed = await a.bid(job);
		const word = await admit(signed.bytes);
		const { account, accountKey } = a.identity;
		const offer: SignedBid = {
			...{ bid: signed.body, signed, executor: a.peer, account, accountKey, sameAccount: false, heardAt: 33 }
		};
		expect(word).toEqual({ type: 'offer', executor: a.peer, offer: { ...offer, signed: expect.anything() as never } });
		expect(word?.type === 'offer' && word.offer.signed.cid.equals(signed.cid)).toBe(true);
		expect(whoBid(offer)).toEqual({ id: a.peer, account, addresses: ['/memory/1'] });
		const kin = await at.lender(5, OWN);
		expect(await admit((await kin.bid(job)).bytes)).toMatchObject({ offer: { sameAccount: true } });
		expect(refusals()).toEqual([]);
	});

	it('may be that it could, later', async () => {
		expect(await admit((await a.interest(job, { readyInMs: 700 })).bytes)).toEqual({
			...{ type: 'interest', executor: a.peer, readyInMs: 700 }
		});
		expect(await admit((await a.interest(job, { readyInMs: 700, why: 'loading' })).bytes)).toMatchObject({
			type: 'interest'
		});
		expect(await admit((await a.interest(job, { readyInMs: 800, why: 'busy' })).bytes)).toEqual({
			...{ type: 'full', retryMs: 800 }
		});
	});

	it('for another job is nobody’s fault', async () => {
		const other = await at.job();
		expect(await admit((await a.bid(other)).bytes)).toBeUndefined();
		expect(await admit((await a.interest(other)).bytes)).toBeUndefined();
		expect(refusals()).toEqual([]);
	});

	it('on other terms, of no account, of nobody or of this node itself is refused, and counted', async () => {
		const self = { ...at.ports.identity };
		const { body } = await a.bid(job);
		const signedBy = (certificate?: Uint8Array) => seal(jobBid, body, a.identity.node, certificate);
		const cases: readonly (readonly [string, Uint8Array])[] = [
			['terms-differ', (await a.bid(job, { announcement: (await at.job()).announcement.cid })).bytes],
			['bad-certificate', (await signedBy()).bytes],
			['bad-certificate', (await signedBy(b.identity.certificate)).bytes],
			['replayed', (await seal(jobBid, body, self.node, self.certificate)).bytes],
			['unknown-type', job.announcement.bytes],
			['oversized', new Uint8Array(MAX_GOSSIP_MESSAGE + 1)],
			['malformed', Uint8Array.of(1)]
		];
		for (const [code, bytes] of cases) {
			at.log.length = 0;
			expect(await admit(bytes)).toBeUndefined();
			expect(at.log).toEqual([{ event: 'bid-refused', facts: { code } }]);
		}
	});

	it('and whose words another has signed, or whose certificate is over, is refused', async () => {
		const forged = { ...at.ports, crypto: { verify: async () => false } } as unknown as typeof at.ports;
		for (const { bytes } of [await a.bid(job), await a.interest(job)]) {
			expect(await admit(bytes, forged)).toBeUndefined();
			expect(refusals().pop()).toBe('bad-signature');
		}
		const account = at.seals.signer(new Uint8Array(32).fill(1));
		const old = await certify(account, a.identity.node.publicKey, at.clock.now() - 366 * 24 * 3_600_000);
		const { body } = await a.bid(job);
		expect(await admit((await seal(jobBid, body, a.identity.node, old)).bytes)).toBeUndefined();
		expect(refusals().pop()).toBe('bad-certificate');
	});

	it('that says when it could needs an account too', async () => {
		const { body } = await a.bid(job);
		const said = { job: body.job, announcement: body.announcement, model: 'small', readyInMs: 1 };
		const { bytes } = await seal(
			jobInterest,
			{ ...said, why: 'busy', issuedAt: at.clock.now(), extensions: {} },
			a.identity.node
		);
		expect(await admit(bytes)).toBeUndefined();
		expect(refusals()).toEqual(['bad-certificate']);
	});
});

it('a wish is said again as it was, but for what was learnt and its stamp', async () => {
	await at.clock.pass(500);
	const again = await restate(job, { model: 'small', promptTokens: 512 }, at.ports);
	const learnt = { model: 'small', promptTokens: 512, issuedAt: at.clock.epoch + 500 };
	expect(again.body).toStrictEqual({ ...job.announcement.body, ...learnt });
	expect((await open(jobAnnouncement, again.bytes, at.seals)).signer).toEqual(job.key.publicKey);
});

/** A kept receipt, opened for reading: every signature is checked here and now, over the bytes that were kept. */
import type { Crypto } from '#lib/ports/crypto.ts';
import type { ReceiptRecord } from '#lib/ports/store.ts';
import { jobBid } from '#lib/protocol/bid.ts';
import { openCertificate } from '#lib/protocol/certificate.ts';
import { acknowledgement, checkpoint } from '#lib/protocol/checkpoint.ts';
import { formatDid, formatPeerId } from '#lib/protocol/did.ts';
import { preimage, read, type Kind, type Signed } from '#lib/protocol/envelope.ts';
import { executionReceipt, receiptCountersignature } from '#lib/protocol/receipt.ts';
import { toHex } from '#lib/protocol/encode.ts';
import { asLink, type Link } from '#lib/protocol/encode.ts';
import type { OpenedReceipt, SignatureCheck } from './app.ts';

/** Refusals `malformed` and friends when the kept bytes are no receipt any more. `now`: Unix ms. */
export async function openReceipt(record: ReceiptRecord, crypto: Crypto, now: number): Promise<OpenedReceipt> {
	return record.kind === 'sealed' ? openSealed(record, crypto, now) : openCheckpoint(record, crypto);
}

async function openSealed(record: ReceiptRecord, crypto: Crypto, now: number): Promise<OpenedReceipt> {
	const receipt = read(executionReceipt, record.document);
	const { body } = receipt;
	const other = record.counterpart === undefined ? undefined : read(receiptCountersignature, record.counterpart);
	const sameBytes = other !== undefined && other.cid.equals(receipt.cid);
	// A certificate that has run out since does not undo what was signed under it.
	const certified = await openCertificate(receipt, crypto, Math.min(now, body.endedAt)).then(
		() => true,
		() => false
	);
	return {
		...common(record, receipt.cid),
		epoch: body.epoch,
		status: body.status,
		executor: formatPeerId(body.executorNode),
		executorAccount: formatDid(body.executorAccount),
		model: body.model.id,
		modelName: body.model.name,
		engineClass: body.model.engineClass,
		weightsHash: toHex(body.model.weightsHash),
		promptTokens: body.promptTokens,
		answerTokens: body.answerTokens,
		startPosition: body.startPosition,
		startedAt: body.startedAt,
		endedAt: body.endedAt,
		price: body.price,
		pricePer1k: body.pricePer1k,
		signatures: [
			await check('executor', body.executorNode, executionReceipt, receipt, crypto, certified),
			await check('originator', body.originator, receiptCountersignature, other, crypto, sameBytes)
		],
		predecessors: body.predecessors.map(String),
		fields: plain(body)
	};
}

async function openCheckpoint(record: ReceiptRecord, crypto: Crypto): Promise<OpenedReceipt> {
	const signed = read(checkpoint, record.document);
	const { body } = signed;
	const answer = record.counterpart === undefined ? undefined : read(acknowledgement, record.counterpart);
	const bid = record.terms === undefined ? undefined : read(jobBid, record.terms);
	const answers =
		answer !== undefined && answer.body.checkpoint.equals(signed.cid) && answer.body.tokens === body.tokens;
	const node = bid?.signer ?? signed.signer;
	const { startPosition = 0 } = record;
	return {
		...common(record, signed.cid),
		epoch: body.epoch,
		status: 'partial',
		executor: formatPeerId(node),
		executorAccount: undefined,
		model: bid?.body.model.id,
		modelName: bid?.body.model.name,
		engineClass: bid?.body.model.engineClass,
		weightsHash: bid === undefined ? undefined : toHex(bid.body.model.weightsHash),
		promptTokens: undefined,
		// A checkpoint counts from the beginning of the answer, whoever began it.
		answerTokens: body.tokens - startPosition,
		startPosition,
		startedAt: undefined,
		endedAt: body.issuedAt,
		price: undefined,
		pricePer1k: bid?.body.pricePer1k,
		signatures: [
			await check('executor', node, checkpoint, signed, crypto, true),
			await check('originator', answer?.signer ?? new Uint8Array(32), acknowledgement, answer, crypto, answers)
		],
		predecessors: [],
		fields: plain(body)
	};
}

function common(record: ReceiptRecord, cid: Link) {
	const { kind, role, job, document } = record;
	return { cid: record.cid, kind, role, job, document, cidMatches: cid.toString() === record.cid };
}

async function check(
	who: SignatureCheck['who'],
	key: Uint8Array,
	of: Kind<unknown>,
	signed: Signed<unknown> | undefined,
	crypto: Crypto,
	fits: boolean
): Promise<SignatureCheck> {
	const present = signed !== undefined;
	const by = present && toHex(signed.signer) === toHex(key);
	const valid =
		by && fits && (await crypto.verify(key, preimage(of.type, of.version, signed.bodyBytes), signed.signature));
	return { who, key: present ? formatDid(key) : '', valid, present };
}

type Plain = string | number | boolean;

/** Every field by its path, bytes as hex, links as text: what an export and the sheet's last section show. */
function plain(value: unknown, path = ''): Record<string, Plain> {
	if (value instanceof Uint8Array) return { [path]: toHex(value) };
	const cid = asLink(value);
	if (cid !== undefined) return { [path]: cid.toString() };
	if (typeof value === 'object') {
		// A checked body holds no null: what may be missing is absent.
		const entries = Object.entries(value as object).map(([name, inner]) =>
			plain(inner, path === '' ? name : `${path}.${name}`)
		);
		return Object.assign({}, ...entries) as Record<string, Plain>;
	}
	return { [path]: value as Plain };
}

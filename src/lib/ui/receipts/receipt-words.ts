/**
 * A receipt in words: how it ended, what kind it is, and its fields as a person reads them.
 */
import type { OpenedReceipt, SignatureCheck } from '#lib/node/app.ts';
import { count, counted, credits, duration, moment, perThousand } from '../numbers.ts';

/** How a job ended, in one or two words. */
export const STATUS: Readonly<Record<OpenedReceipt['status'], string>> = {
	success: 'Complete',
	failed: 'Failed',
	cancelled: 'Stopped',
	partial: 'Part of an answer'
};

/** Who one was in it. */
export const ROLE: Readonly<Record<OpenedReceipt['role'], string>> = {
	originator: 'You asked',
	executor: 'This device answered'
};

/** What this receipt proves, in words. */
export const meaning = ({ kind, answerTokens }: OpenedReceipt): string =>
	kind === 'sealed'
		? 'Both sides signed the same page: what was asked for, how much was answered, and for how much.'
		: `The answer broke off before both sides could sign the whole. This is the last checkpoint: it proves ${counted(answerTokens, 'token', 'tokens')} and no more, so no more can ever be charged.`;

/** One signature in words. */
export function signatureWords({ who, present, valid }: SignatureCheck): string {
	const name = who === 'executor' ? 'The one who answered' : 'The one who asked';
	if (!present) return `${name} did not sign.`;
	return valid
		? `${name} signed; the signature fits.`
		: `${name} seems to have signed, but the signature does not fit.`;
}

/** A field for the sheet; `id` marks values to be shown as they are, for copying. */
export interface Field {
	readonly name: string;
	readonly value: string;
	readonly id?: boolean;
}

/** The fields that are known, in reading order. */
export function fieldsOf(receipt: OpenedReceipt): readonly Field[] {
	const fields: Field[] = [];
	const add = (name: string, value: string | undefined, id = false) => {
		if (value !== undefined) fields.push({ name, value, id });
	};
	const { startedAt, endedAt, price, pricePer1k } = receipt;
	add('Your part', ROLE[receipt.role]);
	add('Model', receipt.modelName ?? receipt.model);
	add('Prompt', receipt.promptTokens === undefined ? undefined : counted(receipt.promptTokens, 'token', 'tokens'));
	add('Answer', counted(receipt.answerTokens, 'token', 'tokens'));
	const { startPosition } = receipt;
	add('Goes on', startPosition > 0 ? `after ${counted(startPosition, 'token', 'tokens')}` : undefined);
	add('Price', price === undefined ? undefined : credits(price));
	add('Agreed rate', pricePer1k === undefined ? undefined : perThousand(pricePer1k));
	add('Began', startedAt === undefined ? undefined : moment(startedAt));
	add('Ended', endedAt === undefined ? undefined : moment(endedAt));
	add(
		'Took',
		startedAt === undefined || endedAt === undefined ? undefined : duration(Math.max(0, endedAt - startedAt))
	);
	add('Assignment', `number ${count(receipt.epoch)} of this job`);
	return fields;
}

/** The identifiers, for those who want to compare. */
export function identifiersOf(receipt: OpenedReceipt): readonly Field[] {
	const fields: Field[] = [];
	const add = (name: string, value: string | undefined) => {
		if (value !== undefined) fields.push({ name, value, id: true });
	};
	add('Job', receipt.job);
	add('Node that answered', receipt.executor);
	add('Its account', receipt.executorAccount);
	add('Model id', receipt.model);
	add('Weights (SHA-256)', receipt.weightsHash);
	add('Engine', receipt.engineClass);
	return fields;
}

/** The receipt as a file: its fields, and the signed bytes themselves, so that anyone can check it elsewhere. */
export const exported = (receipt: OpenedReceipt): string =>
	JSON.stringify(
		{
			cid: receipt.cid,
			kind: receipt.kind,
			fields: receipt.fields,
			signatures: receipt.signatures,
			predecessors: receipt.predecessors,
			document: { encoding: 'base64', bytes: base64(receipt.document) }
		},
		undefined,
		'\t'
	);

const base64 = (bytes: Uint8Array): string => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));

/**
 * A receipt in words: how it ended, what kind it is, and its fields as a person reads them.
 */
import type { OpenedReceipt, SignatureCheck } from '#lib/node/app.ts';
import { t } from '../language/language.svelte.ts';
import { count, credits, duration, moment, perThousand } from '../numbers.ts';

/** How a job ended, in one or two words. */
export const STATUS: Readonly<Record<OpenedReceipt['status'], string>> = {
	get success() {
		return t('receipts.complete');
	},
	get failed() {
		return t('receipts.failed');
	},
	get cancelled() {
		return t('chat.stopped');
	},
	get partial() {
		return t('receipts.part-of-an-answer');
	}
};

/** Who one was in it. */
export const ROLE: Readonly<Record<OpenedReceipt['role'], string>> = {
	get originator() {
		return t('receipts.you-asked');
	},
	get executor() {
		return t('receipts.this-device-answered');
	}
};

/** What this receipt proves, in words. */
export const meaning = ({ kind, answerTokens }: OpenedReceipt): string =>
	kind === 'sealed' ? t('receipts.both-sides-signed') : t('receipts.the-answer-broke-off', { n: answerTokens });

/** One signature in words. */
export function signatureWords({ who, present, valid }: SignatureCheck): string {
	const answerer = who === 'executor';
	if (!present) return t(answerer ? 'receipts.answerer-unsigned' : 'receipts.asker-unsigned');
	if (valid) return t(answerer ? 'receipts.answerer-signed' : 'receipts.asker-signed');
	return t(answerer ? 'receipts.answerer-misfit' : 'receipts.asker-misfit');
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
	add(t('receipts.your-part'), ROLE[receipt.role]);
	add(t('all.model'), receipt.modelName ?? receipt.model);
	add(
		t('receipts.prompt'),
		receipt.promptTokens === undefined ? undefined : t('number.tokens', { n: receipt.promptTokens })
	);
	add(t('chat.answer'), t('number.tokens', { n: receipt.answerTokens }));
	const { startPosition } = receipt;
	add(t('receipts.goes-on'), startPosition > 0 ? t('receipts.after-tokens', { n: startPosition }) : undefined);
	add(t('receipts.price'), price === undefined ? undefined : credits(price));
	add(t('receipts.agreed-rate'), pricePer1k === undefined ? undefined : perThousand(pricePer1k));
	add(t('receipts.began'), startedAt === undefined ? undefined : moment(startedAt));
	add(t('receipts.ended'), endedAt === undefined ? undefined : moment(endedAt));
	add(
		t('receipts.took'),
		startedAt === undefined || endedAt === undefined ? undefined : duration(Math.max(0, endedAt - startedAt))
	);
	add(t('receipts.assignment'), t('receipts.number-of-this-job', { epoch: count(receipt.epoch) }));
	return fields;
}

/** The identifiers, for those who want to compare. */
export function identifiersOf(receipt: OpenedReceipt): readonly Field[] {
	const fields: Field[] = [];
	const add = (name: string, value: string | undefined) => {
		if (value !== undefined) fields.push({ name, value, id: true });
	};
	add(t('receipts.job'), receipt.job);
	add(t('receipts.node-that-answered'), receipt.executor);
	add(t('receipts.its-account'), receipt.executorAccount);
	add(t('receipts.model-id'), receipt.model);
	add(t('receipts.weights'), receipt.weightsHash);
	add(t('receipts.engine'), receipt.engineClass);
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

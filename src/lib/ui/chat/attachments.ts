/**
 * Text files that go with a message. What a model is given is the files, each fenced and named, and then the words: a question asked
 * last is answered best.
 */
import type { Message } from '#lib/ports/store.ts';
import { t, type Key } from '../language/language.svelte.ts';

/** Of one file, in bytes: twice the longest prompt that the mesh takes, so that a refusal can say what is wrong with it. */
export const MAX_FILE_BYTES = 512 * 1024;
/** Files of one message. */
export const MAX_FILES = 8;
/** A paste longer than this becomes a file: a text box that holds so much is slow to type in, and the message slow to read past. */
export const LONG_PASTE = 8_000;

/** Why a file was not taken. */
export type FileFault = 'too-large' | 'not-text' | 'too-many' | 'empty';

const FAULTS: Readonly<Record<FileFault, Key>> = {
	'too-large': 'chat.is-larger-than-512-kb',
	'not-text': 'chat.is-not-a-text-file',
	'too-many': 'chat.was-left-out-a-message',
	empty: 'chat.is-empty'
};

/** One sentence about the file of that name. */
export const faultWords = (fault: FileFault, name: string): string =>
	t(FAULTS[fault], { name: cleanName(name), most: MAX_FILES });

/** What was found in a file. */
export type Read = { readonly text: string } | { readonly fault: FileFault };

/** The text in `bytes`, or why it is none. UTF-8, or UTF-16 with its mark, as editors write them. */
export function textOf(bytes: Uint8Array): Read {
	if (bytes.length === 0) return { fault: 'empty' };
	if (bytes.length > MAX_FILE_BYTES) return { fault: 'too-large' };
	const [first, second] = bytes;
	const encoding =
		first === 0xff && second === 0xfe ? 'utf-16le' : first === 0xfe && second === 0xff ? 'utf-16be' : 'utf-8';
	try {
		const text = new TextDecoder(encoding, { fatal: true }).decode(bytes);
		// No text holds this; every picture and program does, early on.
		return text.includes('\u0000') ? { fault: 'not-text' } : { text: text.replaceAll(/\r\n?/g, '\n') };
	} catch {
		return { fault: 'not-text' };
	}
}

/** A name of one line, without what could turn its direction or pass for a fence. */
export const cleanName = (name: string): string =>
	name
		.replaceAll(/[\p{Cc}\p{Cf}`]/gu, '')
		.trim()
		.slice(0, 120) || 'file';

/** What the model is given for a message. */
export function contentOf({ text, attachments = [] }: Pick<Message, 'text' | 'attachments'>): string {
	const files = attachments.map(({ name, text }) => {
		const fence = '`'.repeat(1 + (text.match(/`+/g) ?? []).reduce((most, run) => Math.max(most, run.length), 2));
		return `File ${cleanName(name)}:\n${fence}\n${text}${text.endsWith('\n') ? '' : '\n'}${fence}`;
	});
	return [...files, ...(text === '' ? [] : [text])].join('\n\n');
}

/**
 * About how many tokens a text takes: a word of Latin letters is one or two, a Chinese character about one. Right within a third
 * for the usual tokenizers; for a warning, never for a decision.
 */
export function aboutTokens(text: string): number {
	const wide = text.match(/[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]/g)?.length ?? 0;
	return Math.ceil(wide + (text.length - wide) / 4);
}

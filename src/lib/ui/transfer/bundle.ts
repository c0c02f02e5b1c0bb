/**
 * Conversations as a file, and back (docs/spec/conversation-files.md). A file is a stranger's: everything is checked and cut to size, and
 * ids are made anew, so that no file can write over what is here. Pure.
 */
import type { Answer, Attachment, Conversation, Manner, Message } from '#lib/ports/store.ts';
import { cleanName } from '../chat/attachments.ts';
import { tidy } from '../chat/manner.ts';
import { t } from '../language/language.svelte.ts';

export const FORMAT = 'fireweed-conversations';
export const VERSION = 1;

/** A file larger than this is not read: years of talk are a tenth of it. In bytes. */
export const MAX_FILE = 64 * 1024 * 1024;
const MAX_CONVERSATIONS = 20_000;
const MAX_MESSAGES = 200_000;
const MAX_TEXT = 4_000_000;
const MAX_ATTACHMENTS = 64;

/** A conversation with all its branches. */
export interface Whole {
	readonly conversation: Conversation;
	readonly messages: readonly Message[];
}

/** Why a file was not taken. */
export type FileTrouble = 'not-readable' | 'nothing-in-it' | 'newer-version' | 'too-large';

/** The words for each, with what to do. */
export const TROUBLES: Readonly<Record<FileTrouble, string>> = {
	get 'not-readable'() {
		return t('transfer.this-is-not-a-file');
	},
	get 'nothing-in-it'() {
		return t('transfer.no-conversation-was-found-in');
	},
	get 'newer-version'() {
		return t('transfer.this-file-comes-from-a');
	},
	get 'too-large'() {
		return t('transfer.this-file-is-larger-than');
	}
};

/** What an answer keeps in a file. Its token ids stay out: they are of use only to the tab that is writing it. */
const answerOut = ({ tokens: _tokens, ...answer }: Answer): object => answer;

/** The JSON of conversations, messages of each so that every one comes after the one it follows. */
export function bundleOf(wholes: readonly Whole[], now: number): string {
	const conversations = wholes.map(({ conversation, messages }) => ({
		title: conversation.title,
		createdAt: conversation.createdAt,
		updatedAt: conversation.updatedAt,
		...(conversation.leaf !== undefined && { leaf: conversation.leaf }),
		...(conversation.manner && { manner: conversation.manner }),
		messages: [...messages]
			.sort((a, b) => a.order - b.order)
			.map(({ id, parent, role, text, createdAt, attachments, answer }) => ({
				id,
				parent: parent ?? null,
				role,
				text,
				createdAt,
				...(attachments && { attachments }),
				...(answer && { answer: answerOut(answer) })
			}))
	}));
	return JSON.stringify({ format: FORMAT, version: VERSION, exportedAt: now, conversations }, undefined, '\t');
}

/** What reading needs from outside. */
export interface Reading {
	readonly id: () => string;
	readonly now: number;
	/** Whether this text is the fixed, reviewed answer to this question: a file may not put other words under that name. */
	readonly fixed: (question: string, text: string) => boolean;
}

type Fields = Readonly<Record<string, unknown>>;
const fieldsOf = (value: unknown): Fields =>
	typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const textOf = (value: unknown, most: number): string | undefined =>
	typeof value === 'string' && value.length <= most ? value : undefined;
const numberOf = (value: unknown): number | undefined =>
	typeof value === 'number' && Number.isFinite(value) && value >= 0 && value <= Number.MAX_SAFE_INTEGER
		? value
		: undefined;
/** One line that turns no direction and hides nothing. */
export const lineOf = (value: unknown, most: number): string | undefined =>
	typeof value === 'string'
		? value
				.replaceAll(/[\p{Cc}\p{Cf}]/gu, ' ')
				.trim()
				.slice(0, most) || undefined
		: undefined;
const oneOf = <T extends string>(value: unknown, words: readonly T[]): T | undefined =>
	words.find((word) => word === value);

/** The conversations in the text of a JSON file: our own, or a bare list of `{role, content}` as many programs write it. */
export function readBundle(json: string, reading: Reading): readonly Whole[] | FileTrouble {
	let found: unknown;
	try {
		found = JSON.parse(json);
	} catch {
		return 'not-readable';
	}
	const file = fieldsOf(found);
	if (file['format'] !== FORMAT) return plainList(found, reading);
	if (typeof file['version'] !== 'number' || file['version'] > VERSION) return 'newer-version';
	let left = MAX_MESSAGES;
	const wholes: Whole[] = [];
	for (const each of listOf(file['conversations']).slice(0, MAX_CONVERSATIONS)) {
		const read = fieldsOf(each);
		const messages = listOf(read['messages']).slice(0, left);
		left -= messages.length;
		const whole = wholeOf(read, messages, reading);
		if (whole) wholes.push(whole);
	}
	return wholes.length > 0 ? wholes : 'nothing-in-it';
}

/** `[{role, content}]`, or `{messages: [...]}` around it, as OpenAI's interface has it. */
function plainList(found: unknown, reading: Reading): readonly Whole[] | FileTrouble {
	const file = fieldsOf(found);
	const list = listOf(Array.isArray(found) ? found : file['messages']).map(fieldsOf);
	const system = list.find(({ role }) => role === 'system')?.['content'];
	const messages = list
		.filter(({ role, content }) => (role === 'user' || role === 'assistant') && typeof content === 'string')
		.slice(0, MAX_MESSAGES)
		.map(({ role, content }) => ({ role, text: content }));
	const whole = wholeOf({ title: file['title'], manner: { system } }, messages, reading);
	return whole ? [whole] : 'nothing-in-it';
}

/** One conversation from what a file says of it; undefined when it holds no message. */
export function wholeOf(read: Fields, list: readonly unknown[], reading: Reading): Whole | undefined {
	const id = reading.id();
	const names = new Map<string, Message>();
	const messages: Message[] = [];
	for (const each of list) {
		const fields = fieldsOf(each);
		const role = oneOf(fields['role'], ['user', 'assistant']);
		const text = textOf(fields['text'], MAX_TEXT);
		if (role === undefined || text === undefined) continue;
		// What it follows must have come before; else it follows what did.
		const named = typeof fields['parent'] === 'string' ? names.get(fields['parent']) : undefined;
		const parent = named ?? (fields['parent'] === null ? undefined : messages.at(-1));
		const attachments = attachmentsOf(fields['attachments']);
		const message: Message = {
			id: reading.id(),
			conversation: id,
			role,
			text,
			createdAt: numberOf(fields['createdAt']) ?? reading.now,
			order: (parent?.order ?? -1) + 1,
			...(parent && { parent: parent.id }),
			...(attachments && { attachments }),
			...(role === 'assistant' && { answer: answerOf(fields['answer'], text, parent?.text ?? '', reading) })
		};
		messages.push(message);
		if (typeof fields['id'] === 'string') names.set(fields['id'], message);
	}
	const [first] = messages;
	if (!first) return undefined;
	const leaf = names.get(String(read['leaf']))?.id;
	const manner = mannerOf(fieldsOf(read['manner']));
	return {
		conversation: {
			id,
			title: lineOf(read['title'], 200) ?? lineOf(first.text, 60) ?? t('transfer.imported'),
			createdAt: numberOf(read['createdAt']) ?? first.createdAt,
			updatedAt: numberOf(read['updatedAt']) ?? reading.now,
			importedAt: reading.now,
			...(leaf !== undefined && { leaf }),
			...(manner && { manner })
		},
		messages
	};
}

function attachmentsOf(value: unknown): readonly Attachment[] | undefined {
	const found = listOf(value)
		.slice(0, MAX_ATTACHMENTS)
		.map(fieldsOf)
		.flatMap(({ name, text }) => {
			const held = textOf(text, MAX_TEXT);
			return held === undefined ? [] : [{ name: cleanName(String(name)), text: held }];
		});
	return found.length > 0 ? found : undefined;
}

function mannerOf({ system, sampling, maxTokens }: Fields): Manner | undefined {
	const { temperatureMilli, topK, topPMilli } = fieldsOf(sampling);
	const whole = [temperatureMilli, topK, topPMilli].every((value) => numberOf(value) !== undefined);
	return tidy({
		system: typeof system === 'string' ? system : undefined,
		sampling: whole
			? { temperatureMilli: Number(temperatureMilli), topK: Number(topK), topPMilli: Number(topPMilli) }
			: undefined,
		maxTokens: numberOf(maxTokens)
	});
}

function answerOf(value: unknown, text: string, question: string, { fixed }: Reading): Answer {
	const fields = fieldsOf(value);
	const by = oneOf(fields['by'], ['device', 'mesh', 'fixed']) ?? 'device';
	const status = oneOf(fields['status'], ['done', 'stopped', 'lost', 'failed', 'running']) ?? 'done';
	const positions = (list: unknown): number[] =>
		listOf(list)
			.map(numberOf)
			.filter((at): at is number => at !== undefined && Number.isSafeInteger(at) && at <= text.length)
			.slice(0, 1_000);
	const rough = positions(fields['roughSeams']);
	const modelId = lineOf(fields['modelId'], 200);
	const chosen = lineOf(fields['chosen'], 200);
	return {
		by: by === 'fixed' && !fixed(question, text) ? 'device' : by,
		status: status === 'running' ? 'lost' : status,
		model: lineOf(fields['model'], 120),
		...(modelId !== undefined && { modelId }),
		executor: lineOf(fields['executor'], 120),
		...(chosen !== undefined && { chosen }),
		region: lineOf(fields['region'], 60),
		...(fields['sameAccount'] === true && { sameAccount: true }),
		tokens: [],
		tokensPerSecond: numberOf(fields['tokensPerSecond']),
		price: numberOf(fields['price']),
		receipt: /^baf[a-z2-7]{20,100}$/.exec(String(fields['receipt']))?.[0],
		code: status === 'running' ? 'aborted' : lineOf(fields['code'], 60),
		seams: positions(fields['seams']),
		...(rough.length > 0 && { roughSeams: rough })
	};
}

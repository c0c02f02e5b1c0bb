/**
 * The shown branch of a conversation as Markdown for a person, with marks that no reader shows, by which it can be read back. Other
 * programs' exports are read by their headings. Pure.
 */
import type { Attachment, Conversation, Message } from '#lib/ports/store.ts';
import { cleanName } from '../chat/attachments.ts';
import { who } from '../chat/foot.ts';
import { lineOf, wholeOf, type FileTrouble, type Reading, type Whole } from './bundle.ts';

const MARK = '<!-- fireweed:';
/** A line of a message that looks like a mark gets one more backslash, and loses it when it is read. */
const guard = (text: string): string => text.replaceAll(/^(\\*)<!-- fireweed:/gm, '\\$1<!-- fireweed:');
const unguard = (text: string): string => text.replaceAll(/^\\(\\*)<!-- fireweed:/gm, '$1<!-- fireweed:');
/** JSON that cannot end the comment it stands in. */
const inComment = (value: object): string =>
	JSON.stringify(value).replaceAll(/[<>\u2028\u2029]|--/g, (found) =>
		[...found].map((one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')
	);
const mark = (kind: string, value: object): string => `${MARK}${kind} ${inComment(value)} -->`;

/** The Markdown of a branch. */
export function markdownOf(conversation: Conversation, path: readonly Message[]): string {
	const blocks = path.map((message) => {
		const { role, text, createdAt, answer, attachments = [] } = message;
		const facts = answer && [who(answer), ...(answer.model === undefined ? [] : [answer.model])].join(' · ');
		return [
			mark('message', { role, createdAt, files: attachments.length, ...(facts !== undefined && { facts: true }) }),
			role === 'user' ? '## You' : '## Answer',
			...(facts === undefined ? [] : ['', `*${facts.replaceAll('*', '')}*`]),
			'',
			...attachments.map(fileOf),
			guard(text),
			''
		].join('\n');
	});
	const title = conversation.title.replaceAll(/\s+/g, ' ');
	return `${mark('conversation', { title: conversation.title })}\n# ${title}\n\n${blocks.join('\n')}`;
}

function fileOf({ name, text }: Attachment): string {
	const fence = '`'.repeat(1 + (text.match(/`+/g) ?? []).reduce((most, run) => Math.max(most, run.length), 2));
	return `${mark('file', { name: cleanName(name), fence: fence.length })}\n**${cleanName(name)}**\n\n${fence}\n${guard(text)}\n${fence}\n`;
}

/** The conversation in a Markdown file. */
export function readMarkdown(file: string, reading: Reading): Whole | FileTrouble {
	const text = file.replaceAll(/\r\n?/g, '\n').replace(/^\ufeff/, '');
	const messages = text.includes(`${MARK}message `) ? ours(text) : theirs(text);
	const head = /^<!-- fireweed:conversation (.*) -->$/m.exec(text)?.[1];
	const title = head === undefined ? /^# (.+)$/m.exec(text)?.[1] : fieldsIn(head)['title'];
	return wholeOf({ title: lineOf(title, 200) }, messages, reading) ?? 'nothing-in-it';
}

const fieldsIn = (json: string): Readonly<Record<string, unknown>> => {
	try {
		const found: unknown = JSON.parse(json);
		return typeof found === 'object' && found !== null ? { ...found } : {};
	} catch {
		return {};
	}
};

function ours(text: string): readonly object[] {
	const [, ...parts] = text.split(/^<!-- fireweed:message /m);
	return parts.map((part, at) => {
		const lines = part.split('\n');
		const { role, createdAt, facts } = fieldsIn((lines[0] ?? '').replace(/ -->$/, ''));
		// The mark, the heading, an empty line; with facts two more.
		let body = lines.slice(facts === true ? 5 : 3).join('\n');
		const attachments: Attachment[] = [];
		for (;;) {
			const found = /^<!-- fireweed:file (.*) -->\n[^\n]*\n\n(`{3,})\n/.exec(body);
			if (!found) break;
			const { name } = fieldsIn(found[1] ?? '');
			const rest = body.slice(found[0].length);
			const end = `\n${rest}`.indexOf(`\n${found[2] ?? ''}\n`);
			if (end < 0) break;
			attachments.push({ name: String(name), text: unguard(rest.slice(0, Math.max(0, end - 1))) });
			body = rest.slice(end + (found[2]?.length ?? 0) + 2);
		}
		return { role, createdAt, attachments, text: unguard(body.replace(at === parts.length - 1 ? /\n$/ : /\n\n$/, '')) };
	});
}

const SPEAKER = /^(?:#{1,4}\s+|\*\*)(.{1,40}?):?(?:\*\*)?:?\s*$/;
const OWN = /^(you|user|me|human|prompt|question)( said)?$/i;
const OTHER = /^(answer|assistant|ai|bot|model|response|chatgpt|claude|gemini|llama|fireweed)( said)?$/i;

/** Sections under headings that name who speaks. */
function theirs(text: string): readonly object[] {
	const messages: { role: string; lines: string[] }[] = [];
	for (const line of text.split('\n')) {
		const name = SPEAKER.exec(line)?.[1]?.trim() ?? '';
		const role = OWN.test(name) ? 'user' : OTHER.test(name) ? 'assistant' : undefined;
		if (role !== undefined) messages.push({ role, lines: [] });
		else messages.at(-1)?.lines.push(line);
	}
	return messages
		.map(({ role, lines }) => ({ role, text: lines.join('\n').trim() }))
		.filter((message) => message.text !== '');
}

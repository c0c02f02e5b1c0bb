/**
 * A conversation to the token ids of its prompt, by the model's own conversation template (mlc-chat-config.json).
 *
 * WebLLM's own rendering reads special tokens out of what a person typed and can neither count nor continue. So the template becomes one of
 * workers/cpu/prompt's, which encodes contents apart; the model sees the same text for the same conversation.
 */
import { Refusal } from '#lib/protocol/errors.ts';
import type { Turn } from '#lib/ports/engine.ts';
import { openPrompt, type Prompt } from '../cpu/prompt.ts';
import type { ChatTemplate } from '../cpu/template.ts';
import { openText, type TokenReader } from '../cpu/text.ts';
import { json, type ChatConfig, type Conversation } from './manifest.ts';

export interface Chat {
	/** All that decides how a conversation is rendered; its hash names the template. */
	readonly facts: string;
	/** Tokens that end an answer: those of the configuration, and the special tokens its stop texts are. */
	readonly stopTokens: readonly number[];
	encode(turns: readonly Turn[]): number[];
	fit(turns: readonly Turn[], room: number): Prompt;
	reader(): TokenReader;
}

/** Refusal `model-unsupported` when tokenizer or template are of another kind. */
export function openChat(config: ChatConfig, tokenizer: Uint8Array): Chat {
	const { conversation, vocabularySize } = config;
	const file = json(tokenizer);
	const tokens = vocabularyOf(file, vocabularySize);
	const idsOf = (text: string) => [tokens.get(text)].filter((id) => id !== undefined);
	const template = templateOf(conversation);
	try {
		const text = openText(file, [...tokens.values()].reduce((most, id) => Math.max(most, id), -1) + 1);
		const prompts = openPrompt(template, text);
		const { systemPrefix: prefix } = conversation;
		const stopTokens = [...new Set([...config.stopTokens, ...conversation.stopTexts.flatMap(idsOf)])];
		if (stopTokens.length === 0) throw new Refusal('model-unsupported', 'no stop token');
		return {
			facts: template.facts,
			stopTokens,
			encode: (turns) => [...prefix, ...prompts.encode(turns)],
			fit(turns, room) {
				const prompt = prompts.fit(turns, room - prefix.length);
				return { ...prompt, ids: [...prefix, ...prompt.ids] };
			},
			reader: () => text.reader()
		};
	} catch (error) {
		// Both say engine-load-failed for files of the CPU's built-in model; here the model is at fault, not the load.
		if (error instanceof Refusal) throw new Refusal('model-unsupported', 'tokenizer or template');
		throw error;
	}
}

interface TokenizerFile {
	readonly added_tokens?: readonly { readonly id: number; readonly content: string }[];
	readonly model?: { readonly vocab?: Readonly<Record<string, number>> };
}

/**
 * Tokens by their text, the vocabulary's and those added beside it. The logits' row is often longer than both (padded to a multiple of 64), so
 * it is a bound and not the number of tokens.
 */
function vocabularyOf(file: unknown, most: number): ReadonlyMap<string, number> {
	const tokenizer = file as TokenizerFile | null;
	const vocab = tokenizer?.model?.vocab;
	const added = tokenizer?.added_tokens;
	if (typeof vocab !== 'object' || vocab === null || !Array.isArray(added))
		throw new Refusal('model-unsupported', 'tokenizer of another kind');
	const beside = (added as NonNullable<TokenizerFile['added_tokens']>).map(({ content, id }) => [content, id] as const);
	const found = new Map([...Object.entries(vocab), ...beside]);
	for (const id of found.values()) {
		if (!Number.isSafeInteger(id) || id < 0 || id >= most)
			throw new Refusal('model-unsupported', 'tokens beyond the vocabulary');
	}
	return found;
}

/** The conversation template as pieces around contents: contents never pass through it. */
export function templateOf(conversation: Conversation): ChatTemplate {
	const { systemTemplate, systemMessage, roles, templates, contentSeparator, emptySeparator, separators } =
		conversation;
	const turn = (role: 'user' | 'assistant', end: string, speaker = roles[role] + contentSeparator) => {
		const body = templates[role].replace('{function_string}', '');
		return around(`${speaker}${body}${end}`, `{${role}_message}`);
	};
	const places = {
		system: around(systemTemplate, '{system_message}'),
		user: turn('user', separators[0]),
		assistant: turn('assistant', separators[1])
	};
	const nameless = turn('user', separators[0], '');
	// Not in the template's own place: a message that holds `{user_message}` must stay as it is.
	const preset = systemTemplate.split('{system_message}').join(systemMessage);
	return {
		showsSystem: places.system.length === 2,
		trims: () => false,
		pieces(turns) {
			const pieces = [turns[0] === 'system' ? '' : preset];
			const first = turns[0] === 'system' ? 1 : 0;
			const joined = !conversation.roleAfterSystem && (first === 1 ? systemTemplate : preset) !== '';
			turns.forEach((role, i) => {
				const [before, after] = joined && i === first && role === 'user' ? nameless : places[role];
				pieces[pieces.length - 1] += before;
				if (after !== undefined) pieces.push(String(i), after);
			});
			pieces[pieces.length - 1] += roles.assistant + emptySeparator;
			return pieces;
		},
		facts: JSON.stringify(conversation)
	};
}

/** The text before and after the content's place; a template without a place does not show it. */
function around(template: string, place: string): readonly [before: string, after?: string] {
	const at = template.indexOf(place);
	return at === -1 ? [template] : [template.slice(0, at), template.slice(at + place.length)];
}

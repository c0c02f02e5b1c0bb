/**
 * A model's chat template: what stands between and around the contents of a conversation.
 *
 * It is rendered with a mark in place of every content and cut at the marks: contents never pass through it, so they can neither write
 * markup nor meet the marks. When it is opened, it is tried on small conversations: every mark must come back once and in order. A template
 * that trims contents is noticed by the spaces around a mark, and the trimming is done here; one that looks into contents is not served
 * faithfully (Qwen 3 leaves thoughts out of older answers; here they stay).
 */
import { Environment, Interpreter, parse, tokenize } from '@huggingface/jinja';
import { Refusal } from '#lib/protocol/errors.ts';
import type { Turn } from '#lib/ports/engine.ts';

export interface ChatTemplate {
	/** Whether it has a place for a system turn. */
	readonly showsSystem: boolean;
	/** Whether contents of this role lose the white space at their ends. */
	trims(role: Turn['role']): boolean;
	/**
	 * Markup, number of a turn, markup, number, …, markup, with the opening of an answer. Undefined when it refuses these roles in this order.
	 */
	pieces(roles: readonly Turn['role'][]): readonly string[] | undefined;
	/** What a template's hash is over: everything that decides how it renders. */
	readonly facts: string;
}

/** What comes with the template in tokenizer_config.json. */
export interface TemplateConfig {
	readonly chat_template?: unknown;
	readonly bos_token?: unknown;
	readonly eos_token?: unknown;
}

/** Private-use characters, which no template contains; checked when it is opened. */
const OPEN = '\uE000';
const CLOSE = '\uE001';
const MARK = /\uE000(\d+)\uE001/;
/** A hundred times the largest known; parsing takes time in proportion. */
const MOST_CHARACTERS = 1_000_000;
/**
 * The day every template is told. The real one would make a prompt that nobody could run again tomorrow, and receipts commit to prompts. Llama 3.2
 * falls back to this day where no clock is given.
 */
const DAY = new Date(Date.UTC(2024, 6, 26));
/** Steps of a loop that a template writes itself; those known count turns. */
const MOST_STEPS = 100_000;

/**
 * Opens a model's template: chat_template.jinja if it came, else that of the configuration, a text or a list of which `default` is taken.
 * Refusal `model-unsupported` without one, and for one that does not parse, render or keep the contents apart.
 */
export function openTemplate(config: TemplateConfig, file?: string): ChatTemplate {
	const text = file ?? templateText(config.chat_template);
	const [bos, eos] = [tokenText(config.bos_token), tokenText(config.eos_token)];
	const render = parsed(text);
	const given = { bos_token: bos, eos_token: eos, add_generation_prompt: true };

	function rendered(roles: readonly string[], around: string): string | undefined {
		const messages = roles.map((role, i) => ({ role, content: around + OPEN + i + CLOSE + around }));
		try {
			return render({ ...given, messages });
		} catch {
			return undefined;
		}
	}
	function pieces(roles: readonly string[]): readonly string[] | undefined {
		const cut = rendered(roles, '')?.split(MARK);
		const inOrder = cut?.every((piece, i) => i % 2 === 0 || Number(piece) === (i - 1) / 2);
		return inOrder === true && cut?.length === 2 * roles.length + 1 ? cut : undefined;
	}
	const asked = pieces(['user', 'assistant', 'user']);
	if (pieces(['user']) === undefined || asked === undefined)
		throw unsupported('its chat template does not show every turn once');
	if ([...asked].some((piece) => piece.includes(OPEN) || piece.includes(CLOSE)))
		throw unsupported('its chat template cuts contents');
	const showsSystem = pieces(['system', 'user', 'assistant', 'user']) !== undefined;
	// Two characters that no template writes by itself, so that what is left of them tells of trimming.
	const spaced = rendered([...(showsSystem ? ['system'] : []), 'user', 'assistant', 'user'], '\u2003') ?? '';
	const trimmed = new Set<string>();
	const roles = [...(showsSystem ? ['system'] : []), 'user', 'assistant', 'user'];
	roles.forEach((role, i) => {
		const kept = [`\u2003${OPEN}${i}`, `${i}${CLOSE}\u2003`].map((each) => spaced.includes(each));
		if (kept[0] !== kept[1]) throw unsupported('its chat template trims contents at one end');
		if (kept[0] === false) trimmed.add(role);
	});
	return {
		showsSystem,
		trims: (role) => trimmed.has(role),
		pieces,
		facts: [
			'fireweed/template/1',
			`bos ${JSON.stringify(bos)}`,
			`eos ${JSON.stringify(eos)}`,
			'day 2024-07-26',
			text
		].join('\n')
	};
}

function templateText(value: unknown): string {
	if (typeof value === 'string') return value;
	if (Array.isArray(value)) {
		const named = value as readonly ({ readonly name?: unknown; readonly template?: unknown } | null)[];
		const chosen = named.find((each) => each?.name === 'default')?.template;
		if (typeof chosen === 'string') return chosen;
	}
	// A plain frame of our own would answer, badly, and under the model's name.
	throw unsupported('it has no chat template: it continues texts, it does not answer');
}

/** A special token in the configuration: its text, or an added token that has it. */
function tokenText(value: unknown): string {
	if (typeof value === 'string') return value;
	const content = (value as { readonly content?: unknown } | null | undefined)?.content;
	return typeof content === 'string' ? content : '';
}

/** The template as a function. Not the library's own Template: it would let the clock in. */
function parsed(text: string): (given: Readonly<Record<string, unknown>>) => string {
	if (text.length > MOST_CHARACTERS) throw unsupported('its chat template is too long');
	if (text.includes(OPEN) || text.includes(CLOSE)) throw unsupported('its chat template contains a private mark');
	try {
		const program = parse(tokenize(text, { lstrip_blocks: true, trim_blocks: true }));
		return (given) => {
			const environment = new Environment();
			for (const [name, value] of Object.entries({ ...GLOBALS, ...given })) environment.set(name, value);
			return String(new Interpreter(environment).run(program).value);
		};
	} catch {
		throw unsupported('its chat template does not parse');
	}
}

/** What every template may use. */
const GLOBALS: Readonly<Record<string, unknown>> = {
	...{ true: true, false: false, none: null, True: true, False: false, None: null },
	raise_exception: () => {
		throw new Refusal('malformed', 'the template refuses these turns');
	},
	range,
	strftime_now: onThatDay
};

function range(from: number, to: number | undefined, step = 1): number[] {
	const [start, end] = to === undefined ? [0, from] : [from, to];
	const length = Math.max(0, Math.ceil((end - start) / step));
	if (!(length <= MOST_STEPS)) throw new Refusal('malformed', 'a loop in the template');
	return Array.from({ length }, (_, i) => start + i * step);
}

/** `strftime_now` for templates, with the letters that occur in them. */
function onThatDay(format: unknown): string {
	const part = (options: Intl.DateTimeFormatOptions) =>
		new Intl.DateTimeFormat('en-GB', { timeZone: 'UTC', ...options }).format(DAY);
	const letters: Readonly<Record<string, string>> = {
		Y: '2024',
		y: '24',
		m: '07',
		d: '26',
		e: '26',
		b: part({ month: 'short' }),
		B: part({ month: 'long' }),
		a: part({ weekday: 'short' }),
		A: part({ weekday: 'long' }),
		H: '00',
		M: '00',
		S: '00',
		j: '208'
	};
	return String(format).replaceAll(/%(-?)([a-zA-Z])/g, (whole, _, letter: string) => letters[letter] ?? whole);
}

function unsupported(why: string): Refusal {
	return new Refusal('model-unsupported', why);
}

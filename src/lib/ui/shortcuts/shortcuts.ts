/**
 * The keyboard shortcuts, once for all: the table that is listed is the table that is obeyed (docs/decisions/shortcuts.md).
 *
 * Each does with one key where nothing is typed, and with a held key also while something is. None is a browser's own.
 */
import type { Key } from '../language/language.svelte.ts';

export type Action = 'new' | 'search' | 'write' | 'stop' | 'copy' | 'before' | 'after' | 'settings' | 'list';

/** Keys to press at once. `key` as a keyboard event has it, letters small. */
export interface Stroke {
	readonly held: readonly ('Control' | 'Alt' | 'Meta')[];
	readonly key: string;
}

interface ByMachine {
	readonly mac: Stroke;
	readonly other: Stroke;
}

export interface Shortcut {
	readonly action: Action;
	readonly name: Key;
	/** Pressed alone, where nothing is typed. */
	readonly alone?: string;
	/** On a Mac Option writes letters and Control moves in a text, so there it is two of them. */
	readonly held?: ByMachine;
}

const alt = (key: string, mac: Stroke['held'] = ['Control', 'Meta']): ByMachine => ({
	mac: { held: mac, key },
	other: { held: ['Alt'], key }
});

export const SHORTCUTS: readonly Shortcut[] = [
	// Control, Command and N open a group of tabs in Safari.
	{ action: 'new', name: 'shortcuts.new', alone: 'n', held: alt('n', ['Alt', 'Meta']) },
	{ action: 'search', name: 'shell.search-in-conversations', alone: 's', held: alt('k') },
	{ action: 'write', name: 'shortcuts.write', alone: 'm', held: alt('m') },
	{ action: 'stop', name: 'shortcuts.stop', alone: 'Escape' },
	{ action: 'copy', name: 'shortcuts.copy', alone: 'c', held: alt('c') },
	{ action: 'before', name: 'shortcuts.before', alone: 'k', held: alt('ArrowUp', ['Alt', 'Meta']) },
	{ action: 'after', name: 'shortcuts.after', alone: 'j', held: alt('ArrowDown', ['Alt', 'Meta']) },
	{ action: 'settings', name: 'shortcuts.settings', alone: ',', held: alt(',') },
	{
		action: 'list',
		name: 'shortcuts.list',
		alone: '?',
		held: { mac: { held: ['Control'], key: '/' }, other: { held: ['Control'], key: '/' } }
	}
];

/** `all`; `held`: none of a single letter or sign (WCAG 2.1.4); `none`: but Escape, which stops an answer whatever is chosen. */
export const MODES = ['all', 'held', 'none'] as const;
export type Mode = (typeof MODES)[number];
export const modeOf = (text: string | undefined): Mode => MODES.find((one) => one === text) ?? 'all';

/** What of a keyboard event is looked at. */
export interface Pressed {
	readonly key: string;
	readonly code: string;
	readonly ctrlKey: boolean;
	readonly altKey: boolean;
	readonly metaKey: boolean;
	readonly shiftKey: boolean;
	readonly repeat: boolean;
	readonly isComposing: boolean;
	readonly defaultPrevented: boolean;
	getModifierState(key: string): boolean;
}

/** Where it was pressed. */
export interface Place {
	readonly mac: boolean;
	readonly mode: Mode;
	/** `menu`: a list to choose from, which has a use for letters and arrows of its own. */
	readonly on: 'page' | 'text' | 'menu';
	/** Something stands over the page; its keys are its own. */
	readonly covered: boolean;
	/** The chat is the page that is shown. */
	readonly chat: boolean;
	/** An answer is being written in it. */
	readonly running: boolean;
}

/** What is wished for; undefined: nothing of ours. */
export function actionOf(pressed: Pressed, place: Place): Action | undefined {
	// AltGr writes, whatever else it says it is.
	if (pressed.defaultPrevented || pressed.isComposing || place.covered || pressed.getModifierState('AltGraph')) return;
	const found = SHORTCUTS.find((shortcut) => isPressed(shortcut, pressed, place))?.action;
	if (found === 'stop' && !(place.chat && place.running)) return;
	if (found === 'copy' && !place.chat) return;
	if (pressed.repeat && found !== 'before' && found !== 'after') return;
	return found;
}

function isPressed({ action, alone, held }: Shortcut, pressed: Pressed, { mac, mode, on }: Place): boolean {
	if (action === 'stop') return pressed.key === alone && !isHeld(pressed, ['Control', 'Alt', 'Meta'], true);
	if (mode === 'none' || on === 'menu') return false;
	const stroke = mac ? held?.mac : held?.other;
	if (stroke && isHeld(pressed, stroke.held) && isKey(pressed, stroke.key)) return true;
	return mode === 'all' && on === 'page' && alone !== undefined && isHeld(pressed, []) && isKey(pressed, alone);
}

/** Whether these are held, and no others; with `some`, whether any is. */
function isHeld(pressed: Pressed, held: Stroke['held'], some = false): boolean {
	const now = { Control: pressed.ctrlKey, Alt: pressed.altKey, Meta: pressed.metaKey };
	const all = ['Control', 'Alt', 'Meta'] as const;
	return some ? held.some((key) => now[key]) : all.every((key) => now[key] === held.includes(key));
}

const LETTER = /^[a-z]$/;
const SIGNS: Readonly<Record<string, string>> = { ',': 'Comma', '/': 'Slash', '?': 'Slash' };

function isKey({ key, code, shiftKey }: Pressed, wanted: string): boolean {
	// Where a sign stands is the keyboard's affair, and so is whether Shift is needed for it; a capital letter is another key.
	if (LETTER.test(wanted) && shiftKey) return false;
	if (key.toLowerCase() === wanted.toLowerCase()) return true;
	// Another script writes another letter there, and so does Option on a Mac: then the place of the key counts.
	const isForeign = key === 'Dead' || /^[^\x20-\x7e]$/u.test(key);
	if (!isForeign) return false;
	return LETTER.test(wanted)
		? code.toLowerCase() === `key${wanted}`
		: code === SIGNS[wanted] && (wanted === '?') === shiftKey;
}

/** The conversation `step` further down the list than the open one; the first when none is open; undefined at the ends. */
export function neighbour<T extends { readonly id: string; readonly updatedAt: number }>(
	list: readonly T[],
	open: string | undefined,
	step: 1 | -1
): T | undefined {
	const sorted = [...list].sort((a, b) => b.updatedAt - a.updatedAt);
	const at = sorted.findIndex(({ id }) => id === open);
	return at < 0 ? (step === 1 ? sorted[0] : undefined) : sorted[at + step];
}

const MAC_NAMES: Readonly<Record<string, string>> = { Control: '⌃', Alt: '⌥', Meta: '⌘' };
const NAMES: Readonly<Record<string, string>> = { Control: 'Ctrl', ArrowUp: '↑', ArrowDown: '↓' };

/** What stands on the keys of a shortcut, each way one list; without those that `mode` has switched off. */
export function keysOf(
	{ action, alone, held }: Shortcut,
	mac: boolean,
	mode: Mode = 'all'
): readonly (readonly string[])[] {
	const name = (key: string) =>
		(mac ? MAC_NAMES[key] : undefined) ?? NAMES[key] ?? (key.length === 1 ? key.toUpperCase() : key);
	const stroke = mac ? held?.mac : held?.other;
	const ways = [
		...(alone !== undefined && (mode === 'all' || action === 'stop') ? [[name(alone)]] : []),
		...(stroke && mode !== 'none' ? [[...stroke.held, stroke.key].map(name)] : [])
	];
	return ways;
}

/** Whether keys are those of a Mac. */
export function isMac({
	platform,
	userAgentData
}: {
	platform?: string;
	userAgentData?: { platform?: string };
}): boolean {
	return /^(mac|iphone|ipad)/i.test(userAgentData?.platform || platform || '');
}

/** Shortcuts: what is listed is what is obeyed, nothing is taken from who types, and nothing from the browser. */
import { describe, expect, test } from 'vitest';
import { Remembered } from '#lib/ui/remembered.ts';
import {
	actionOf,
	isMac,
	keysOf,
	modeOf,
	MODES,
	neighbour,
	SHORTCUTS,
	type Action,
	type Place,
	type Pressed,
	type Stroke
} from '#lib/ui/shortcuts/shortcuts.ts';
import { ShortcutChoice } from '#lib/ui/shortcuts/shortcuts.svelte.ts';

interface Keys extends Partial<Omit<Pressed, 'getModifierState'>> {
	readonly altGraph?: boolean;
}
const press = (key: string, { altGraph = false, ...more }: Keys = {}): Pressed => ({
	...{ key, code: '', ctrlKey: false, altKey: false, metaKey: false, shiftKey: false },
	...{ repeat: false, isComposing: false, defaultPrevented: false },
	getModifierState: (name) => name === 'AltGraph' && altGraph,
	...more
});
const place = (more: Partial<Place> = {}): Place => ({
	...{ mac: false, mode: 'all', on: 'page', covered: false, chat: true, running: true },
	...more
});
const held = ({ held: keys, key }: Stroke): Pressed =>
	press(key, { ctrlKey: keys.includes('Control'), altKey: keys.includes('Alt'), metaKey: keys.includes('Meta') });

/** What browsers do with these by themselves, on the machines named; all others of theirs have Control or Command and one letter. */
const OF_BROWSERS = {
	other: ['Alt+d', 'Alt+e', 'Alt+f', 'Alt+b', 'Alt+h', 'Alt+s', 'Alt+t', 'Alt+v', 'Alt+ArrowLeft', 'Alt+ArrowRight'],
	mac: ['Alt+Meta+c', 'Alt+Meta+i', 'Alt+Meta+j', 'Alt+Meta+u', 'Alt+Meta+k', 'Alt+Meta+l', 'Alt+Meta+b', 'Alt+Meta+f']
		.concat(['Control+Meta+f', 'Control+Meta+n', 'Control+Meta+q', 'Control+Meta+d', 'Control+Meta+ '])
		.concat(['Alt+Meta+ArrowLeft', 'Alt+Meta+ArrowRight', 'Alt+Meta+d', 'Alt+Meta+h', 'Alt+Meta+m', 'Alt+Meta+w'])
} as const;

describe('shortcuts', () => {
	test.each(SHORTCUTS)('$action is obeyed as it is listed, on every machine', ({ action, alone, held: strokes }) => {
		for (const mac of [true, false]) {
			const stroke = mac ? strokes?.mac : strokes?.other;
			if (alone !== undefined) expect(actionOf(press(alone), place({ mac }))).toBe(action);
			if (stroke)
				for (const on of ['page', 'text'] as const) expect(actionOf(held(stroke), place({ mac, on }))).toBe(action);
			expect(stroke ?? alone).toBeDefined();
		}
	});

	test('no two are the same', () => {
		for (const mac of [true, false]) {
			const all = SHORTCUTS.flatMap((one) => keysOf(one, mac).map((keys) => keys.join('+')));
			expect(new Set(all).size).toBe(all.length);
			expect(all).toHaveLength(17);
		}
	});

	test('none is a browser’s own', () => {
		for (const [machine, theirs] of Object.entries(OF_BROWSERS))
			for (const { held: strokes } of SHORTCUTS) {
				const stroke = strokes?.[machine as 'mac' | 'other'];
				if (!stroke) continue;
				expect(theirs).not.toContain([...stroke.held, stroke.key].join('+'));
				// With Control or Command alone every letter is somebody’s.
				if (stroke.held.length === 1 && stroke.held[0] !== 'Alt') expect(stroke.key).not.toMatch(/^[a-z0-9]/i);
			}
	});

	test('who types is left alone', () => {
		const typed = Array.from({ length: 95 }, (_, at) => String.fromCharCode(32 + at));
		for (const key of typed) {
			for (const mac of [true, false]) expect(actionOf(press(key), place({ mac, on: 'text' })), key).toBeUndefined();
			expect(
				actionOf(press(key, { altKey: true, ctrlKey: true, altGraph: true }), place({ on: 'text' }))
			).toBeUndefined();
			// Option writes letters on a Mac.
			expect(actionOf(press(key, { altKey: true }), place({ mac: true, on: 'text' })), key).toBeUndefined();
			expect(actionOf(press(key), place({ on: 'menu' })), key).toBeUndefined();
		}
		expect(actionOf(press('n', { isComposing: true }), place())).toBeUndefined();
		expect(actionOf(press('n', { defaultPrevented: true }), place())).toBeUndefined();
		expect(actionOf(press('ArrowDown', { altKey: true }), place({ on: 'menu' }))).toBeUndefined();
	});

	test('with a key held that does not belong to it, it is another', () => {
		for (const more of [{ ctrlKey: true }, { metaKey: true }, { shiftKey: true }])
			expect(actionOf(press('n', more), place())).toBeUndefined();
		expect(actionOf(press('N', { altKey: true, shiftKey: true }), place())).toBeUndefined();
		expect(actionOf(press('n', { altKey: true, ctrlKey: true }), place())).toBeUndefined();
		expect(actionOf(press('Escape', { ctrlKey: true }), place())).toBeUndefined();
		expect(actionOf(press('N'), place()), 'Caps Lock').toBe('new');
	});

	test('what stands over the page keeps its keys', () => {
		for (const key of ['n', '?', 'Escape']) expect(actionOf(press(key), place({ covered: true }))).toBeUndefined();
	});

	test('a key held down does not do it again and again, but for walking', () => {
		expect(actionOf(press('n', { repeat: true }), place())).toBeUndefined();
		expect(actionOf(press('j', { repeat: true }), place())).toBe('after');
	});

	test('Escape stops an answer in the chat, also of who types and wants no shortcuts, and else means nothing', () => {
		expect(actionOf(press('Escape'), place({ on: 'text', mode: 'none' }))).toBe('stop');
		expect(actionOf(press('Escape'), place({ running: false }))).toBeUndefined();
		expect(actionOf(press('Escape'), place({ chat: false }))).toBeUndefined();
		expect(actionOf(press('c'), place({ chat: false })), 'no answer is in sight').toBeUndefined();
	});

	test('keyboards of other scripts: the place of the key counts', () => {
		const cases: [Pressed, Partial<Place>, Action][] = [
			[press('т', { code: 'KeyN' }), {}, 'new'],
			[press('т', { code: 'KeyN', altKey: true }), { on: 'text' }, 'new'],
			[press('Dead', { code: 'KeyN', altKey: true, metaKey: true }), { mac: true, on: 'text' }, 'new'],
			[press('؟', { code: 'Slash', shiftKey: true }), {}, 'list'],
			[press('?', { code: 'Minus', shiftKey: true }), {}, 'list'],
			[press('/', { code: 'Digit7', ctrlKey: true, shiftKey: true }), { on: 'text' }, 'list'],
			[press('و', { code: 'Comma', altKey: true }), {}, 'settings']
		];
		for (const [pressed, where, action] of cases) expect(actionOf(pressed, place(where)), pressed.key).toBe(action);
		// A Latin keyboard says itself which letter it is: here N stands where others have K.
		expect(actionOf(press('l', { code: 'KeyN' }), place())).toBeUndefined();
		expect(actionOf(press('/', { code: 'Slash' }), place()), 'Firefox searches with it').toBeUndefined();
	});

	test('switched off they are neither obeyed nor listed', () => {
		const obeyed = (mode: Place['mode']) =>
			SHORTCUTS.filter(({ alone, held: strokes }) =>
				[alone === undefined ? undefined : press(alone), strokes && held(strokes.other)].some(
					(pressed) => pressed && actionOf(pressed, place({ mode })) !== undefined
				)
			).map(({ action }) => action);
		const listed = (mode: Place['mode']) =>
			SHORTCUTS.filter((one) => keysOf(one, false, mode).length > 0).map(({ action }) => action);
		for (const mode of MODES) expect(listed(mode)).toEqual(obeyed(mode));
		expect(obeyed('none')).toEqual(['stop']);
		expect(actionOf(press('n'), place({ mode: 'held' }))).toBeUndefined();
		expect(actionOf(press('n', { altKey: true }), place({ mode: 'held' }))).toBe('new');
		for (const one of SHORTCUTS) for (const keys of keysOf(one, false, 'held')) expect(keys[0]).not.toMatch(/^.$/);
	});

	test('the choice is kept; strangers’ texts are all', () => {
		const kept = new Map<string, string>();
		const remembered = () =>
			Remembered.ofBrowser({
				getItem: (key) => kept.get(key) ?? null,
				setItem: (key, value) => void kept.set(key, value),
				removeItem: (key) => void kept.delete(key)
			} as Storage);
		const [one, two] = [new ShortcutChoice(), new ShortcutChoice()];
		one.start(remembered());
		expect(one.mode).toBe('all');
		one.choose('held');
		two.start(remembered());
		expect(two.mode).toBe('held');
		two.choose('all');
		expect(kept.size).toBe(0);
		expect([modeOf('length'), modeOf(undefined)]).toEqual(['all', 'all']);
	});

	test('keys are named as they stand on the keyboard', () => {
		const keys = (action: Action, mac: boolean) => {
			const found = SHORTCUTS.find((one) => one.action === action);
			return found && keysOf(found, mac).map((way) => way.join(' '));
		};
		expect(keys('new', false)).toEqual(['N', 'Alt N']);
		expect(keys('new', true)).toEqual(['N', '⌥ ⌘ N']);
		expect(keys('after', false)).toEqual(['J', 'Alt ↓']);
		expect(keys('list', false)).toEqual(['?', 'Ctrl /']);
		expect(keys('stop', true)).toEqual(['Escape']);
		expect(isMac({ platform: 'MacIntel' })).toBe(true);
		expect(isMac({ platform: 'Linux x86_64', userAgentData: { platform: 'macOS' } })).toBe(true);
		expect(isMac({ platform: 'Win32', userAgentData: { platform: '' } })).toBe(false);
		expect(isMac({})).toBe(false);
	});

	test('walking through the conversations ends at their ends', () => {
		const list = [1, 3, 2].map((updatedAt) => ({ id: `c${updatedAt}`, updatedAt }));
		expect(neighbour(list, 'c3', 1)?.id).toBe('c2');
		expect(neighbour(list, 'c2', 1)?.id).toBe('c1');
		expect(neighbour(list, 'c1', 1)).toBeUndefined();
		expect(neighbour(list, 'c3', -1)).toBeUndefined();
		expect(neighbour(list, undefined, 1)?.id).toBe('c3');
		expect(neighbour(list, undefined, -1)).toBeUndefined();
		expect(neighbour([], 'c1', 1)).toBeUndefined();
	});
});

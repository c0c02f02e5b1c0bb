/** The settings: what the list calls a section is what stands above it, and whoever leads to a section leads to one that is there. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { SETTINGS_GROUPS } from '#lib/ui/settings/section.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const read = (file: string) => readFileSync(path.join(ROOT, file), 'utf8');
const SECTIONS = SETTINGS_GROUPS.flat();

test('every section stands in one group, under the name it has in the list', () => {
	expect(new Set(SECTIONS).size).toBe(SECTIONS.length);
	const page = read('src/routes/settings/[section]/+page.svelte');
	const files = new Map(
		[...page.matchAll(/import (\w+Section) from '#lib\/([^']+)'/g)].map(([, name, file]) => [name, file])
	);
	const heading = (id: string) => {
		const [, component] = new RegExp(`\\b'?${id}'?: (\\w+Section)\\b`).exec(page) ?? [];
		return /<h2 [^>]*>\{t\('([^']+)'\)\}/.exec(read(`src/lib/${files.get(component)}`))?.[1];
	};
	const list = read('src/lib/ui/settings/SettingsPage.svelte');
	const named = (id: string) => new RegExp(`\\b'?${id}'?: t\\('([^']+)'\\)`).exec(list)?.[1];
	expect(SECTIONS.map(heading).filter((key) => key === undefined)).toEqual([]);
	expect(SECTIONS.map(named)).toEqual(SECTIONS.map(heading));
});

test('every link into the settings leads to their list or to one of them', () => {
	const led = readdirSync(path.join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
		.filter((file) => /\.(svelte|ts)$/.test(file))
		.flatMap((file) => [...read(`src/${file}`).matchAll(/#\/settings(?:\/([\w-]+))?['"]/g)].map(([, id]) => id));
	expect(led.length).toBeGreaterThan(3);
	expect(led.filter((id) => id !== undefined && !SECTIONS.some((section) => section === id))).toEqual([]);
});

test('words that lead to a section call it as the list does, in every language', () => {
	const folder = 'src/lib/ui/language/messages';
	const led = {
		'move.in-your-old-fireweed-open': 'move.move-to-a-new-tab',
		'move.everything-has-arrived': 'house.delete-everything'
	};
	const lost = readdirSync(path.join(ROOT, folder)).flatMap((file) => {
		const words = JSON.parse(read(`${folder}/${file}`)) as Record<string, string>;
		return Object.entries(led).flatMap(([key, name]) =>
			words[key]?.includes(words[name] ?? '?') ? [] : [`${file}: ${key}`]
		);
	});
	expect(lost).toEqual([]);
});

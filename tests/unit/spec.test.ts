/** The specification's tables are compared with the code they describe, so that neither moves alone. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { CODES } from '#lib/protocol/errors.ts';
import { CODE_LIFE_MS } from '#lib/node/move-in.ts';
import { MOVE_PATIENCE_MS, PERSON_PATIENCE_MS } from '#lib/node/move-line.ts';
import { MAX_MOVED_BYTES, MOVE_MESSAGES, PIECE_BYTES } from '#lib/protocol/move.ts';
import { publicPolicy } from '#lib/protocol/policy.ts';
import { releaseKeys } from '#lib/protocol/release-keys.ts';
import { directory } from '#lib/protocol/directory.ts';
import { releaseManifest } from '#lib/protocol/release.ts';
import { PARTS } from '#lib/survival/release.ts';
import { VARIABLES } from '../../relay/config.ts';
import { SAMPLES } from '../fixtures/messages.ts';

const page = (name: string) => readFileSync(new URL(`../../docs/spec/${name}`, import.meta.url), 'utf8');

/** Cells of every table row whose first cell matches. */
const rows = (text: string, first: RegExp) =>
	text
		.split('\n')
		.filter((line) => line.startsWith('|'))
		.map((line) =>
			line
				.slice(1, -1)
				.split('|')
				.map((cell) => cell.trim())
		)
		.filter((cells) => first.test(cells[0] ?? ''));

describe('docs/spec', () => {
	it('errors.md is the list of codes', () => {
		const listed = rows(page('errors.md'), /^`/).map((cells) => [cells[0]?.replaceAll('`', ''), cells[1]]);
		expect(listed).toEqual(Object.entries(CODES));
	});
	it('messages.md lists every kind with its limit and its fields', () => {
		const listed = rows(page('messages.md'), /V\d+$/).map(([name, , limit, fields]) => ({
			name,
			limit: Number(limit),
			fields
		}));
		const built = SAMPLES.map(({ kind }) => ({
			name: kind.name,
			limit: kind.maxBytes,
			fields: kind.shape.names?.join(', ')
		}));
		const byName = (a: { name?: string | undefined }, b: { name?: string | undefined }) =>
			(a.name ?? '') < (b.name ?? '') ? -1 : 1;
		expect(listed.sort(byName)).toEqual(built.sort(byName));
	});
	it('release.md lists the documents with their limits, the files, and what is refused', () => {
		const documents = rows(page('release.md'), /V\d+$/).map(([name, , limit, fields]) => [name, Number(limit), fields]);
		const kinds = [releaseKeys, releaseManifest, directory];
		expect(documents).toEqual(kinds.map((kind) => [kind.name, kind.maxBytes, kind.shape.names?.join(', ')]));
		const files = rows(page('release.md'), /^`release\//).map(([file, , most]) => [file, most]);
		const parts = Object.values(PARTS).map(({ path, max }) => [`\`${path}\``, `${max.toLocaleString('en')} bytes`]);
		expect(files).toEqual(parts);
		const codes = rows(page('release.md'), /^`[a-z-]+`/).flatMap(([cell]) => cell?.match(/[a-z-]{3,}/g) ?? []);
		for (const code of codes) expect(Object.keys(CODES)).toContain(code);
		const all = Object.keys(CODES);
		const own = all.slice(all.indexOf('too-few-keys'), all.indexOf('mixed-release') + 1);
		expect(codes).toEqual(expect.arrayContaining(own));
	});
	it('moving.md lists the messages of a move with their fields, and the times and sizes as they are', () => {
		const text = page('moving.md');
		const listed = rows(text, /^`/).filter((cells) => /^(old|new|both)$/.test(cells[1] ?? ''));
		const names = (cell = '') => cell.match(/\w+/g)?.sort();
		expect(listed.map(([type, , fields]) => [type, names(fields)])).toEqual(
			MOVE_MESSAGES.map(([type, fields]) => [`\`${type}\``, [...fields].sort()])
		);
		const minutes = (ms: number) => `${ms / 60_000} min`;
		expect([minutes(CODE_LIFE_MS), minutes(PERSON_PATIENCE_MS), MOVE_PATIENCE_MS]).toEqual([
			'10 min',
			'10 min',
			30_000
		]);
		for (const bytes of [MAX_MOVED_BYTES, PIECE_BYTES]) expect(text).toContain(bytes.toLocaleString('en'));
	});
	it('policy.md lists every public field', () => {
		const listed = rows(page('policy.md'), /^`/).filter((cells) => cells[1] === 'yes');
		expect(listed.map((cells) => cells[0]?.replaceAll('`', ''))).toEqual(publicPolicy.names);
	});
	it('the README’s table of relay variables is the one the relay reads', () => {
		const listed = rows(readFileSync(new URL('../../README.md', import.meta.url), 'utf8'), /^`FIREWEED_RELAY_/);
		expect(listed).toEqual(VARIABLES.map(({ name, fallback, meaning }) => [`\`${name}\``, fallback, meaning]));
	});
	it('job.md names constants that exist, with the values they have', () => {
		const story = [
			'announce',
			'ask',
			'bidding',
			'bids',
			'engage',
			'hire',
			'assign',
			'follow',
			'race',
			'runner',
			'stand-by',
			'spares',
			'hand-over',
			'settle',
			'say',
			'reattach',
			'record',
			'asker',
			'kept'
		];
		const sources = [...story, 'deliver', 'execute', 'contribute', 'tender', 'open-bids', 'wait-turn', 'inbox'].map(
			(name) => `node/${name}`
		);
		const code = [
			...sources,
			'market/ask',
			'market/select',
			'market/admit',
			'market/queue',
			'market/again',
			'market/askers',
			'market/lateness',
			'market/succeed',
			'protocol/limits'
		]
			.map((name) => readFileSync(new URL(`../../src/lib/${name}.ts`, import.meta.url), 'utf8'))
			.join('\n');
		for (const [, value, names] of rows(page('job.md'), /./).filter((cells) => /^`[A-Z_]+`/.test(cells[2] ?? ''))) {
			for (const name of names?.match(/[A-Z_]{4,}/g) ?? []) {
				const found = new RegExp(`const ${name} = ([\\d_]+);`).exec(code)?.[1];
				expect(found, name).toBeDefined();
				const number = Number(found?.replaceAll('_', ''));
				const spelled = name.endsWith('_MS') ? [`${number} ms`, `${number / 1000} s`] : [String(number)];
				expect(
					spelled.some((text) => value?.includes(text)),
					`${name} = ${number} in "${value}"`
				).toBe(true);
			}
		}
	});
});

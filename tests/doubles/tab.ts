/**
 * The scripted tab for looking at the screens in a browser: `?scene=` chooses what happens, the tables outlive a reload.
 * Used by `vite --config tests/doubles/vite.config.ts` in the place of src/lib/tab.ts; never part of the build.
 */
import type { App } from '#lib/node/app.ts';
import { fakeApp, fakeStore, type Script } from './app.ts';

const KEPT = 'fireweed-double';

const LONG = `## It grows back first

After a fire, **fireweed** is among the first plants to return. It spreads in two ways:

1. by seed, with the wind
2. by root, under the ash

- [x] light
- [ ] shade

| Ground | Weeks | Height |
| --- | ---: | ---: |
| burnt | 6 | 40 cm |
| open field, not burnt | 11 | 35 cm |

\`\`\`js
const ash = ['nitrogen', 'potassium', 'calcium'].map((name) => ({ name, share: Math.random() })).filter(({ share }) => share > 0.2);
\`\`\`

Read more at [the flora](https://example.org/flora?q=epilobium) or [here](javascript:alert(1)). ![a picture](https://example.org/a.png)

> Es wächst auf Brandflächen, Donaudampfschifffahrtsgesellschaftskapitänsmützenständern und Kahlschlägen.

وتنمو هذه النبتة أولاً بعد الحريق.
`;

const SCENES: Readonly<Record<string, Partial<Script>>> = {
	plain: {},
	long: { answer: () => LONG, tokenMs: 10 },
	endless: { answer: () => LONG.repeat(40), tokenMs: 4 },
	slow: { tokenMs: 120 },
	loading: { loadMs: 60_000 },
	lost: { loseAfter: 12 },
	alone: { alone: true },
	relay: { relaysToConfirm: ['/dns4/relay.example.org/tcp/443/wss'] },
	private: { kept: 'session' },
	own: { sameAccount: true },
	fails: { contributeFails: true }
};

/** A tab by the scene named in the address. */
export async function createTab(): Promise<App> {
	const store = fakeStore((tables) => {
		const rows = Object.entries(tables).map(([name, table]) => [name, [...table.rows]]);
		localStorage.setItem(
			KEPT,
			JSON.stringify(rows, (_, value) => (value instanceof Uint8Array ? { bytes: [...value] } : value))
		);
	});
	const kept = JSON.parse(localStorage.getItem(KEPT) ?? '[]', (_, value) =>
		value?.bytes instanceof Array ? Uint8Array.from(value.bytes) : value
	) as [string, [string, never][]][];
	for (const [name, rows] of kept) for (const [key, row] of rows) store.tables[name]?.rows.set(key, row);
	const scene = new URLSearchParams(location.search).get('scene') ?? 'plain';
	const double = fakeApp(SCENES[scene], store);
	Object.assign(globalThis, { double });
	await new Promise((resolve) => setTimeout(resolve, 300));
	return double.app;
}

/** Lighthouse's judgement of the built app: each page as a phone with a slow network (Lighthouse's own default) and as a desktop. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { ROOT } from '../../scripts/bootstrap.mjs';
import { findChromium, LAUNCH_FLAGS } from '../../scripts/chromium.mjs';
import { serve } from '../../scripts/serve.ts';
import { installBeside, versionBeside } from '../beside.ts';
import { machine, type Machine } from '../machine.ts';

const TOOL = path.join(import.meta.dirname, 'tool');

/** Pages of the app, by the name in its navigation, and of the settings' sections the one with the most in it. */
const PAGES = {
	Chat: '#/',
	Contribute: '#/contribute',
	Network: '#/network',
	Receipts: '#/receipts',
	Settings: '#/settings',
	'Settings: models': '#/settings/models'
} as const;

export const CATEGORIES = ['performance', 'accessibility', 'best-practices'] as const;
export const FORMS = ['mobile', 'desktop'] as const;

/** One run on one page: points of 100, and what cost any. */
export interface Judgement {
	readonly page: string;
	readonly form: (typeof FORMS)[number];
	readonly points: Readonly<Record<(typeof CATEGORIES)[number], number>>;
	/** ms, as Lighthouse reckons them for its slow phone or its desktop. */
	readonly firstPaint: number;
	readonly largestPaint: number;
	readonly blocked: number;
	/** How fast Lighthouse found this machine's processor just before (`benchmarkIndex`); the phone is reckoned as a quarter of it, whatever it is. */
	readonly power: number;
	/** Audits below full marks, `category: name`. */
	readonly lost: readonly string[];
}

export interface LighthouseResult {
	readonly machine: Machine;
	readonly lighthouse: string;
	readonly judgements: readonly Judgement[];
}

/** The parts of Lighthouse's answer that are read here (https://github.com/GoogleChrome/lighthouse/blob/main/docs/understanding-results.md). */
interface Report {
	readonly lhr: {
		readonly environment: { readonly benchmarkIndex: number };
		readonly runtimeError?: { readonly message: string };
		readonly categories: Readonly<
			Record<
				string,
				{
					readonly score: number | null;
					readonly auditRefs: readonly { readonly id: string; readonly weight: number }[];
				}
			>
		>;
		readonly audits: Readonly<Record<string, { readonly score: number | null; readonly numericValue?: number }>>;
	};
}
type Lighthouse = (url: string, flags: object, config?: object) => Promise<Report | undefined>;
interface Chrome {
	readonly port: number;
	kill(): void;
}

/** `rounds` runs of each page in each form. Rejects when a page could not be judged at all. */
export async function measureLighthouse(rounds: number, tell: (line: string) => void): Promise<LighthouseResult> {
	await installBeside(TOOL, 'Installing Lighthouse beside the bench (about 180 MB on disk) …', tell);
	const load = (file: string) =>
		import(pathToFileURL(path.join(TOOL, 'node_modules', file)).href) as Promise<Record<string, unknown>>;
	const { default: lighthouse, desktopConfig } = (await load('lighthouse/core/index.js')) as {
		default: Lighthouse;
		desktopConfig: object;
	};
	const { launch } = (await load('chrome-launcher/dist/index.js')) as unknown as {
		launch(options: object): Promise<Chrome>;
	};
	const chromePath = findChromium({ install: false });
	const cache = await mkdtemp(path.join(tmpdir(), 'fireweed-bench-'));
	const server = await serve({ root: path.join(ROOT, 'build'), port: 0, cache, relays: () => [] });
	const judgements: Judgement[] = [];
	try {
		for (let round = 1; round <= rounds; round += 1) {
			for (const form of FORMS) {
				for (const [page, hash] of Object.entries(PAGES)) {
					tell(`round ${round} of ${rounds}: ${page}, ${form}`);
					// A browser of its own each time: what an earlier page kept would make the next one fast.
					const chrome = await launch({
						chromePath,
						chromeFlags: ['--headless=new', ...LAUNCH_FLAGS],
						logLevel: 'silent'
					});
					try {
						const report = await lighthouse(
							server.url + hash,
							{ port: chrome.port, logLevel: 'silent', onlyCategories: CATEGORIES },
							form === 'desktop' ? desktopConfig : undefined
						);
						judgements.push(judgementOf(page, form, report));
					} finally {
						chrome.kill();
					}
				}
			}
		}
	} finally {
		await server.close();
		await rm(cache, { recursive: true, force: true });
	}
	return { machine: machine(ROOT, chromePath), lighthouse: versionBeside(TOOL, 'lighthouse'), judgements };
}

function judgementOf(page: string, form: Judgement['form'], report: Report | undefined): Judgement {
	if (!report) throw new Error(`${page}: Lighthouse gave no report`);
	const { categories, audits, environment, runtimeError } = report.lhr;
	if (runtimeError) throw new Error(`${page}: ${runtimeError.message}`);
	const points = (name: string) => Math.round((categories[name]?.score ?? Number.NaN) * 100);
	const value = (name: string) => audits[name]?.numericValue ?? Number.NaN;
	return {
		page,
		form,
		points: {
			performance: points('performance'),
			accessibility: points('accessibility'),
			'best-practices': points('best-practices')
		},
		firstPaint: value('first-contentful-paint'),
		largestPaint: value('largest-contentful-paint'),
		blocked: value('total-blocking-time'),
		power: environment.benchmarkIndex,
		lost: CATEGORIES.flatMap((category) =>
			(categories[category]?.auditRefs ?? [])
				.filter(({ id, weight }) => weight > 0 && (audits[id]?.score ?? 1) < 1)
				.map(({ id }) => `${category}: ${id}`)
		)
	};
}

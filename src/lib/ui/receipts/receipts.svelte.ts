/**
 * The receipts this profile holds, opened for reading; every signature is checked again each time.
 */
import type { App, OpenedReceipt } from '#lib/node/app.ts';
import type { Code } from '#lib/protocol/errors.ts';
import { codeOfThrown } from '../words.ts';

/** Which receipts the list shows. */
export interface Filter {
	readonly role: 'all' | OpenedReceipt['role'];
	readonly status: 'all' | OpenedReceipt['status'];
}

/** A line of the list. `receipt` is undefined when the document could not be opened. */
export interface ReceiptLine {
	readonly cid: string;
	readonly createdAt: number;
	readonly receipt: OpenedReceipt | undefined;
}

/** More than a person scrolls through; the rest is reached by a filter later. */
const MOST = 200;

/** The lines that pass the filter. */
export const passing = (lines: readonly ReceiptLine[], { role, status }: Filter): readonly ReceiptLine[] =>
	lines.filter(
		({ receipt }) =>
			(role === 'all' || receipt?.role === role) && (status === 'all' || (receipt?.status ?? 'failed') === status)
	);

export class Receipts {
	lines = $state.raw<readonly ReceiptLine[]>([]);
	loaded = $state(false);
	failed = $state<Code | undefined>(undefined);
	readonly #app: Promise<App>;

	constructor(app: Promise<App>) {
		this.#app = app;
	}

	/** Reads the list and follows it. Returns how to stop. */
	follow(): () => void {
		let stopped = false;
		let stop = () => {};
		void this.#app
			.then(async (app) => {
				await this.#read(app);
				if (!stopped) stop = app.store.receipts.observe(() => void this.#read(app));
			})
			.catch((error: unknown) => (this.failed = codeOfThrown(error)));
		return () => {
			stopped = true;
			stop();
		};
	}

	/** Opens one receipt; undefined when this profile does not hold it. */
	async open(cid: string): Promise<OpenedReceipt | undefined> {
		return (await this.#app).openReceipt(cid);
	}

	async #read(app: App): Promise<void> {
		const records = await app.store.receipts.list(MOST);
		this.lines = await Promise.all(
			records.map(async ({ cid, createdAt }) => ({
				cid,
				createdAt,
				receipt: await app.openReceipt(cid).catch(() => undefined)
			}))
		);
		this.loaded = true;
	}
}

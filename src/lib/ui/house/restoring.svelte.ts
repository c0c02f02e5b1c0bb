/** A backup on its way in: opened, looked at, accepted or not. One at a time; whatever goes wrong, nothing has changed. */
import type { App } from '#lib/node/app.ts';
import type { RestoreOffer } from '#lib/node/moving.ts';
import { fileWords, offerLines } from './words.ts';
import { t } from '../language/language.svelte.ts';

export type RestoreState =
	| { readonly step: 'idle' }
	| { readonly step: 'opening' }
	| { readonly step: 'offered'; readonly lines: readonly string[] }
	| { readonly step: 'restoring' }
	| { readonly step: 'done'; readonly said: string }
	| { readonly step: 'failed'; readonly said: string };

export class Restoring {
	state = $state.raw<RestoreState>({ step: 'idle' });
	readonly #app: () => App | undefined;
	/** Remembers over the start of a new page what was restored. */
	readonly #remember: (said: string) => void;
	/** Awaited once it was taken in, before a new page starts, or was not; whether all of it is kept here, the account included. */
	readonly #ended: (whole: boolean) => Promise<void>;
	readonly #words: (error: unknown) => string;
	#offer: RestoreOffer | undefined;
	#stop = new AbortController();

	constructor(
		app: () => App | undefined,
		remember: (said: string) => void,
		ended: (whole: boolean) => Promise<void> = () => Promise.resolve(),
		words = fileWords
	) {
		this.#app = app;
		this.#remember = remember;
		this.#ended = ended;
		this.#words = words;
	}

	/** Opens a file and shows what it would bring. */
	async open(file: Uint8Array, passphrase: string): Promise<void> {
		const app = this.#app();
		if (app === undefined || this.state.step === 'opening' || this.state.step === 'restoring') return;
		this.cancel();
		const { signal } = (this.#stop = new AbortController());
		this.state = { step: 'opening' };
		try {
			const offer = await app.house.openRestore(file, passphrase);
			if (signal.aborted) return offer.cancel();
			this.#offer = offer;
			this.state = { step: 'offered', lines: offerLines(offer) };
		} catch (error) {
			if (!signal.aborted) this.state = { step: 'failed', said: this.#words(error) };
		}
	}

	/** The browser could not read the file any more. */
	unreadable(): void {
		this.cancel();
		this.state = {
			step: 'failed',
			said: t('house.the-file-cannot-be-read')
		};
	}

	async accept(): Promise<void> {
		const offer = this.#offer;
		if (offer === undefined || this.state.step !== 'offered') return;
		this.state = { step: 'restoring' };
		try {
			await offer.accept(this.#stop.signal);
		} catch (error) {
			this.#offer = undefined;
			await this.#ended(false);
			this.state = { step: 'failed', said: this.#words(error) };
			return;
		}
		this.#offer = undefined;
		const whole = offer.accountIs !== 'left' && offer.report.unreadable === 0;
		await this.#ended(whole);
		const said = whole ? t('house.restored-everything-the-backup-held') : t('house.restored-but-for-what');
		this.state = { step: 'done', said };
		if (offer.accountIs !== 'other') return;
		this.#remember(said);
		this.#app()?.house.restart();
	}

	/** Stops at any step; an offer that was not accepted is forgotten. */
	cancel(): void {
		this.#stop.abort();
		this.#offer?.cancel();
		this.#offer = undefined;
		if (this.state.step !== 'restoring') this.state = { step: 'idle' };
	}
}

/**
 * A newcomer: the built app opened by a profile that was never here, until it has a peer, an offer, and a first answer with its receipt.
 * Seen from outside: the platform's own classes are watched from before the page's first line, and the page is read as a person would.
 */
import type { Stage } from './stage.ts';

/** Milliseconds since navigation began, on the page's own clock; undefined when it did not come to that. */
export interface Arrival {
	/** Whether the person asked as soon as they could type, or when the tab had found somebody. */
	readonly asked: 'at once' | 'when linked';
	/** The box for a message can be typed into. */
	readonly usableMs: number | undefined;
	/** The WebSocket to the relay is open. */
	readonly relayMs: number | undefined;
	/** The first offer stands on the screen. */
	readonly offerMs: number | undefined;
	/** The first direct connection to another tab. */
	readonly peerMs: number | undefined;
	/** From Send, with "The mesh" chosen, to the first word on the screen. */
	readonly firstWordMs: number | undefined;
	/** Relayed between the new pair, from first contact to receipt. */
	readonly pairBytes: number;
	readonly pairs: number;
	/** Public messages the relay heard meanwhile. */
	readonly gossipBytes: number;
}

interface Seen {
	usable?: number;
	relay?: number;
	offer?: number;
	peer?: number;
	word?: number;
}
declare const seen: Seen;

/** The answer is as long as those of the triples are at least, so that its receipt stands for a whole one. */
const TOKENS = 200;

export async function arrive(stage: Stage, asked: Arrival['asked']): Promise<Arrival> {
	const before = await stage.relayed();
	const context = await stage.browser.newContext();
	try {
		await context.addInitScript(watchPlatform);
		const page = await context.newPage();
		await page.goto(`${stage.app}?minTokens=${TOKENS}`);
		if (asked === 'when linked') {
			await page.waitForFunction(() => seen.offer !== undefined && seen.peer !== undefined, undefined, { polling: 50 });
		}
		await page.getByRole('textbox', { name: 'Message' }).fill('Tell me a long story about the sea.');
		const sent = await page.evaluate(() => performance.now());
		await page.getByRole('button', { name: 'Send' }).click();
		await page.getByRole('link', { name: 'Receipt', exact: true }).waitFor({ timeout: 60_000 });
		const times = await page.evaluate(() => seen);
		const after = await stage.relayed();
		return {
			asked,
			usableMs: times.usable,
			relayMs: times.relay,
			offerMs: times.offer,
			peerMs: times.peer,
			firstWordMs: times.word === undefined ? undefined : times.word - sent,
			pairBytes: after.pairBytes - before.pairBytes,
			pairs: after.pairs - before.pairs,
			gossipBytes: after.gossipBytes - before.gossipBytes
		};
	} finally {
		await context.close();
	}
}

/** Runs in the page before anything else does; says nothing to it. */
function watchPlatform(): void {
	const found: Seen = {};
	const note = (name: keyof Seen) => {
		found[name] ??= performance.now();
	};
	// "The mesh" chosen in this tab before, so that it joins at once.
	sessionStorage.setItem('fireweed.place', 'mesh');
	const Socket = globalThis.WebSocket;
	const Peer = globalThis.RTCPeerConnection;
	globalThis.WebSocket = class extends Socket {
		constructor(...init: ConstructorParameters<typeof WebSocket>) {
			super(...init);
			this.addEventListener('open', () => note('relay'));
		}
	};
	globalThis.RTCPeerConnection = class extends Peer {
		constructor(...init: ConstructorParameters<typeof RTCPeerConnection>) {
			super(...init);
			this.addEventListener('connectionstatechange', () => {
				if (this.connectionState === 'connected') note('peer');
			});
		}
	};
	const look = () => {
		const box = document.querySelector('textarea');
		if (box !== null && !box.disabled) note('usable');
		if (/computers? offers? /.test(document.querySelector('.offer')?.textContent ?? '')) note('offer');
		const words = document.querySelector('[role=log] article[aria-label=Answer] .words');
		if ((words?.textContent ?? '').trim() !== '') note('word');
		requestAnimationFrame(look);
	};
	requestAnimationFrame(look);
	Object.assign(globalThis, { seen: found });
}

/** Ways to find others, as a port: what doors/doors.ts does and the screens show. */
import type { Code } from '#lib/protocol/errors.ts';

/** How far this device goes to find others. `known`: only whom it met or the person named; `ordinary`: also the app's directory and what peers name. */
export type Caution = 'known' | 'ordinary';

/** Where the search stands. `found`: a relay is up; `nobody`: every door was tried, and they are tried again later. */
export type DoorStage = 'off' | 'met-relays' | 'met-tabs' | 'directory' | 'named' | 'found' | 'nobody';

/** A list of relays that was signed by enough directory keys. */
export interface SignedList {
	readonly relays: readonly string[];
	/** Who signed it, by the names the keys have, and how many had to. */
	readonly signers: readonly string[];
	readonly needed: number;
	/** Its makers meant to have made a newer one by now. */
	readonly stale: boolean;
	/** Signed with a key that anyone can make. */
	readonly development: boolean;
	/** Unix ms. */
	readonly expiresAt: number;
	/** Where it stands among its like, and its name: an older one is not believed any more. */
	readonly place: { readonly keys: number; readonly sequence: number; readonly cid: string };
	/** As it travels. */
	readonly document: Uint8Array;
}

export interface DoorsState {
	readonly stage: DoorStage;
	readonly caution: Caution;
	/** Remembered from earlier visits. */
	readonly tabs: number;
	readonly relays: number;
	/** The newest list there is word of, or why what came is not believed; undefined when none came. */
	readonly list?: Omit<SignedList, 'document' | 'place'> | { readonly refused: Code } | undefined;
}

/** What a pasted text, a link or a file turned out to be, with who signed it. Nothing of it was dialled. */
export type Found =
	| {
			readonly kind: 'invitation';
			/** did:key of who signed it, checked. */
			readonly signer: string;
			/** What they call themselves: their word. */
			readonly name: string | undefined;
			/** This account was met before on this device. */
			readonly metBefore: boolean;
			readonly peer: string;
			readonly relays: readonly string[];
			readonly addresses: readonly string[];
			/** Unix ms. */
			readonly expiresAt: number;
	  }
	| {
			readonly kind: 'node';
			readonly role: 'tab' | 'relay';
			/** did:key of the account, or the relay's own PeerId, checked. */
			readonly signer: string;
			readonly metBefore: boolean;
			readonly peer: string;
			readonly addresses: readonly string[];
			readonly document: Uint8Array;
			readonly expiresAt: number;
	  }
	/** A bare address: nobody signed it. */
	| { readonly kind: 'relay'; readonly address: string }
	/** A list of relays under the keys of this app. */
	| ({ readonly kind: 'directory' } & SignedList);

export interface Doors {
	/** Begins to look, in stages, and to remember whom it meets; goes on until stop. */
	start(): void;
	stop(): void;
	readonly state: DoorsState;
	observe(listener: (state: DoorsState) => void): () => void;
	/** Reads what a person pasted, scanned or opened. Refusals say why not: `malformed`, `expired`, `bad-signature`, … */
	read(text: string): Promise<Found>;
	/** Uses it, after the person said yes. */
	use(found: Found): Promise<void>;
	/** A fresh invitation to this tab, as text. Refusal `relay-unavailable` while no relay is up. */
	invite(name: string | undefined): Promise<{ readonly code: string; readonly expiresAt: number }>;
	/** Kept on this device. */
	setCaution(caution: Caution): Promise<void>;
	/** Forgets everybody met. */
	forget(): Promise<void>;
}

/** Moving from tab to tab: honest on the in-memory network, then everybody who would cheat it (docs/spec/moving.md). */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createAgreement } from '#lib/keys/agreement.ts';
import { CODE_LIFE_MS, moveIn, type Arrived, type MoveInPorts } from '#lib/node/move-in.ts';
import { MOVE_PATIENCE_MS, PERSON_PATIENCE_MS } from '#lib/node/move-line.ts';
import { moveOut, type MoveOutPorts } from '#lib/node/move-out.ts';
import type { Agreement } from '#lib/ports/agreement.ts';
import type { Channel } from '#lib/ports/mesh.ts';
import { formatPeerId } from '#lib/protocol/did.ts';
import { codeOf, Refusal, type Code } from '#lib/protocol/errors.ts';
import { commitTo, helloTag } from '#lib/protocol/move-agreement.ts';
import { readMoveCode } from '#lib/protocol/move-code.ts';
import { decodeMove, encodeMove, MAX_MOVED_BYTES, PIECE_BYTES, type MoveMessage } from '#lib/protocol/move.ts';
import { SeededRandom } from '../doubles/chance.ts';
import { VirtualClock } from '../doubles/clock.ts';
import { Network, type MemoryMesh } from '../doubles/network.ts';

const RELAY = '/dns4/relay.example/tcp/443/wss/p2p/12D3KooWEC5hTP72TCKRr5ybEk3dupSkvzSdgPyTZ7AEENGXpxVZ';
const never = () => new AbortController().signal;
const settle = (work: Promise<unknown>): Promise<Code | 'done'> => work.then(() => 'done' as const, codeOf);

interface Screen {
	code: string;
	digits: string;
	readonly progress: number[];
	compare(digits: string): Promise<boolean>;
}

/** A network with three tabs on it, and what their people do. */
class Street {
	readonly clock = new VirtualClock();
	readonly random = new SeededRandom('street');
	readonly network = new Network({ clock: this.clock, random: this.random });
	readonly said: { readonly from: string; readonly message: MoveMessage }[] = [];
	readonly file: Uint8Array;

	constructor(length = 2.5 * PIECE_BYTES) {
		this.file = new Uint8Array(length).map((_, i) => (i * 31) & 255);
		this.network.tap = (from, _to, bytes) => {
			try {
				this.said.push({ from, message: decodeMove(bytes) });
			} catch {
				// A forgery; what its reader makes of it is what is tested.
			}
		};
	}

	/** Real cryptography, for which virtual time waits. */
	readonly agreement: Agreement = {
		pair: async () => {
			const pair = await this.clock.hold(createAgreement(crypto.subtle).pair());
			return { ...pair, shared: (theirs) => this.clock.hold(pair.shared(theirs)) };
		}
	};

	tab(): MemoryMesh {
		return this.network.join(formatPeerId(this.random.bytes(32)));
	}

	screen(answer: (digits: string) => boolean | Promise<boolean> = () => true): Screen & {
		show(code: string): void;
	} & { progress: number[] } {
		const screen = {
			code: '',
			digits: '',
			progress: [] as number[],
			show: (code: string) => void (screen.code = code),
			compare: async (digits: string) => {
				screen.digits = digits;
				return answer(digits);
			}
		};
		return screen;
	}

	moveIn(mesh: MemoryMesh, screen = this.screen(), signal = never()): Promise<Arrived> {
		const ports: MoveInPorts = {
			mesh: {
				self: mesh.self,
				relays: () => [{ address: RELAY, up: true }],
				observe: (listener) => mesh.observe(listener),
				onChannel: (accept, purpose) => mesh.onChannel(accept, purpose)
			},
			...{ agreement: this.agreement, clock: this.clock, random: this.random }
		};
		return moveIn(ports, asPerson(screen), signal);
	}

	moveOut(mesh: MemoryMesh, code: string, screen = this.screen(), signal = never(), more: Partial<MoveOutPorts> = {}) {
		const backUp = () => Promise.resolve(this.file);
		// As over a real channel, a message takes its time to go.
		const open = this.opening(mesh, async (channel, bytes) => {
			await channel.send(bytes);
			await this.clock.sleep(100);
		});
		const ports: MoveOutPorts = {
			...{ mesh: { self: mesh.self, open }, agreement: this.agreement, clock: this.clock, backUp },
			...more
		};
		const leaving = moveOut(code, ports, asPerson(screen), signal);
		// Looked at when its test comes to it.
		leaving.catch(() => undefined);
		return leaving;
	}

	/** The mesh's `open`, with another way to send. */
	opening(
		mesh: MemoryMesh,
		send: (channel: Channel, bytes: Uint8Array) => Promise<void>
	): MoveOutPorts['mesh']['open'] {
		return async (...args) => {
			const channel = await mesh.open(...args);
			return {
				...{ peer: channel.peer, messages: channel.messages, send: (bytes) => send(channel, bytes) },
				...{ close: () => channel.close(), abort: () => channel.abort() }
			};
		};
	}

	/** A new tab that shows its code. */
	async waiting(screen = this.screen(), signal = never()) {
		const mesh = this.tab();
		const arriving = this.moveIn(mesh, screen, signal);
		arriving.catch(() => undefined);
		await this.clock.pass(100);
		return { mesh, screen, arriving, code: screen.code };
	}

	/** Somebody who opens a channel and says what they like. */
	async channel(from: MemoryMesh, to: string): Promise<Channel> {
		return this.clock.until(from.open(to, [], never(), 'move'));
	}

	types(): string[] {
		return this.said.map(({ message }) => message.type);
	}
}

/** `progress` of a screen is a list, of a person a call. */
function asPerson(screen: ReturnType<Street['screen']>) {
	return {
		show: screen.show,
		compare: screen.compare,
		progress: (bytes: number) => void screen.progress.push(bytes)
	};
}

describe('old tab to new tab', () => {
	test('everything comes whole, both screens show the same figures, and the old one hears that it is kept', async () => {
		const street = new Street();
		const { screen, arriving, code } = await street.waiting();
		const old = street.screen();
		let sealedUnder = '';
		const leaving = street.moveOut(street.tab(), `Here is my code: ${code} !`, old, never(), {
			backUp: (passphrase) => {
				sealedUnder = passphrase;
				return Promise.resolve(street.file);
			}
		});
		const arrived = await street.clock.until(arriving);
		expect(arrived.file).toEqual(street.file);
		expect(arrived.passphrase).toBe(sealedUnder);
		expect(sealedUnder.length).toBeGreaterThan(50);
		expect(old.digits).toMatch(/^\d{6}$/);
		expect(screen.digits).toBe(old.digits);
		expect(screen.progress).toEqual([PIECE_BYTES, 2 * PIECE_BYTES, 2.5 * PIECE_BYTES]);
		let known = false;
		void leaving.then(() => (known = true));
		await street.clock.pass(1_000);
		expect(old.progress).toEqual(screen.progress);
		expect(known).toBe(false);
		await street.clock.until(Promise.all([arrived.kept(), leaving]));
		expect(street.types()).toEqual([
			...['hello', 'answer', 'reveal', 'confirm', 'confirm', 'file'],
			...['piece', 'piece', 'piece', 'kept']
		]);
		for (const mesh of street.network.nodes.values()) expect(mesh.held.channels).toBe(0);
	});

	test('nothing of the file leaves before both people said yes', async () => {
		for (const decliner of ['old', 'new'] as const) {
			const street = new Street();
			const answer = (who: string) => () => who !== decliner;
			const { arriving, code } = await street.waiting(street.screen(answer('new')));
			let sealed = 0;
			const leaving = street.moveOut(street.tab(), code, street.screen(answer('old')), never(), {
				backUp: () => Promise.resolve((sealed++, street.file))
			});
			const codes = await street.clock.until(Promise.all([settle(leaving), settle(arriving)]));
			expect([decliner, ...codes]).toEqual([decliner, 'declined', 'declined']);
			expect(sealed).toBe(0);
			expect(street.types()).not.toContain('file');
		}
	});

	test('one person who has confirmed waits for the other, and not for ever', async () => {
		const street = new Street();
		const { arriving, code } = await street.waiting(street.screen(() => new Promise(() => undefined)));
		const leaving = street.moveOut(street.tab(), code);
		await street.clock.pass(PERSON_PATIENCE_MS - 1_000);
		expect(street.types()).not.toContain('file');
		const codes = await street.clock.until(Promise.all([settle(leaving), settle(arriving)]));
		expect(codes).toEqual(['stalled', 'stalled']);
	});

	test('either person can stop it at any step, and the other side is told', async () => {
		for (const stopper of ['old', 'new'] as const) {
			for (const at of ['compare', 'file', 'piece', 'kept'] as const) {
				const street = new Street();
				const stop = new AbortController();
				const { tap } = street.network;
				street.network.tap = (from, to, bytes) => {
					tap?.(from, to, bytes);
					if (decodeMove(bytes).type === at) stop.abort();
				};
				const quit = (who: string) => (who === stopper ? stop.signal : never());
				const ask = (who: string) => () => {
					if (at === 'compare' && who === stopper) stop.abort();
					return true;
				};
				const { arriving, code } = await street.waiting(street.screen(ask('new')), quit('new'));
				const leaving = street.moveOut(street.tab(), code, street.screen(ask('old')), quit('old'));
				const taken = arriving.then((arrived) => arrived.kept());
				const codes = await street.clock.until(Promise.all([settle(leaving), settle(taken)]));
				// What was kept stays kept, whoever stops waiting.
				if (at === 'kept') expect(codes[1]).toBe('done');
				else expect([stopper, at, ...codes]).toEqual([stopper, at, 'aborted', 'aborted']);
			}
		}
	});

	test('a new tab that does not take it says so', async () => {
		const street = new Street();
		const { arriving, code } = await street.waiting();
		const leaving = street.moveOut(street.tab(), code);
		(await street.clock.until(arriving)).leave();
		expect(await street.clock.until(settle(leaving))).toBe('declined');
	});

	test('refusals that need nobody else: no relay, no code, one’s own code, no cryptography', async () => {
		const street = new Street();
		const mesh = street.tab();
		const { agreement, clock, random } = street;
		const person = asPerson(street.screen());
		const alone = {
			self: mesh.self,
			relays: () => [],
			observe: () => () => undefined,
			onChannel: () => () => undefined
		};
		const nobody = moveIn({ mesh: alone, agreement, clock, random }, person, never());
		expect(await clock.until(settle(nobody))).toBe('relay-unavailable');
		expect(await settle(street.moveOut(mesh, 'no code at all'))).toBe('malformed');
		const waits = await street.waiting();
		expect(await settle(street.moveOut(waits.mesh, waits.code))).toBe('malformed');
		const insecure = { ...{ mesh: alone, clock, random }, agreement: createAgreement(undefined) };
		expect(await settle(moveIn(insecure, person, never()))).toBe('insecure-context');
	});
});

describe('who would cheat it', () => {
	test('somebody between with a code of their own: the two screens differ', async () => {
		const street = new Street();
		const { screen, code } = await street.waiting();
		const middle = await street.waiting();
		// The old tab is given the middle's code; the middle has read the new one's.
		const old = street.screen((digits) => digits === screen.digits);
		const victim = street.tab();
		void settle(street.moveOut(victim, middle.code, old));
		void settle(street.moveOut(middle.mesh, code));
		await street.clock.pass(5_000);
		expect([old.digits, screen.digits]).toEqual([expect.stringMatching(/^\d{6}$/), expect.stringMatching(/^\d{6}$/)]);
		expect(old.digits).not.toBe(screen.digits);
		const told = street.said.flatMap(({ from, message }) => (from === victim.self ? [message.type] : []));
		expect(told).toEqual(['hello', 'reveal', 'stop']);
	});

	test('a key chosen after the other was seen is refused, so there is one guess and no grinding', async () => {
		const street = new Street();
		const { mesh, screen, arriving, code } = await street.waiting();
		const thief = street.tab();
		const { secret } = readMoveCode(code);
		const [shown, kept] = await Promise.all([street.agreement.pair(), street.agreement.pair()]);
		const channel = await street.channel(thief, mesh.self);
		const commitment = commitTo(shown.publicKey);
		const ends = { oldPeer: thief.self, newPeer: mesh.self };
		await channel.send(encodeMove({ type: 'hello', version: 1, commitment, tag: helloTag(secret, ends, commitment) }));
		await channel.send(encodeMove({ type: 'reveal', key: kept.publicKey }));
		expect(await street.clock.until(settle(arriving))).toBe('not-agreed');
		expect(screen.digits).toBe('');
	});

	test('whatever is changed on the way, the screens never show the same figures and nothing is sealed', async () => {
		const types = ['hello', 'answer', 'reveal', 'confirm'] as const;
		await fc.assert(
			fc.asyncProperty(
				fc.constantFrom(...types),
				fc.nat(400),
				fc.integer({ min: 1, max: 255 }),
				async (type, at, by) => {
					const street = new Street(1_000);
					let sealed = 0;
					let changed = false;
					street.network.meddle = (bytes) => {
						const message = decodeMove(bytes);
						if (message.type !== type || at >= bytes.length) return [bytes];
						changed = true;
						return [bytes.with(at, (bytes[at] ?? 0) ^ by)];
					};
					const { screen, code } = await street.waiting();
					const old = street.screen();
					void street.moveOut(street.tab(), code, old, never(), {
						backUp: () => Promise.resolve((sealed++, street.file))
					});
					await street.clock.pass(2_000);
					if (!changed) return;
					if (type !== 'confirm') expect(old.digits === screen.digits && old.digits !== '').toBe(false);
					expect(sealed).toBe(0);
				}
			),
			{ numRuns: 120 }
		);
	});

	test('strangers without the code learn nothing, take nobody’s place, and are shown the door', async () => {
		const street = new Street();
		const { mesh, arriving, code } = await street.waiting();
		const stranger = street.tab();
		const silent = await Promise.all(Array.from({ length: 6 }, () => street.channel(stranger, mesh.self)));
		const ended = new Set<number>();
		silent.forEach((channel, n) => {
			channel.messages[Symbol.asyncIterator]()
				.next()
				.catch(() => ended.add(n));
		});
		await street.clock.pass(1_000);
		// Of one node, the last is awaited.
		expect(ended.size).toBe(5);
		await street.clock.pass(5_000);
		expect(ended.size).toBe(6);
		const guess = await street.channel(stranger, mesh.self);
		const commitment = new Uint8Array(32);
		await guess.send(encodeMove({ type: 'hello', version: 1, commitment, tag: new Uint8Array(32) }));
		expect(await street.clock.until(settle(guess.messages[Symbol.asyncIterator]().next()))).toBe('channel-closed');
		expect(street.said.filter(({ from }) => from === mesh.self)).toEqual([]);
		const late = settle((await street.channel(stranger, mesh.self)).messages[Symbol.asyncIterator]().next());
		const leaving = street.moveOut(street.tab(), code);
		const { file, kept } = await street.clock.until(arriving);
		expect(file).toEqual(street.file);
		// Whoever still knocks when the right one has come is sent away at once.
		const began = street.clock.monotonic();
		expect(await street.clock.until(late)).toBe('channel-closed');
		expect(street.clock.monotonic() - began).toBeLessThan(500);
		await street.clock.until(Promise.all([kept(), leaving]));
	});

	test('nobody is kept out by nodes that open channels and say nothing, few or many, however often', async () => {
		for (const nodes of [2, 7]) {
			const street = new Street();
			const { mesh, arriving, code } = await street.waiting();
			const strangers = Array.from({ length: nodes }, () => street.tab());
			const crowd = async () => {
				for (const stranger of [...strangers, ...strangers]) await street.channel(stranger, mesh.self);
			};
			await crowd();
			await street.clock.pass(4_000);
			await crowd();
			const leaving = street.moveOut(street.tab(), code);
			const { file, kept } = await street.clock.until(arriving);
			expect(file).toEqual(street.file);
			await street.clock.until(Promise.all([kept(), leaving]));
			for (const stranger of strangers) expect(stranger.held.channels).toBe(0);
		}
	});

	test('two who show the same code in the same moment: one is taken, the other ended', async () => {
		const street = new Street();
		const [agreement, clock, random] = [street.agreement, street.clock, street.random];
		const self = street.tab().self;
		const ended: string[] = [];
		let accept: ((channel: Channel) => void) | undefined;
		const knocking = (peer: string, hello: Uint8Array): Channel => ({
			peer,
			messages: {
				[Symbol.asyncIterator]: () => {
					let said = false;
					const next = () =>
						said ? new Promise<never>(() => undefined) : Promise.resolve({ done: false as const, value: hello });
					return { next: () => next().finally(() => (said = true)) };
				}
			},
			send: () => Promise.resolve(),
			close: () => Promise.resolve(),
			abort: () => void ended.push(peer)
		});
		const mesh: MoveInPorts['mesh'] = {
			...{ self, relays: () => [{ address: RELAY, up: true }], observe: () => () => undefined },
			onChannel: (hear) => {
				accept = hear;
				return () => undefined;
			}
		};
		const screen = street.screen();
		void settle(moveIn({ mesh, agreement, clock, random }, asPerson(screen), never()));
		await clock.pass(100);
		const { secret } = readMoveCode(screen.code);
		const commitment = new Uint8Array(32);
		for (const oldPeer of ['first', 'second']) {
			const tag = helloTag(secret, { oldPeer, newPeer: self }, commitment);
			accept?.(knocking(oldPeer, encodeMove({ type: 'hello', version: 1, commitment, tag })));
		}
		await clock.pass(100);
		expect(ended).toEqual(['second']);
	});

	test('words in another order than they must come are refused', async () => {
		const street = new Street();
		const { mesh, arriving, code } = await street.waiting();
		const thief = street.tab();
		const commitment = new Uint8Array(32);
		const ends = { oldPeer: thief.self, newPeer: mesh.self };
		const tag = helloTag(readMoveCode(code).secret, ends, commitment);
		const channel = await street.channel(thief, mesh.self);
		await channel.send(encodeMove({ type: 'hello', version: 1, commitment, tag }));
		await channel.send(encodeMove({ type: 'answer', key: new Uint8Array(65), tag }));
		expect(await street.clock.until(settle(arriving))).toBe('out-of-order');
	});

	test('a code is good once and for ten minutes; a recorded hello is of no use to another node', async () => {
		const street = new Street();
		const first = await street.waiting();
		const leaving = settle(
			street.moveOut(
				street.tab(),
				first.code,
				street.screen(() => new Promise(() => undefined))
			)
		);
		await street.clock.pass(2_000);
		expect(await street.clock.until(settle(street.moveOut(street.tab(), first.code)))).toBe('channel-closed');
		void leaving;

		const second = await street.waiting();
		await street.clock.pass(CODE_LIFE_MS);
		expect(await settle(second.arriving)).toBe('expired');
		expect(await street.clock.until(settle(street.moveOut(street.tab(), second.code)))).toBe('channel-closed');

		const third = await street.waiting();
		const [owner, thief] = [street.tab(), street.tab()];
		const commitment = new Uint8Array(32).fill(3);
		const ends = { oldPeer: owner.self, newPeer: third.mesh.self };
		const tag = helloTag(readMoveCode(third.code).secret, ends, commitment);
		const replayed = await street.channel(thief, third.mesh.self);
		await replayed.send(encodeMove({ type: 'hello', version: 1, commitment, tag }));
		expect(await street.clock.until(settle(replayed.messages[Symbol.asyncIterator]().next()))).toBe('channel-closed');
		expect(street.types().filter((type) => type === 'answer')).toHaveLength(1);
	});

	/** An old tab that is honest until the file, and then says `messages`. */
	async function hostileFile(messages: readonly unknown[]): Promise<Code | 'done'> {
		const street = new Street(PIECE_BYTES);
		const { arriving, code } = await street.waiting();
		const mesh = street.tab();
		let turned = false;
		const open = street.opening(mesh, async (channel, bytes) => {
			if (turned) return;
			if (decodeMove(bytes).type !== 'file') return channel.send(bytes);
			turned = true;
			for (const message of messages) await channel.send(encodeMove(message as MoveMessage));
		});
		void settle(street.moveOut(mesh, code, street.screen(), never(), { mesh: { self: mesh.self, open } }));
		return street.clock.until(settle(arriving));
	}
	const piece = (at: number, length: number) => ({ type: 'piece', at, data: new Uint8Array(length) });

	test('an endless, a scattered, a broken and a dripping file end with a refusal', async () => {
		expect(await hostileFile([{ type: 'file', length: MAX_MOVED_BYTES + 1 }])).toBe('malformed');
		expect(await hostileFile([{ type: 'file', length: 0 }])).toBe('malformed');
		expect(await hostileFile([{ type: 'file', length: 10 }, piece(0, 0), piece(0, 0)])).toBe('malformed');
		expect(await hostileFile([{ type: 'file', length: 10 }, piece(0, 11)])).toBe('malformed');
		expect(await hostileFile([{ type: 'file', length: 2 * PIECE_BYTES }, piece(0, 5)])).toBe('malformed');
		expect(await hostileFile([{ type: 'file', length: 10 }, piece(5, 5)])).toBe('out-of-order');
		expect(await hostileFile([{ type: 'file', length: 10 }, { type: 'kept' }])).toBe('out-of-order');
		expect(await hostileFile([{ type: 'file', length: 10 }])).toBe('stalled');
		expect(await hostileFile([{ type: 'stop', why: 'no such code' }])).toBe('internal');
		expect(await hostileFile([{ type: 'stop', why: 'storage-unavailable' }])).toBe('storage-unavailable');
	});

	test('a new tab that takes nothing of the file is given up', async () => {
		const street = new Street();
		const { code } = await street.waiting();
		const mesh = street.tab();
		// The window is full and no credit comes.
		const open = street.opening(mesh, (channel, bytes) =>
			decodeMove(bytes).type === 'piece' ? new Promise<void>(() => undefined) : channel.send(bytes)
		);
		const began = street.clock.monotonic();
		const leaving = street.moveOut(mesh, code, street.screen(), never(), { mesh: { self: mesh.self, open } });
		expect(await street.clock.until(settle(leaving))).toBe('stalled');
		expect(street.clock.monotonic() - began).toBeLessThan(MOVE_PATIENCE_MS + 2_000);
	});

	test('a key that is no point of the curve is refused on both sides', async () => {
		const pair = await createAgreement(crypto.subtle).pair();
		for (const bad of [new Uint8Array(65), pair.publicKey.with(40, (pair.publicKey[40] ?? 0) ^ 1), new Uint8Array(3)]) {
			await expect(pair.shared(bad)).rejects.toBeInstanceOf(Refusal);
		}
	});

	test('a peer that goes away in the middle is noticed', async () => {
		const street = new Street();
		const { arriving, code } = await street.waiting();
		const mesh = street.tab();
		void settle(
			street.moveOut(
				mesh,
				code,
				street.screen(() => new Promise(() => undefined))
			)
		);
		await street.clock.pass(2_000);
		street.network.vanish(mesh.self);
		expect(await street.clock.until(settle(arriving))).toBe('peer-lost');
	});
});

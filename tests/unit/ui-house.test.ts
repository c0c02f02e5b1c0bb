/** What the screens of a move tell the old place of what came (docs/spec/moving.md). */
import { describe, expect, it } from 'vitest';
import type { App } from '#lib/node/app.ts';
import type { RestoreOffer } from '#lib/node/moving.ts';
import { Arriving } from '#lib/ui/house/arriving.ts';
import { Restoring } from '#lib/ui/house/restoring.svelte.ts';
import { moveInWords } from '#lib/ui/house/words.ts';
import { t } from '#lib/ui/language/language.svelte.ts';
import { Refusal } from '#lib/protocol/errors.ts';

const REPORT = { conversations: 1, messages: 2, receipts: 0, jobs: 0, copied: 0, same: 0, unreadable: 0 };
const offerOf = (more: Partial<RestoreOffer> = {}): RestoreOffer => ({
	...{ account: 'did:key:z', accountIs: 'same', madeAt: 1, report: REPORT },
	...{ accept: () => Promise.resolve(), cancel: () => undefined },
	...more
});
const appWith = (offer: RestoreOffer) =>
	({ house: { openRestore: () => Promise.resolve(offer), restart: () => undefined } }) as unknown as App;

describe('what came by a move', () => {
	const toldOf = async (offer: RestoreOffer) => {
		const told: boolean[] = [];
		const restoring = new Restoring(
			() => appWith(offer),
			() => undefined,
			(whole) => (told.push(whole), Promise.resolve())
		);
		await restoring.open(new Uint8Array(1), 'passphrase');
		await restoring.accept();
		return { told, state: restoring.state };
	};

	it.each([
		['all of it', {}, true],
		['another account', { accountIs: 'other' }, true],
		['an account that cannot be kept here', { accountIs: 'left' }, false],
		['an entry that cannot be read', { report: { ...REPORT, unreadable: 1 } }, false]
	] as const)('is whole only when the account and every record is: %s', async (_what, more, whole) => {
		const said = whole
			? 'Restored. Everything the backup held is here.'
			: 'Restored, but for what could not be read or kept here. Keep the backup.';
		expect(await toldOf(offerOf(more))).toEqual({ told: [whole], state: { step: 'done', said } });
	});
});

describe('leaving the screen of the new place', () => {
	const place = async () => {
		const told: string[] = [];
		const taken = Promise.withResolvers<undefined>();
		const late: { signal?: AbortSignal } = {};
		const arrived = {
			...{ file: new Uint8Array(1), passphrase: 'passphrase' },
			...{ kept: async () => void told.push('kept'), leave: () => void told.push('left') }
		};
		const moveIn: App['house']['moveIn'] = async (_person, signal) => ((late.signal = signal), arrived);
		const openRestore = () => Promise.resolve(offerOf({ accept: () => taken.promise }));
		const app = { house: { moveIn, openRestore } } as unknown as App;
		const arriving = new Arriving(
			() => app,
			() => undefined
		);
		await arriving.begin();
		return { told, taken, arriving, signal: late.signal };
	};

	it('while it asks ends the move, and the old place hears that nothing was kept', async () => {
		const { told, arriving, signal } = await place();
		arriving.close();
		expect([told, signal?.aborted]).toEqual([['left'], true]);
	});

	it('while it takes in waits for how that ends, and the old place hears just that', async () => {
		for (const ends of ['kept', 'left'] as const) {
			const { told, taken, arriving, signal } = await place();
			const accepting = arriving.restoring.accept();
			arriving.close();
			expect([told, signal?.aborted]).toEqual([[], false]);
			if (ends === 'kept') taken.resolve(undefined);
			else taken.reject(new Refusal('aborted'));
			await accepting;
			arriving.leave();
			expect(told).toEqual([ends]);
		}
	});
});

it('a move says before it begins what does not come along', () => {
	for (const left of ['Settings', 'models', 'people you know'])
		expect(t('move.everything-goes-straight')).toContain(left);
});

it('a place that keeps nothing says what to do instead', () => {
	const said = moveInWords(new Refusal('storage-unavailable'));
	expect(said).toContain('nothing can move here');
	expect(said).toContain('at an address of its own');
});

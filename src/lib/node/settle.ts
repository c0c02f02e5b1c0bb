/** When another goes on, or has answered already: what an executor that is no longer needed is still owed. */
import { codeOf, Refusal } from '#lib/protocol/errors.ts';
import type { Said } from '#lib/market/race.ts';
import { LAST_WORDS, type Runner } from './runner.ts';
import type { NodePorts } from './ports.ts';

/** How long an executor that was replaced has to seal what it delivered. */
const SEAL_MS = 3_000;

/**
 * Cuts a stalled executor off and, while the job goes on elsewhere, waits for its receipt. What was shown is countersigned; one that counts
 * more, or never comes, leaves it with its last acknowledged checkpoint. Returns at once. Never throws.
 */
export function settle(runner: Runner, ports: NodePorts): void {
	void lastWord(runner, undefined, ports);
}

/**
 * Lets a standby go when the answer is whole: what it had sent until then counts too, as long as it is what was shown, for it did what it was
 * asked for. Returns at once. Never throws.
 */
export function release(runner: Runner, shown: Said, ports: NodePorts): void {
	void lastWord(runner, shown, ports);
}

async function lastWord(runner: Runner, shown: Said | undefined, ports: NodePorts): Promise<void> {
	const { hearing } = runner;
	const { inbox, channel } = hearing.hired;
	const end = ports.clock.monotonic() + SEAL_MS;
	try {
		await (shown === undefined ? hearing.cutOff() : hearing.cancel('replaced'));
		for (let words = 0; words < LAST_WORDS; words++) {
			const mail = await inbox.take(end - ports.clock.monotonic());
			if (mail === undefined) throw new Refusal('no-acknowledgement');
			if (mail.type === 'ended') throw new Refusal(mail.code ?? 'channel-closed');
			if (mail.type === 'stop') continue;
			const heard = await hearing.hear(mail.bytes).catch(refusedWords);
			if (heard?.type === 'checkpoint') await hearing.acknowledge();
			if (heard?.type === 'receipt') return ports.log('settled', { tokens: heard.receipt.body.answerTokens });
			if (heard?.type === 'frame' && shown !== undefined && runner.standing(shown).type !== 'behind')
				throw new Refusal('terms-differ', 'other words than those shown');
		}
		throw new Refusal('no-acknowledgement');
	} catch (error) {
		ports.log('settled', { tokens: hearing.acknowledgedTokens, code: codeOf(error) });
		channel.abort();
	}
}

/** What was under way when it was cut off is passed over; anything else that is wrong ends it. */
function refusedWords(error: unknown): undefined {
	if (codeOf(error) !== 'old-epoch') throw error;
}

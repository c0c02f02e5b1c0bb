/** After a hand-over: what the executor that stalled is still owed. */
import { codeOf, Refusal } from '#lib/protocol/errors.ts';
import type { Left } from './follow.ts';
import type { NodePorts } from './ports.ts';

/** How long an executor that was replaced has to seal what it delivered. */
const SEAL_MS = 3_000;

/**
 * Cuts a stalled executor off and, while the job goes on elsewhere, waits for its receipt. What was shown is countersigned; one that counts
 * more, or never comes, leaves it with its last acknowledged checkpoint. Returns at once. Never throws.
 */
export function settle(left: Left, ports: NodePorts): void {
	// Any other loss has ended the channel already.
	if (left.code === 'stalled') void lastWord(left, ports);
}

async function lastWord({ hearing }: Left, ports: NodePorts): Promise<void> {
	const { inbox, channel } = hearing.hired;
	const end = ports.clock.monotonic() + SEAL_MS;
	try {
		await hearing.cutOff();
		for (;;) {
			const mail = await inbox.take(end - ports.clock.monotonic());
			if (mail === undefined) throw new Refusal('no-acknowledgement');
			if (mail.type === 'ended') throw new Refusal(mail.code ?? 'channel-closed');
			if (mail.type === 'stop') continue;
			const heard = await hearing.hear(mail.bytes).catch(refusedWords);
			if (heard?.type === 'receipt') return ports.log('settled', { tokens: heard.receipt.body.answerTokens });
		}
	} catch (error) {
		ports.log('settled', { tokens: hearing.acknowledgedTokens, code: codeOf(error) });
		channel.abort();
	}
}

/** What was under way when it was cut off is passed over; anything else that is wrong ends it. */
function refusedWords(error: unknown): undefined {
	if (codeOf(error) !== 'old-epoch') throw error;
}

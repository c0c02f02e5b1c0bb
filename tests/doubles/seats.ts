/** Jobs of one executor whose askers can be away and come back: whatever is kept for them, over channels that only take. */
import { Asker } from '#lib/node/asker.ts';
import type { Terms } from '#lib/node/deliver.ts';
import { Inbox, type JobMail } from '#lib/node/inbox.ts';
import type { Seat } from '#lib/node/kept.ts';
import { Line, type Said } from '#lib/node/line.ts';
import { assignJob } from '#lib/protocol/assignment.ts';
import { seal } from '#lib/protocol/envelope.ts';
import { chainStart } from '#lib/protocol/frame.ts';
import { channelTo, type Papers } from './papers.ts';

/** The `n`th job of `papers`, assigned from `peer`. */
export async function seat(papers: Papers, n: number, peer: string, epoch = 1) {
	const job = new Uint8Array(16).fill(n);
	const assignment = await seal(assignJob, { ...papers.assignment.body, job, epoch }, papers.key);
	const channel = channelTo(peer);
	const chain = chainStart(assignment.bodyBytes);
	const line = new Line(channel, { tokens: 0, chain });
	const told = { stops: 0 };
	const asker = new Asker(assignment, line, papers.ports, { stop: () => told.stops++, away: () => undefined });
	const inbox = new Inbox<JobMail>(papers.clock);
	void asker.attend(inbox);
	const terms = { assignment, nonce: papers.nonce } as Terms;
	const made: Seat = { terms, peer, asker, line };
	return Object.assign(made, {
		...{ channel, inbox, told, chain },
		/** Its connection is lost. */
		leave: async () => {
			inbox.put({ type: 'ended', code: 'peer-lost' });
			await papers.clock.pass(0);
		},
		/** One word of so many bytes is said and not confirmed. */
		say: (tokens: number, length: number) => {
			const said: Said = {
				kind: 'word',
				tokens,
				chain: new Uint8Array(32).fill(tokens),
				bytes: new Uint8Array(length)
			};
			return line.say(said);
		}
	});
}

/** Step 3: what is wanted and the most it will pay is signed with a key made for this job alone. The prompt stays. */
import type { Signer } from '#lib/ports/keys.ts';
import { jobAnnouncement, promptBucket, type JobAnnouncement } from '#lib/protocol/announcement.ts';
import { utf8 } from '#lib/protocol/encode.ts';
import { seal, type Signed } from '#lib/protocol/envelope.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import { MAX_PROMPT_BYTES, MAX_TURNS } from '#lib/protocol/limits.ts';
import { publicPart, type ExecutionPolicy } from '#lib/protocol/policy.ts';
import { toHex } from '#lib/protocol/encode.ts';
import type { Wish } from './app.ts';
import type { NodePorts } from './ports.ts';

/** A job before anybody has it. */
export interface AnnouncedJob {
	readonly id: Uint8Array;
	readonly hex: string;
	readonly key: Signer;
	readonly policy: ExecutionPolicy;
	readonly announcement: Signed<JobAnnouncement>;
}

/** protocol.md 3: the window closes at 150–250 ms. */
export const BID_WINDOW_MS = 200;

/** Upper bound on the tokens of a prompt for any tokenizer that spends at most one token per byte, plus the template's own. */
export function mostPromptTokens(wish: Pick<Wish, 'turns' | 'continueFrom'>): number {
	return wish.turns.reduce((sum, turn) => sum + utf8(turn.content).length + 16, 16) + wish.continueFrom.length;
}

/** Refusals: `prompt-too-long`, `malformed` (a wish that no announcement can carry). */
export async function announce(
	wish: Wish,
	policy: ExecutionPolicy,
	ports: Pick<NodePorts, 'jobKey' | 'random' | 'clock'>
): Promise<AnnouncedJob> {
	const bytes = wish.turns.reduce((sum, turn) => sum + utf8(turn.content).length, 0);
	if (bytes > MAX_PROMPT_BYTES || wish.turns.length > MAX_TURNS) throw new Refusal('prompt-too-long', `${bytes} bytes`);
	if (wish.minTokens > wish.maxTokens) throw new Refusal('malformed', 'minTokens above maxTokens');
	const id = ports.random.bytes(16);
	const key = await ports.jobKey();
	const body: JobAnnouncement = {
		job: id,
		...(wish.model === undefined ? {} : { model: wish.model }),
		// An upper bound, not a guess: the executor refuses a prompt longer than announced, and we do not have its tokenizer.
		promptTokens: promptBucket(mostPromptTokens(wish)),
		minTokens: wish.minTokens,
		maxTokens: wish.maxTokens,
		policy: publicPart(policy),
		windowMs: BID_WINDOW_MS,
		issuedAt: ports.clock.now(),
		extensions: {}
	};
	return { id, hex: toHex(id), key, policy, announcement: await seal(jobAnnouncement, body, key) };
}

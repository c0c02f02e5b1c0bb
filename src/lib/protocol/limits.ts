/** Bounds on everything a stranger may send. Each is a refusal before it is work. */

/** One message on a job channel. Holds the longest prompt (MAX_PROMPT_BYTES) and its envelope. */
export const MAX_CHANNEL_MESSAGE = 512 * 1024;
/** One message on a topic; a capability with eight models and eight addresses takes about 3 KiB. */
export const MAX_GOSSIP_MESSAGE = 8 * 1024;
/** All turns of a prompt together, UTF-8. */
export const MAX_PROMPT_BYTES = 256 * 1024;
export const MAX_TURNS = 512;
/** Longest answer one job may ask for, and longest continuation it may bring. */
export const MAX_ANSWER_TOKENS = 32_768;
/** Tokens in one frame; more are split. */
export const MAX_FRAME_TOKENS = 256;
/** Text of one frame, UTF-8: no tokenizer in use spends more than 256 bytes on a token. */
export const MAX_FRAME_TEXT = 64 * 1024;
/** Tokens between two checkpoints (protocol.md 6); what either side can lose to a cheat. */
export const CHECKPOINT_TOKENS = 32;
/** How often one assignment may be taken up again: somebody whose page is reloaded oftener than this has another trouble. */
export const MAX_REATTACHES = 32;
/** Clocks of strangers may differ by this much (protocol.md 2). */
export const CLOCK_SKEW_MS = 120_000;
/** A bid binds at most this long. */
export const MAX_BID_VALID_MS = 60_000;
/** A capability statement is forgotten after this long at the latest. */
export const MAX_CAPABILITY_TTL_MS = 600_000;
/** Addresses in one message; each at most MAX_ADDRESS characters. */
export const MAX_ADDRESSES = 8;
export const MAX_ADDRESS = 512;
/** A node's statement of where it is found, and an invitation, hold at most this long: longer than that, machines have moved. */
export const MAX_MANIFEST_LIFE_MS = 30 * 24 * 3600 * 1000;
/** Manifests in one answer to the question whom a node knows. */
export const MAX_PEERS_ANSWER = 16;
/** Highest price that can stand in a message: a thousand credits per token, in microcredits per 1,000 tokens. */
export const MAX_PRICE = 1_000_000_000_000;

/** Positions an engine must have compared before it serves: ONNX Runtime's WebGPU attention went wrong only in sequences of 33 and more. */
export const MIN_SELF_TEST_POSITIONS = 64;

/**
 * The rule by which a conversation that is too long is cut. It stands in every receipt beside the number of turns left out, so that anyone who holds
 * the conversation can tell what the model read.
 *
 * `oldest-rounds/1`: a round is a person's turn and what answered it. Whole rounds are left out, oldest first, as few as will do for the prompt
 * and the longest answer allowed to fit the context. A system turn at the front stays where the template shows one; the last turn stays always.
 */
export const TRUNCATION = 'oldest-rounds/1';

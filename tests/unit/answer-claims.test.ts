/** Which tab writes an answer, where the browser gives no locks. */
import { expect, it, vi } from 'vitest';
import { lockClaims } from '#lib/ui/chat/claims.ts';

const refusing = {
	request: () => Promise.reject(new DOMException('The request was denied.', 'SecurityError'))
} as unknown as LockManager;

it.each([
	['has no locks', undefined],
	['refuses them', refusing]
])('takes every claim for free when the browser %s', async (_, locks) => {
	const claims = lockClaims(locks);
	claims.hold('a message')();
	const then = vi.fn();
	claims.whenFree('another', then);
	await vi.waitFor(() => expect(then).toHaveBeenCalledOnce());
});

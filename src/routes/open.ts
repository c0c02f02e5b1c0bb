import { goto } from '$app/navigation';

/**
 * Opens a page of the app, such as `/settings`, without loading the app anew. Relative to this document: on a gateway's path the address that
 * `resolve` of `$app/paths` makes lacks the slash at the end of the folder, and is another document to the browser.
 */
export const open = (path: `/${string}`, options?: Parameters<typeof goto>[1]): Promise<void> =>
	// eslint-disable-next-line svelte/no-navigation-without-resolve -- as said
	goto(`#${path}`, options);

/** What identify tells strangers about this program; libp2p's own default would carry the browser's user agent. */
export const NODE_INFO = { name: 'fireweed', version: '1', userAgent: 'fireweed/1' };

/** The medium of a browser tab: WebSockets to relays, WebRTC to everyone else. */
import type { Medium } from './medium.ts';

/**
 * Bytes a data channel may hold before its writer waits. The library's 2 MiB would let a stopped answer go on for seconds on a slow
 * line; less than this would starve a fast one, since the library waits for the buffer to empty.
 */
const MAX_BUFFERED_BYTES = 256 * 1024;

export function tabMedium(): Medium {
	let used = 0;
	return {
		listen: ['/webrtc'],
		load: async () => {
			const [{ webSockets }, { webRTC }] = await Promise.all([import('@libp2p/websockets'), import('@libp2p/webrtc')]);
			return (iceServers) => [
				webSockets(),
				webRTC({
					// Asked once for each RTCPeerConnection, dialled or accepted: the one place where all of them can be counted.
					rtcConfiguration: () => {
						used += 1;
						return { iceServers: iceServers() };
					},
					dataChannel: { maxBufferedAmount: MAX_BUFFERED_BYTES }
				})
			];
		},
		rtcConnectionsUsed: () => used
	};
}

/** What stands before a carried worker's own code: its fetches of the app's files go to the page, and its first messages wait for it. */

/** Source of a classic worker that becomes the module it is sent. Plain text, because it must not need anything to be loaded. */
export function workerSource(): string {
	return `(() => {
	const outside = self.fetch.bind(self);
	const held = [];
	let ready = false;
	let base = '';
	let port;
	let last = 0;
	const asked = new Map();
	self.fetch = (input, init) => {
		const address = typeof input === 'string' ? input : input.url ?? String(input);
		if (port === undefined || !address.startsWith(base)) return outside(input, init);
		return new Promise((resolve) => {
			const id = (last += 1);
			asked.set(id, resolve);
			port.postMessage({ id, address });
		});
	};
	const answered = ({ data }) => {
		const resolve = asked.get(data.id);
		asked.delete(data.id);
		const found = data.bytes !== undefined;
		const type = found && data.bytes[0] === 0 && data.bytes[1] === 0x61 ? 'application/wasm' : 'application/octet-stream';
		resolve?.(new Response(found ? data.bytes : null, { status: found ? 200 : 404, headers: { 'content-type': type } }));
	};
	self.addEventListener('message', (event) => {
		if (ready) return;
		event.stopImmediatePropagation();
		if (typeof event.data?.fireweedCode !== 'string') {
			held.push(event);
			return;
		}
		base = event.data.base;
		port = event.data.port;
		port.onmessage = answered;
		const address = URL.createObjectURL(new Blob([event.data.fireweedCode], { type: 'text/javascript' }));
		import(address).then(() => {
			ready = true;
			for (const { data, ports } of held.splice(0)) self.dispatchEvent(new MessageEvent('message', { data, ports: [...ports] }));
		}, (error) => setTimeout(() => { throw error; }));
	});
})();`;
}

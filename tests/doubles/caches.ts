/** Cache storage in memory: as much of it as the service worker uses. */
export class Caches {
	readonly all = new Map<string, Map<string, Response>>();
	/** Nothing more is taken. */
	full = false;

	async keys() {
		return [...this.all.keys()];
	}

	async delete(name: string) {
		return this.all.delete(name);
	}

	async open(name: string) {
		const held = this.all.get(name) ?? new Map<string, Response>();
		this.all.set(name, held);
		return {
			match: async (url: string) => held.get(url)?.clone(),
			put: async (url: string, response: Response) => {
				if (this.full) throw new DOMException('', 'QuotaExceededError');
				held.set(url, response);
			},
			delete: async (url: string) => held.delete(url),
			keys: async () => [...held.keys()].map((url) => ({ url }))
		} as unknown as Cache;
	}

	/** What a cache holds, as address → text. */
	async texts(name: string) {
		const held = [...(this.all.get(name) ?? [])];
		return Object.fromEntries(
			await Promise.all(held.map(async ([url, response]) => [url, await response.clone().text()]))
		);
	}
}

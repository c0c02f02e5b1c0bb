/** What somebody may paste into a report: how things stand, and nothing that tells who or where they are. Pure. */
import type { ContributeState, EngineState, MeshState, StorageState } from '#lib/node/app.ts';

export interface Facts {
	readonly version: string;
	readonly mesh: MeshState;
	readonly engine: EngineState;
	readonly contributing: ContributeState;
	readonly storage: StorageState;
	readonly durability: string;
	readonly shell: string;
	readonly online: boolean;
	readonly secure: boolean;
	readonly sharedOrigin: boolean;
	readonly webgpu: boolean;
	readonly isolated: boolean;
	/** Name and main version of the browser and its system, where it tells. */
	readonly browser: string;
}

/** What newer browsers say of themselves (W3C User-Agent Client Hints). */
interface Hints {
	readonly brands: readonly { readonly brand: string; readonly version: string }[];
	readonly platform: string;
}

/** Name and main version of this browser and its system; as a whole line of text where only that is told. */
export function browserName(): string {
	const { userAgentData: hints, userAgent } = navigator as Navigator & { readonly userAgentData?: Hints };
	if (hints === undefined) return userAgent;
	// One brand is nonsense on purpose, so that nobody relies on the list.
	const known = hints.brands.filter(({ brand }) => !/not.*brand/i.test(brand));
	return `${known.map(({ brand, version }) => `${brand} ${version}`).join(', ')}, ${hints.platform}`;
}

const median = (values: readonly number[]): number | undefined => {
	const sorted = [...values].sort((a, b) => a - b);
	return sorted[Math.floor(sorted.length / 2)];
};

/** One line per fact. No address, no key, no name of a peer, no text. */
export function diagnostics(facts: Facts): string {
	const { mesh, engine } = facts;
	const on = (path: string) => mesh.peers.filter((peer) => peer.path === path);
	const trips = on('direct').flatMap(({ roundTripMs }) => (roundTripMs === undefined ? [] : [roundTripMs]));
	const typical = median(trips);
	const lines: readonly (readonly [string, string | number | boolean])[] = [
		['Fireweed', facts.version],
		['browser', facts.browser],
		['network', `${mesh.state}${facts.online ? '' : ', browser says offline'}`],
		['peers', `${on('direct').length} direct, ${on('relayed').length} through a relay only`],
		['round trip, median', typical === undefined ? 'none measured' : `${Math.round(typical)} ms`],
		['relays', `${mesh.relays.filter(({ up }) => up).length} of ${mesh.relays.length} up`],
		['offers', `${mesh.offers.length} of ${new Set(mesh.offers.map(({ account }) => account)).size} accounts`],
		['engine', engine.state === 'failed' ? `failed, ${engine.code}` : engine.state],
		...(engine.state === 'ready'
			? [
					['model', engine.ready.card.name] as const,
					['speed', `${engine.ready.tokensPerSecond.toFixed(1)} tokens a second`] as const
				]
			: []),
		[
			'contributing',
			facts.contributing.state === 'failed' ? `failed, ${facts.contributing.code}` : facts.contributing.state
		],
		['storage', `${facts.durability}, ${facts.storage}`],
		['held for offline', facts.shell],
		['secure, own origin', `${facts.secure}, ${!facts.sharedOrigin}`],
		['WebGPU, isolated', `${facts.webgpu}, ${facts.isolated}`]
	];
	return lines.map(([name, value]) => `${name}: ${value}`).join('\n');
}

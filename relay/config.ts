/** The relay's settings: read once from the environment, refused by name when wrong. The README's table is VARIABLES. */
import { Refusal } from '#lib/protocol/errors.ts';

/** One row of the README's table. */
export interface Variable {
	readonly name: string;
	readonly fallback: string;
	readonly meaning: string;
}

/** Every variable the relay reads, in the table's order; tests hold README and this list together. */
export const VARIABLES = [
	{
		name: 'FIREWEED_RELAY_HOST',
		fallback: '127.0.0.1',
		meaning: 'IP address to listen on; `0.0.0.0` or `::` to serve others'
	},
	{
		name: 'FIREWEED_RELAY_PORT',
		fallback: '9100',
		meaning: 'TCP port for WebSockets, and UDP port of the same number for STUN; `0` for any'
	},
	{ name: 'FIREWEED_RELAY_HEALTH_HOST', fallback: '127.0.0.1', meaning: 'IP address of `GET /health`' },
	{ name: 'FIREWEED_RELAY_HEALTH_PORT', fallback: 'port + 1', meaning: 'TCP port of `GET /health`; `0` for any' },
	{
		name: 'FIREWEED_RELAY_ANNOUNCE',
		fallback: 'the listen addresses',
		meaning:
			'multiaddrs told to tabs instead, separated by commas, e.g. `/dns4/relay.example/tcp/443/wss` behind a TLS proxy'
	},
	{
		name: 'FIREWEED_RELAY_KEY',
		fallback: '.fireweed/relay.key',
		meaning: 'file with the relay key, made on first start; the same file keeps the same address'
	},
	{ name: 'FIREWEED_RELAY_MAX_CONNECTIONS', fallback: '2000', meaning: 'connections in all' },
	{ name: 'FIREWEED_RELAY_MAX_PER_IP', fallback: '64', meaning: 'connections from one IP address' },
	{ name: 'FIREWEED_RELAY_MAX_RESERVATIONS', fallback: '2000', meaning: 'tabs that can be introduced to others' },
	{
		name: 'FIREWEED_RELAY_INTRODUCTION_BYTES',
		fallback: '16384',
		meaning: 'bytes one introduction may relay, both directions together'
	},
	{ name: 'FIREWEED_RELAY_INTRODUCTION_SECONDS', fallback: '30', meaning: 'time one introduction may take' },
	{ name: 'FIREWEED_RELAY_STUN_PER_SECOND', fallback: '20', meaning: 'STUN answers for one IP address per second' },
	{
		name: 'FIREWEED_RELAY_DIRECTORY',
		fallback: 'none',
		meaning:
			'file with the statements of other relays, one a line, as their `GET /manifest` gives them; named to tabs that ask'
	},
	{
		name: 'FIREWEED_RELAY_TRACE',
		fallback: 'off',
		meaning: 'for tests: file to which every gossip payload is written as a line `topic hex`; only with a loopback host'
	}
] as const satisfies readonly Variable[];

type Name = (typeof VARIABLES)[number]['name'];
export type Environment = Readonly<Partial<Record<string, string>>>;

export interface RelayConfig {
	readonly host: string;
	/** 0: any. */
	readonly port: number;
	readonly healthHost: string;
	/** 0: any. */
	readonly healthPort: number;
	readonly announce: readonly string[];
	readonly keyFile: string;
	readonly maxConnections: number;
	readonly maxPerIp: number;
	readonly maxReservations: number;
	readonly introductionBytes: number;
	readonly introductionSeconds: number;
	readonly stunPerSecond: number;
	/** Statements of other relays. */
	readonly listFile: string | undefined;
	readonly traceFile: string | undefined;
}

const LARGEST_PORT = 65_535;
const MANY = 1_000_000;

/** Reads the settings. Refusal `malformed` that names the variable. */
export function readConfig(environment: Environment): RelayConfig {
	const host = address(environment, 'FIREWEED_RELAY_HOST', '127.0.0.1');
	const port = whole(environment, 'FIREWEED_RELAY_PORT', 9100, 0, LARGEST_PORT);
	const traceFile = text(environment, 'FIREWEED_RELAY_TRACE');
	// Gossip is public, but a relay that keeps a record of strangers' gossip is not what people connect to.
	if (traceFile !== undefined && !isLoopback(host))
		throw refuse('FIREWEED_RELAY_TRACE', 'only with a loopback FIREWEED_RELAY_HOST');
	return {
		host,
		port,
		healthHost: address(environment, 'FIREWEED_RELAY_HEALTH_HOST', '127.0.0.1'),
		healthPort: whole(
			environment,
			'FIREWEED_RELAY_HEALTH_PORT',
			port === 0 ? 0 : Math.min(port + 1, LARGEST_PORT),
			0,
			LARGEST_PORT
		),
		announce: (text(environment, 'FIREWEED_RELAY_ANNOUNCE') ?? '')
			.split(',')
			.flatMap((part) => (part.trim() === '' ? [] : [part.trim()])),
		keyFile: text(environment, 'FIREWEED_RELAY_KEY') ?? '.fireweed/relay.key',
		maxConnections: whole(environment, 'FIREWEED_RELAY_MAX_CONNECTIONS', 2_000, 1, MANY),
		maxPerIp: whole(environment, 'FIREWEED_RELAY_MAX_PER_IP', 64, 1, MANY),
		maxReservations: whole(environment, 'FIREWEED_RELAY_MAX_RESERVATIONS', 2_000, 1, MANY),
		introductionBytes: whole(environment, 'FIREWEED_RELAY_INTRODUCTION_BYTES', 16_384, 1_024, MANY),
		introductionSeconds: whole(environment, 'FIREWEED_RELAY_INTRODUCTION_SECONDS', 30, 1, 3_600),
		stunPerSecond: whole(environment, 'FIREWEED_RELAY_STUN_PER_SECOND', 20, 1, MANY),
		listFile: text(environment, 'FIREWEED_RELAY_DIRECTORY'),
		traceFile
	};
}

export function isLoopback(host: string): boolean {
	return host === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}

function refuse(name: Name, why: string): Refusal {
	return new Refusal('malformed', `${name}: ${why}`);
}

function text(environment: Environment, name: Name): string | undefined {
	const value = environment[name]?.trim();
	return value === undefined || value === '' ? undefined : value;
}

function whole(environment: Environment, name: Name, fallback: number, least: number, most: number): number {
	const value = text(environment, name);
	if (value === undefined) return fallback;
	const number = /^\d{1,7}$/.test(value) ? Number(value) : Number.NaN;
	if (!(number >= least && number <= most))
		throw refuse(name, `a whole number from ${String(least)} to ${String(most)}`);
	return number;
}

/** A literal address: names would have to be resolved, and a listener on what a resolver says today is a surprise tomorrow. */
function address(environment: Environment, name: Name, fallback: string): string {
	const value = text(environment, name);
	if (value === undefined) return fallback;
	const isFour = /^\d{1,3}(\.\d{1,3}){3}$/.test(value) && value.split('.').every((part) => Number(part) <= 255);
	const isSix = value.includes(':') && URL.canParse(`http://[${value}]/`);
	if (!isFour && !isSix) throw refuse(name, 'an IPv4 or IPv6 address');
	return value;
}

/**
 * Composition root of a relay process: `node relay/main.ts`, no build. Settings: relay/config.ts.
 *
 * Standard output is one JSON line each: first `listening` with the addresses to hand on, then what happens, never who it happens to.
 */
import { openCrypto } from '#lib/keys/crypto.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import { judgeGossip } from '#lib/protocol/gossip.ts';
import { readConfig } from './config.ts';
import { startRelay, type GossipJudge } from './relay.ts';

/** Pace of the `counts` line, ms. */
const REPORT_EVERY_MS = 60_000;

function say(event: string, facts: Readonly<Record<string, unknown>>): void {
	console.log(JSON.stringify({ event, ...facts }));
}

try {
	const crypto = await openCrypto({ subtle: globalThis.crypto.subtle });
	const judge: GossipJudge = (topic, message) => judgeGossip(topic, message, crypto, Date.now());
	const relay = await startRelay(readConfig(process.env), judge, crypto);
	say('listening', { addresses: relay.addresses, health: relay.healthUrl });
	const report = setInterval(() => {
		say('counts', { ...relay.metrics() });
	}, REPORT_EVERY_MS);
	const stop = (): void => {
		clearInterval(report);
		void relay.stop().then(() => {
			say('stopped', {});
		});
	};
	process.once('SIGINT', stop);
	process.once('SIGTERM', stop);
} catch (error) {
	say(
		'refused',
		error instanceof Refusal ? { code: error.code, why: error.message } : { code: 'internal', why: String(error) }
	);
	process.exitCode = 1;
}

/** `npm run sim`: installs what is missing, then simulates a network. Its options stand in docs/simulator.md. */
import process from 'node:process';
import { bootstrap, BootstrapFailed } from './bootstrap.mjs';
import { inForeground } from './foreground.mjs';

try {
	await bootstrap();
	process.exitCode = await inForeground('tests/sim/main.ts', process.argv.slice(2));
} catch (error) {
	console.error(error instanceof BootstrapFailed ? error.message : error);
	process.exitCode = 1;
}

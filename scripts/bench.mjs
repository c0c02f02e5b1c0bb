/** `npm run bench`: installs what is missing, then measures. What can be measured, and its options, stand in bench/main.ts. */
import process from 'node:process';
import { bootstrap, BootstrapFailed } from './bootstrap.mjs';
import { inForeground } from './foreground.mjs';

try {
	await bootstrap();
	process.exitCode = await inForeground('bench/main.ts', process.argv.slice(2));
} catch (error) {
	console.error(error instanceof BootstrapFailed ? error.message : error);
	process.exitCode = 1;
}

/** `npm run relay`: a relay alone. Its settings are environment variables, listed in the README. */
import process from 'node:process';
import { bootstrap, BootstrapFailed } from './bootstrap.mjs';
import { inForeground } from './foreground.mjs';

try {
	await bootstrap();
	process.exitCode = await inForeground('relay/main.ts', process.argv.slice(2));
} catch (error) {
	console.error(error instanceof BootstrapFailed ? error.message : error);
	process.exitCode = 1;
}

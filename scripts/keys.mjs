/** `npm run keys -- <step>`: installs what is missing, then hands over to keys/main.ts. */
import process from 'node:process';
import { bootstrap, BootstrapFailed } from './bootstrap.mjs';
import { inForeground } from './foreground.mjs';

try {
	await bootstrap();
	process.exitCode = await inForeground('scripts/keys/main.ts', process.argv.slice(2));
} catch (error) {
	console.error(error instanceof BootstrapFailed ? error.message : error);
	process.exitCode = 1;
}

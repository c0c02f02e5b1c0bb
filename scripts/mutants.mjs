/** `npm run mutants`: installs what is missing, then counts what the tests notice. Its options stand in tests/mutation/main.ts. */
import process from 'node:process';
import { bootstrap, BootstrapFailed } from './bootstrap.mjs';
import { inForeground } from './foreground.mjs';

try {
	await bootstrap();
	process.exitCode = await inForeground('tests/mutation/main.ts', process.argv.slice(2));
} catch (error) {
	console.error(error instanceof BootstrapFailed ? error.message : error);
	process.exitCode = 1;
}

/** `npm run release`: installs what is missing, builds, and hands over to release/main.ts. Same sources, same bytes, same name. */
import process from 'node:process';
import { bootstrap, BootstrapFailed } from './bootstrap.mjs';
import { BuildFailed, buildWhenStale } from './build.mjs';
import { inForeground } from './foreground.mjs';

const asked = process.argv.slice(2);
try {
	await bootstrap();
	// Never a build that lay there: a release is made from the sources as they are.
	if (asked[0] !== 'publish' && !asked.includes('--from')) await buildWhenStale({ always: true });
	process.exitCode = await inForeground('scripts/release/main.ts', asked);
} catch (error) {
	console.error(error instanceof BootstrapFailed || error instanceof BuildFailed ? error.message : error);
	process.exitCode = 1;
}

/**
 * Runs a program in our place: our terminal, our signals, its exit status. Plain JavaScript, nothing installed.
 */
import { spawn } from 'node:child_process';
import process from 'node:process';
import { projectEnvironment, projectNode, ROOT } from './bootstrap.mjs';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** How often we look whether npm still lives. npm does not pass SIGTERM on, and whoever ends it means us. */
const LOOK_FOR_NPM_EVERY_MS = 500;

/**
 * Runs a script of this project under its own Node and resolves to its exit status. The channel between the two is closed when we
 * end in any way, SIGKILL included; a script that listens for `disconnect` can then end too.
 */
export function inForeground(script, args) {
	return new Promise((resolve, reject) => {
		const child = spawn(projectNode, [script, ...args], {
			cwd: ROOT,
			env: projectEnvironment(),
			stdio: ['inherit', 'inherit', 'inherit', 'ipc']
		});
		const pass = (signal) => child.kill(signal);
		for (const signal of SIGNALS) process.on(signal, pass);
		const parent = process.ppid;
		const look = () => {
			if (process.ppid !== parent) pass('SIGTERM');
		};
		// Started by hand we may outlive the shell; started by npm we belong to it.
		const watch = process.env.npm_lifecycle_event ? setInterval(look, LOOK_FOR_NPM_EVERY_MS) : undefined;
		child.on('error', reject);
		child.on('close', (code) => {
			clearInterval(watch);
			for (const signal of SIGNALS) process.off(signal, pass);
			resolve(code ?? 1);
		});
	});
}

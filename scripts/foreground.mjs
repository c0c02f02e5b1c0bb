/**
 * Runs a program in our place: our terminal, our signals, its exit status. Plain JavaScript, nothing installed.
 */
import { spawn } from 'node:child_process';
import process from 'node:process';
import { projectEnvironment, projectNode, ROOT } from './bootstrap.mjs';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

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
		child.on('error', reject);
		child.on('close', (code) => {
			for (const signal of SIGNALS) process.off(signal, pass);
			resolve(code ?? 1);
		});
	});
}

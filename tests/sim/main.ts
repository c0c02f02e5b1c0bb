/** `npm run sim`: one run, printed as JSON. */
import process from 'node:process';
import { parseArgs } from 'node:util';
import { isScenario, SCENARIOS } from './scenarios.ts';
import { simulate } from './simulate.ts';

const { values } = parseArgs({
	options: {
		seed: { type: 'string', default: '1' },
		nodes: { type: 'string', default: '100' },
		minutes: { type: 'string', default: '2' },
		scenario: { type: 'string', default: 'calm' }
	}
});
if (!isScenario(values.scenario)) {
	console.error(`There is no scenario ${values.scenario}. Scenarios: ${Object.keys(SCENARIOS).join(', ')}.`);
	process.exit(2);
}
const result = await simulate({
	scenario: values.scenario,
	seed: Number(values.seed),
	nodes: Number(values.nodes),
	minutes: Number(values.minutes)
});
console.log(JSON.stringify(result, undefined, 2));
process.exitCode = result.violations.length > 0 ? 1 : 0;

/**
 * Counts tests out of the runners' JSON reports. What could not run at all counts as failed.
 */

/** Vitest's report: a file that failed to load has no tests in it, so it is counted itself. */
export function vitestCount(report) {
	const broken = report.testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0);
	const failed = report.numFailedTests + broken.length;
	return {
		passed: report.numPassedTests,
		failed: !report.success && failed === 0 ? 1 : failed,
		skipped: report.numPendingTests + report.numTodoTests
	};
}

/** Playwright's report: a test that passed only when tried again did not pass, and errors outside tests count one each. */
export function playwrightCount(report) {
	const { expected, unexpected, flaky, skipped } = report.stats;
	return { passed: expected, failed: unexpected + flaky + report.errors.length, skipped };
}

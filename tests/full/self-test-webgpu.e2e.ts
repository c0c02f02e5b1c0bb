/**
 * The other half of tests/interop/self-test.browser.test.ts, which takes minutes on a software adapter: without its wrong kernel the same library
 * meets the reference and agrees with itself.
 */
import { expect, test } from 'playwright/test';
import { CONSISTENCY_POSITIONS } from '#workers/cpu/consistency.ts';
import { REFERENCE_POSITIONS, REFERENCE_TOLERANCE } from '#workers/cpu/reference.ts';
import { openSelfTestPage } from '../interop/self-test-page.ts';

test('ONNX Runtime on the software adapter passes both self-tests without subgroups', async () => {
	test.setTimeout(10 * 60_000);
	const page = await openSelfTestPage();
	try {
		const met = await page.trial({ test: 'reference', hidden: true });
		console.log(JSON.stringify(met));
		expect(met).toMatchObject({ code: 'passed', positions: REFERENCE_POSITIONS });
		expect('worst' in met && met.worst).toBeLessThan(REFERENCE_TOLERANCE / 2);
		const agreed = await page.trial({ test: 'consistency', hidden: true });
		console.log(JSON.stringify(agreed));
		expect(agreed).toMatchObject({ code: 'passed', positions: CONSISTENCY_POSITIONS });
	} finally {
		await page.close();
	}
});

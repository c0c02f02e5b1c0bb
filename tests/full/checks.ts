/** The checks of the verifier as they stand in its sources: every `if` that throws. */
import ts from 'typescript';

/** Where the verifiers' checks stand, with the tests that must notice when one is gone. */
export const CHECKED: Readonly<Record<string, string>> = {
	'src/lib/survival/release.ts': 'tests/unit/release.test.ts',
	'src/lib/protocol/co-signed.ts': 'tests/unit/release.test.ts',
	'src/lib/protocol/release-keys.ts': 'tests/unit/release.test.ts',
	'src/lib/protocol/release.ts': 'tests/unit/release.test.ts',
	'src/lib/protocol/release-files.ts': 'tests/unit/release.test.ts',
	'src/lib/survival/directory.ts': 'tests/unit/directory.test.ts',
	'src/lib/protocol/directory.ts': 'tests/unit/directory.test.ts'
};

/** Conditions of the checks in a source, in order. */
export function checksIn(
	source: string
): readonly { readonly start: number; readonly end: number; readonly text: string }[] {
	const file = ts.createSourceFile('x.ts', source, ts.ScriptTarget.Latest, true);
	const found: { start: number; end: number; text: string }[] = [];
	const visit = (node: ts.Node): void => {
		if (ts.isIfStatement(node) && throws(node.thenStatement)) {
			const { expression } = node;
			found.push({ start: expression.getStart(), end: expression.getEnd(), text: expression.getText() });
		}
		ts.forEachChild(node, visit);
	};
	visit(file);
	return found;
}

/** The source with check number `n` never true. */
export function withoutCheck(source: string, n: number): string {
	const check = checksIn(source)[n];
	if (!check) throw new Error(`there is no check ${n}`);
	return `${source.slice(0, check.start)}false as boolean && (${check.text})${source.slice(check.end)}`;
}

function throws(statement: ts.Statement): boolean {
	if (ts.isThrowStatement(statement)) return true;
	return (
		ts.isBlock(statement) &&
		statement.statements.length === 1 &&
		ts.isThrowStatement(statement.statements[0] as ts.Statement)
	);
}

/** Structured lines for developers. Never a prompt, an answer or a key. */
export interface Log {
	(event: string, facts?: Readonly<Record<string, string | number | boolean | undefined>>): void;
}

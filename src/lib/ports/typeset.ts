/**
 * What a typesetter makes of code and of formulas: data, never markup, so that nothing a model wrote can become an element that is not
 * named by whoever draws it. It may take long and may hang on hostile input: callers give it a time and end it.
 */

/** A stretch of code of one kind; '' is ordinary text. */
export interface Run {
	/** One of the kinds of workers/highlight.ts. */
	readonly kind: string;
	readonly text: string;
}

/** A node of a formula: text, or a MathML element with attributes that were let through. */
export type Formula =
	| string
	| {
			readonly tag: string;
			readonly attributes: Readonly<Record<string, string>>;
			readonly children: readonly Formula[];
	  };

export type TypesetRequest =
	| { readonly id: number; readonly job: 'code'; readonly language: string; readonly text: string }
	| { readonly id: number; readonly job: 'formula'; readonly text: string; readonly display: boolean };

/** `undefined` stays as it was written: an unknown language, a formula that cannot be read. */
export type TypesetReply =
	| { readonly id: number; readonly job: 'code'; readonly runs: readonly Run[] | undefined }
	| { readonly id: number; readonly job: 'formula'; readonly formula: Formula | undefined };

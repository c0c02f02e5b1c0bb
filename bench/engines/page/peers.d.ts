/**
 * As much of the peers as the bench uses. They are not there where types are checked: only `npm run bench -- engines` installs them, into a
 * folder beside this one, and tells Vite where they are.
 */
declare module '@wllama/wllama' {
	interface Chunk {
		readonly choices: readonly { readonly delta: { readonly content?: string | null } }[];
		readonly timings?: { prompt_n: number; prompt_ms: number; predicted_ms: number };
	}
	export const LoggerWithoutDebug: object;
	export class Wllama {
		constructor(paths: { default: string }, config: { logger: object; suppressNativeLog: boolean });
		loadModelFromUrl(url: string, params: { n_gpu_layers: number; n_threads: number }): Promise<void>;
		createChatCompletion(params: {
			messages: readonly { readonly role: string; readonly content: string }[];
			max_tokens: number;
			temperature: number;
			top_k: number;
			ignore_eos: boolean;
			cache_prompt: boolean;
			stream: true;
		}): Promise<AsyncIterable<Chunk>>;
	}
}

declare module '@huggingface/transformers' {
	type Message = { readonly role: string; readonly content: string };
	interface Tokenizer {
		apply_chat_template(messages: Message[], options: Record<string, boolean>): unknown;
	}
	export interface TextGenerationPipeline {
		readonly tokenizer: Tokenizer;
		(messages: Message[], options: Record<string, unknown>): Promise<unknown>;
	}
	export const env: {
		allowRemoteModels: boolean;
		allowLocalModels: boolean;
		localModelPath: string;
		readonly backends: { readonly onnx: unknown };
	};
	export function pipeline(
		task: 'text-generation',
		model: string,
		options: { device: 'wasm'; dtype: 'q4' | 'fp32' }
	): Promise<TextGenerationPipeline>;
	export class TextStreamer {
		constructor(
			tokenizer: Tokenizer,
			options: {
				skip_prompt: boolean;
				token_callback_function: () => void;
				callback_function: (text: string) => void;
			}
		);
	}
}

/** What starts can stop; stopping twice is harmless. */
export interface Lifecycle {
	start(): Promise<void>;
	stop(): Promise<void>;
}

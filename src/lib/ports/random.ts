/** Chance as a port: cryptographic in a tab, seeded in the simulator. */
export interface Random {
	bytes(length: number): Uint8Array;
}

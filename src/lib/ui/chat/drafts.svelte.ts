/** What a person has begun to say in one conversation: words and files, remembered across a reload. */
import type { Attachment } from '#lib/ports/store.ts';
import type { Remembered } from '../remembered.ts';
import { cleanName, faultWords, LONG_PASTE, MAX_FILE_BYTES, MAX_FILES, textOf } from './attachments.ts';
import { t } from '../language/language.svelte.ts';

/** Files of a draft as they were remembered; nothing for anything else. */
export function readFiles(kept: string | undefined): readonly Attachment[] {
	try {
		const found: unknown = JSON.parse(kept ?? '[]');
		return Array.isArray(found)
			? found.flatMap((one: Partial<Attachment> | null) =>
					typeof one?.name === 'string' && typeof one.text === 'string' ? [{ name: one.name, text: one.text }] : []
				)
			: [];
	} catch {
		return [];
	}
}

export class Draft {
	files = $state.raw<readonly Attachment[]>([]);
	/** Why a file was not taken. */
	fault = $state<string | undefined>(undefined);
	readonly #key: `files:${string}`;
	readonly #remembered: Remembered;

	constructor(conversation: string | undefined, remembered: Remembered) {
		this.#key = `files:${conversation ?? 'new'}`;
		this.#remembered = remembered;
		this.files = readFiles(remembered.get(this.#key));
	}

	/** Takes what was chosen, dropped or pasted; what cannot be taken is named, the rest is taken. */
	async add(files: readonly File[]): Promise<void> {
		this.fault = undefined;
		for (const file of files) {
			// Not read at all when its size says enough.
			const read = file.size > MAX_FILE_BYTES ? ({ fault: 'too-large' } as const) : textOf(await bytesOf(file));
			const fault = 'fault' in read ? read.fault : this.files.length >= MAX_FILES ? 'too-many' : undefined;
			if (fault !== undefined) this.fault = faultWords(fault, file.name);
			else if ('text' in read) this.#set([...this.files, { name: cleanName(file.name), text: read.text }]);
		}
	}

	/** Takes a long paste as a file; false when it is short enough to be typed text. */
	paste(text: string): boolean {
		if (text.length < LONG_PASTE) return false;
		void this.add([new File([text], t('chat.pasted-text'))]);
		return true;
	}

	remove(at: number): void {
		this.fault = undefined;
		this.#set(this.files.filter((_, n) => n !== at));
	}

	/** Its files are in a message. They are had again after a reload until what is returned was called, which leaves newer ones alone. */
	leave(): () => void {
		const kept = this.#remembered.get(this.#key);
		this.fault = undefined;
		this.files = [];
		return () => {
			if (this.#remembered.get(this.#key) === kept) this.#remembered.set(this.#key, undefined);
		};
	}

	#set(files: readonly Attachment[]): void {
		this.files = files;
		this.#remembered.set(this.#key, files.length === 0 ? undefined : JSON.stringify(files));
	}
}

async function bytesOf(file: File): Promise<Uint8Array> {
	try {
		return new Uint8Array(await file.arrayBuffer());
	} catch {
		// Gone or not to be read, e.g. a folder that was dropped.
		return new Uint8Array([0]);
	}
}

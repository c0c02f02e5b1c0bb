/** The first lines that run in a carried copy; built as one file of its own, and put into the page as it is. */
import { boot } from '#lib/survival/carried/boot.ts';
import { FLOOR } from '#lib/survival/floor.ts';
import { firstKeys } from '#lib/survival/root.ts';

void boot({ root: firstKeys(), floor: FLOOR });

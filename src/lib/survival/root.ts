/**
 * The first keys of the line this app belongs to (docs/spec/release.md): what everything else is followed from. It stands in the page and in
 * the loader, whose bytes must not change, so nothing else may live in this file.
 *
 * A checkout belongs to the development line, whose key anyone can make (scripts/release/development.ts). To begin a line of one's own, put
 * its first keys here: docs/runbook.md.
 */

/** Encoded ReleaseKeysV1, base64: in one piece, so that whoever holds a built app can find it. */
const ROOT =
	'pGRib2R5WQEFpmRsaW5ldGZpcmV3ZWVkLWRldmVsb3BtZW50Z3JlbGVhc2WiZGtleXOBomNrZXlYIEIJvlQwrN3eVgKiwxtw7Ec3AtcYTcaSr+QyKhym4KOAZG5hbWV0bm9ib2R5IChkZXZlbG9wbWVudClpdGhyZXNob2xkAWd2ZXJzaW9uAWhpc3N1ZWRBdBsAAAGh+2cYAGlkaXJlY3RvcnmiZGtleXOBomNrZXlYIJrPtoJiUKcpPRtbC+5ArRQkWRRJfsVvDV4e5ekI31+sZG5hbWV4Hm5vYm9keSAoZGV2ZWxvcG1lbnQgZGlyZWN0b3J5KWl0aHJlc2hvbGQBamV4dGVuc2lvbnOgZHR5cGVrUmVsZWFzZUtleXNndmVyc2lvbgFqc2lnbmF0dXJlc4GiY2tleVggQgm+VDCs3d5WAqLDG3DsRzcC1xhNxpKv5DIqHKbgo4Bpc2lnbmF0dXJlWEC5A6lHQ9zdMksrYfIhdAhU/mztQklltg2itAJz6q2JtC6FEP9+OiGs7mbWXAnJnLd6FVZzdGVg8UDerNtfKwMF';

/** The encoded first keys of the line. */
export function firstKeys(): Uint8Array {
	return Uint8Array.from(atob(ROOT), (character) => character.charCodeAt(0));
}

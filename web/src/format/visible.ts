/** A piece of text, or the name of a character that a screen would hide. */
export type VisiblePart = { text: string } | { hidden: string };

/**
 * Text in which nothing hides: control characters, bidirectional controls and zero-width characters are named
 * (ESC, CR, U+202E). Newline and tab stay what they are.
 */
export function visibleParts(text: string): VisiblePart[] {
  const parts: VisiblePart[] = [];
  let from = 0;
  for (const match of text.matchAll(HIDDEN)) {
    if (match.index > from) parts.push({ text: text.slice(from, match.index) });
    parts.push({ hidden: nameOf(match[0]) });
    from = match.index + match[0].length;
  }
  if (from < text.length) parts.push({ text: text.slice(from) });
  return parts;
}

function nameOf(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return CONTROL_NAMES[code] ?? `U+${code.toString(16).toUpperCase().padStart(4, '0')}`;
}

// ISO/IEC 646, the names of its control characters.
const CONTROL_NAMES: Partial<Record<number, string>> = Object.fromEntries(
  (
    'NUL SOH STX ETX EOT ENQ ACK BEL BS HT LF VT FF CR SO SI ' +
    'DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC FS GS RS US'
  )
    .split(' ')
    .map((name, code) => [code, name]),
);
CONTROL_NAMES[0x7f] = 'DEL';

const HIDDEN =
  // eslint-disable-next-line no-control-regex
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;

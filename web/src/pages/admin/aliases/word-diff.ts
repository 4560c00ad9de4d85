//! What changed between two texts, word by word: words both have stay, the others are marked as gone or new. Knows no screen.

export type Piece = { text: string; kind: "same" | "old" | "new" };

/** Beyond this many comparisons the middle is shown as replaced: nobody reads such a diff word by word. */
const MOST = 4_000_000;

/** Words, spaces and signs, each its own piece; Chinese by words too, where the browser can. */
export function wordsOf(text: string): string[] {
  if (typeof Intl.Segmenter === "function") return [...new Intl.Segmenter(undefined, { granularity: "word" }).segment(text)].map((one) => one.segment);
  return text.match(/\s+|[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu) ?? [];
}

export function diffWords(before: string, after: string): Piece[] {
  const [old, fresh] = [wordsOf(before), wordsOf(after)];
  let start = 0;
  while (start < old.length && start < fresh.length && old[start] === fresh[start]) start += 1;
  let end = 0;
  while (end < old.length - start && end < fresh.length - start && old[old.length - 1 - end] === fresh[fresh.length - 1 - end]) end += 1;
  const middle = between(old.slice(start, old.length - end), fresh.slice(start, fresh.length - end));
  return joined([...old.slice(0, start).map(same), ...middle, ...old.slice(old.length - end).map(same)]);
}

const same = (text: string): Piece => ({ text, kind: "same" });

/** The longest common sequence, walked from its table's corner. */
function between(old: string[], fresh: string[]): Piece[] {
  const all: Piece[] = [...old.map((text) => ({ text, kind: "old" as const })), ...fresh.map((text) => ({ text, kind: "new" as const }))];
  if (old.length === 0 || fresh.length === 0 || old.length * fresh.length > MOST) return all;
  const width = fresh.length + 1;
  const longest = new Uint32Array((old.length + 1) * width);
  const at = (row: number, column: number) => longest[row * width + column] ?? 0;
  for (let row = old.length - 1; row >= 0; row -= 1) {
    for (let column = fresh.length - 1; column >= 0; column -= 1) {
      longest[row * width + column] = old[row] === fresh[column] ? at(row + 1, column + 1) + 1 : Math.max(at(row + 1, column), at(row, column + 1));
    }
  }
  const pieces: Piece[] = [];
  let [row, column] = [0, 0];
  while (row < old.length || column < fresh.length) {
    const [gone, come] = [old[row], fresh[column]];
    if (gone !== undefined && gone === come) {
      pieces.push(same(gone));
      [row, column] = [row + 1, column + 1];
    } else if (come === undefined || (gone !== undefined && at(row + 1, column) >= at(row, column + 1))) {
      pieces.push({ text: gone ?? "", kind: "old" });
      row += 1;
    } else {
      pieces.push({ text: come, kind: "new" });
      column += 1;
    }
  }
  return pieces;
}

/** Neighbours of one kind are one piece: fewer marks, easier to read. */
function joined(pieces: Piece[]): Piece[] {
  const out: Piece[] = [];
  for (const piece of pieces) {
    const last = out.at(-1);
    if (last?.kind === piece.kind) last.text += piece.text;
    else out.push({ ...piece });
  }
  return out;
}

/** One side of it: the old text without what is new, or the new one without what is gone. */
export function side(pieces: Piece[], which: "old" | "new"): Piece[] {
  return joined(pieces.filter((piece) => piece.kind === "same" || piece.kind === which));
}

//! How hard a password is to guess, roughly: a hint while typing, never a gate (the portal refuses what is among the first guesses).

export type Strength = "short" | "weak" | "fair" | "strong";
export const STRENGTHS: Strength[] = ["short", "weak", "fair", "strong"];

/** Characters one would have to try for each place. */
function alphabet(text: string): number {
  let size = 0;
  if (/[a-z]/.test(text)) size += 26;
  if (/[A-Z]/.test(text)) size += 26;
  if (/\d/.test(text)) size += 10;
  if (/[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}]/u.test(text)) size += 2500;
  if (/[^\p{L}\p{N}]/u.test(text)) size += 20;
  return Math.max(size, 2);
}

/** Places that add something: a repeated or counted-on character (aaa, 1234) adds little. */
function places(text: string): number {
  const codes = Array.from(text, (char) => char.codePointAt(0) ?? 0);
  const distinct = new Set(codes).size;
  const fresh = codes.filter((code, at) => at === 0 || Math.abs(code - (codes[at - 1] ?? 0)) > 1).length;
  return Math.min(fresh, distinct * 2);
}

export function strengthOf(password: string, ...known: string[]): Strength {
  if (Array.from(password).length < 10) return "short";
  const folded = password.toLowerCase();
  const rest = known.filter((word) => word.length > 2).reduce((text, word) => text.replaceAll(word.toLowerCase(), ""), folded);
  const bits = places(rest === folded ? password : rest) * Math.log2(alphabet(password));
  if (bits < 45) return "weak";
  return bits < 70 ? "fair" : "strong";
}

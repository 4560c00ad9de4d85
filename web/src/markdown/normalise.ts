//! Models write formulas in several ways; this brings them to `$$`, the one that the parser reads without mistaking prices for formulas.

/** While a table's first two lines are still being written it looks like noise: they are held back until the table is one. */
export function holdTable(text: string): string {
  const start = text.lastIndexOf("\n\n") + 1;
  const tail = text.slice(start).trimStart();
  if (!tail.startsWith("|")) return text;
  const [, rule, ...rows] = tail.split("\n");
  const complete = rule !== undefined && (rows.length > 0 || /\|\s*$/.test(rule)) && /^\|[\s:|-]+$/.test(rule) && rule.split("|").length >= (tail.split("\n")[0] ?? "").split("|").length;
  return complete || rows.length > 0 ? text : text.slice(0, text.length - tail.length);
}

const FENCE = /^ {0,3}(`{3,}|~{3,})/;

/** `\(x\)`, `\[x\]` and `$x$` become `$$` outside code. Everything else stays as it is. */
export function normalise(text: string): string {
  if (!text.includes("\\(") && !text.includes("\\[") && !text.includes("$")) return text;
  let fence: string | null = null;
  let plain: string[] = [];
  const out: string[] = [];
  const flush = () => {
    if (plain.length > 0) out.push(outsideCode(plain.join("\n")));
    plain = [];
  };
  for (const line of text.split("\n")) {
    const mark = FENCE.exec(line)?.[1];
    if (fence === null && mark) {
      flush();
      fence = mark;
      out.push(line);
    } else if (fence !== null) {
      out.push(line);
      if (mark && mark.startsWith(fence) && line.trim() === mark) fence = null;
    } else {
      plain.push(line);
    }
  }
  flush();
  return out.join("\n");
}

/** Code spans are left alone; between them formulas are rewritten. */
function outsideCode(text: string): string {
  return text
    .split(/(`+[^`]*`+)/)
    .map((part, at) => (at % 2 === 1 ? part : formulas(part)))
    .join("");
}

function formulas(text: string): string {
  return text
    .replace(/\\\[([\s\S]+?)\\\]/g, (_, inner: string) => `\n$$\n${inner.trim()}\n$$\n`)
    .replace(/\\\(([\s\S]+?)\\\)/g, (_, inner: string) => `$$${inner.trim()}$$`)
    // Pandoc's rule: no space inside the dollars, no digit after the closing one; "$5 and $6" stays money.
    .replace(/(^|[^\\$])\$(?![\s$])([^$\n]*?[^\s$\\])\$(?![\d$])/g, (_, before: string, inner: string) => `${before}$$${inner}$$`);
}

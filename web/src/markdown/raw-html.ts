//! HTML inside an answer: a short list of harmless tags without any attribute; all else is shown as the text it is.
//! Stands in for `rehype-raw`, which brings a whole HTML parser (35 kB gzip) to allow everything and then take most of it away.
import type { Element, ElementContent, Root, RootContent, Text } from "hast";

type Parent = { children: (RootContent | ElementContent)[] };
type Raw = { type: "raw"; value: string };

const VOID = new Set(["br", "hr", "wbr"]);
const PAIRED = new Set("b strong i em u s del ins mark small sub sup kbd samp var code q abbr cite details summary p blockquote ul ol li dl dt dd center".split(" "));
/** An opening or closing tag, or a comment; attributes are matched to be dropped. */
const TAG = /<!--[\s\S]*?-->|<(\/?)([a-zA-Z][a-zA-Z0-9]*)((?:\s+[^<>]*?)?)\s*\/?>/g;

export default function rawHtml() {
  return (tree: Root) => rewrite(tree as unknown as Parent);
}

function rewrite(parent: Parent) {
  if (parent.children.some((child) => (child as { type: string }).type === "raw")) parent.children = nested(parent.children);
  for (const child of parent.children) if ("children" in child) rewrite(child as Parent);
}

/** Builds elements out of loose tags among siblings; what is left open ends with its parent. */
function nested(children: Parent["children"]): Parent["children"] {
  const out: Parent["children"] = [];
  const open: Element[] = [];
  const put = (node: RootContent | ElementContent) => (open.at(-1)?.children ?? out).push(node as ElementContent);
  for (const child of children) {
    if ((child as { type: string }).type !== "raw") {
      put(child);
      continue;
    }
    for (const token of tokens((child as unknown as Raw).value)) {
      if (typeof token === "string") put(text(token));
      else if (!token.closing) {
        const element: Element = { type: "element", tagName: token.name, properties: {}, children: [] };
        put(element);
        if (!VOID.has(token.name)) open.push(element);
      } else {
        const at = open.findLastIndex((element) => element.tagName === token.name);
        if (at >= 0) open.length = at;
      }
    }
  }
  return out;
}

type Token = string | { name: string; closing: boolean };

function tokens(html: string): Token[] {
  const found: Token[] = [];
  let last = 0;
  for (const match of html.matchAll(TAG)) {
    const name = match[2]?.toLowerCase() ?? "";
    const comment = match[2] === undefined;
    if (!comment && !VOID.has(name) && !PAIRED.has(name)) continue;
    if (match.index > last) found.push(html.slice(last, match.index));
    if (!comment && !(VOID.has(name) && match[1] === "/")) found.push({ name, closing: match[1] === "/" });
    last = match.index + match[0].length;
  }
  if (last < html.length) found.push(html.slice(last));
  return found;
}

function text(value: string): Text {
  return { type: "text", value };
}

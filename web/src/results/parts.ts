//! What a tool answered, as parts that can be shown: text, tables, pictures, files. It guesses from the form alone, and what it does not
//! know stays the text that it is. Nothing here is ever HTML, and nothing names another origin.

import type { ToolPart } from "@/api/types";

export type Cell = string | number | boolean | null;
export type Table = { columns: string[]; rows: Cell[][] };
export type Part =
  | { kind: "text"; text: string }
  | { kind: "json"; text: string }
  | ({ kind: "table" } & Table)
  | { kind: "image"; src: string; name: string }
  | { kind: "file"; href: string; name: string };
export type Result = { parts: Part[]; /** How much of it is here, where the log kept only the beginning. */ cut: { kept: number; of: number } | null };

type Fields = Record<string, unknown>;

/** What a tool gave to be shown, beside what the model reads. */
export function givenParts(given: readonly ToolPart[]): Part[] {
  return given.flatMap((part): Part[] => {
    if (part.type === "text") return part.text === "" ? [] : [{ kind: "text", text: part.text }];
    if (part.type === "table") return [framed(part.columns, part.rows) ?? { kind: "json", text: JSON.stringify(part.rows, null, 2) }];
    if (!BASE64.test(part.data)) return [];
    if (part.type === "image") return PICTURE.test(part.media_type) ? [{ kind: "image", src: `data:${part.media_type};base64,${part.data}`, name: part.name }] : [];
    // As bytes and no more: a page that a tool made is not opened here.
    return [{ kind: "file", href: `data:application/octet-stream;base64,${part.data}`, name: part.name }];
  });
}

const COLUMNS = 40;
const CUT = /… \(cut: (\d+) of (\d+) characters\)$/;

export function readResult(text: string): Result {
  const found = CUT.exec(text);
  const cut = found ? { kept: Number(found[1]), of: Number(found[2]) } : null;
  const body = found ? text.slice(0, found.index) : text;
  const value = parsed(body, cut !== null);
  const parts = value === undefined ? textParts(body) : valueParts(value);
  return { parts, cut };
}

/** JSON, but for plain scalars, which read better as they are written. Of a beginning, as much as is whole. */
function parsed(text: string, cut: boolean): object | undefined {
  if (!/^\s*[[{]/.test(text)) return undefined;
  for (const attempt of cut ? [text, mended(text)] : [text]) {
    try {
      return JSON.parse(attempt) as object;
    } catch {
      // The next one, or it is text.
    }
  }
  return undefined;
}

/** Closes JSON that breaks off: after the last whole entry of a list, else after the last whole field. */
function mended(text: string): string {
  const open: string[] = [];
  let quoted = false;
  let list = "";
  let field = "";
  for (let at = 0; at < text.length; at += 1) {
    const letter = text[at];
    if (quoted) {
      if (letter === "\\") at += 1;
      else if (letter === '"') quoted = false;
    } else if (letter === '"') quoted = true;
    else if (letter === "{" || letter === "[") open.push(letter === "{" ? "}" : "]");
    else if (letter === "}" || letter === "]") open.pop();
    else if (letter === ",") {
      const whole = text.slice(0, at) + [...open].reverse().join("");
      if (open.at(-1) === "]") list = whole;
      else field = whole;
    }
  }
  return list || field;
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function valueParts(value: object): Part[] {
  if (Array.isArray(value)) return listParts(value);
  const fields = value as Fields;
  const picture = imageOf(fields);
  if (picture) return [picture];
  if (Array.isArray(fields.columns) && Array.isArray(fields.rows)) {
    const { columns, rows, ...rest } = fields;
    const table = framed(columns as unknown[], rows as unknown[]);
    if (table) return [...restParts(rest), table];
  }
  // The one list of things in it is what was asked for; what stands around it is said before.
  const lists = Object.entries(fields).filter(([, one]) => Array.isArray(one) && one.length > 0);
  const [only] = lists;
  if (only && lists.length === 1) {
    const shown = listParts(only[1] as unknown[]);
    const { [only[0]]: _, ...rest } = fields;
    if (shown.some((part) => part.kind !== "json")) return [...restParts(rest), ...shown];
  }
  return [{ kind: "json", text: JSON.stringify(value, null, 2) }];
}

function restParts(rest: Fields): Part[] {
  const fields = Object.entries(rest).filter(([, one]) => one !== null && one !== "" && !(Array.isArray(one) && one.length === 0));
  if (fields.length === 0) return [];
  const [first] = fields;
  if (first && fields.length === 1 && typeof first[1] === "string") return textParts(first[1]);
  return [{ kind: "json", text: JSON.stringify(Object.fromEntries(fields), null, 2) }];
}

const CONTENT = new Set(["text", "image", "audio", "resource", "resource_link"]);

function listParts(list: unknown[]): Part[] {
  const content = list.length > 0 && list.every((one) => isFields(one) && CONTENT.has(String(one.type)));
  // As MCP answers.
  if (content) return (list as Fields[]).flatMap(contentParts);
  const pictures = list.map((one) => (isFields(one) ? (imageOf(one) ?? fileOf(one)) : null));
  if (list.length > 0 && pictures.every((part) => part !== null)) return pictures;
  const table = list.length > 0 ? tabled(list) : null;
  return table ? [table] : [{ kind: "json", text: JSON.stringify(list, null, 2) }];
}

function contentParts(one: Fields): Part[] {
  if (one.type === "text") return textParts(String(one.text ?? ""));
  const part = imageOf(one) ?? fileOf(one);
  if (part) return [part];
  const resource = isFields(one.resource) ? one.resource : null;
  if (resource && typeof resource.text === "string") return textParts(resource.text);
  return [{ kind: "json", text: JSON.stringify(one, null, 2) }];
}

/** Things with the same kind of fields, one a row; or rows whose first is their heads. */
function tabled(list: unknown[]): Part | null {
  if (list.every(isFields)) {
    const columns = [...new Set(list.flatMap((one) => Object.keys(one)))];
    if (columns.length === 0 || columns.length > COLUMNS) return null;
    return { kind: "table", columns, rows: list.map((one) => columns.map((name) => cell(one[name]))) };
  }
  const [heads, ...rows] = list;
  if (rows.length > 0 && Array.isArray(heads) && heads.every((head) => typeof head === "string")) return framed(heads, rows);
  return null;
}

function framed(heads: unknown[], rows: unknown[]): Part | null {
  const columns = heads.map((head) => (isFields(head) ? String(head.name ?? head.title ?? "") : String(head)));
  if (columns.length === 0 || columns.length > COLUMNS || !rows.every((row) => Array.isArray(row) || isFields(row))) return null;
  const cells = rows.map((row) => columns.map((name, at) => cell(Array.isArray(row) ? row[at] : (row as Fields)[name])));
  return { kind: "table", columns, rows: cells };
}

function cell(value: unknown): Cell {
  if (value === undefined || value === null) return null;
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return value;
  return JSON.stringify(value);
}

const BASE64 = /^[A-Za-z0-9+/=\s]+$/;
const PICTURE = /^image\/(png|jpeg|gif|webp)$/;

function imageOf(one: Fields): Part | null {
  const type = String(one.mimeType ?? one.mime_type ?? one.media_type ?? "");
  const name = String(one.name ?? one.title ?? one.alt ?? "");
  if (PICTURE.test(type) && typeof one.data === "string" && BASE64.test(one.data)) return { kind: "image", src: `data:${type};base64,${one.data}`, name };
  const src = ownPicture(one.src ?? (PICTURE.test(type) || one.type === "image" ? (one.url ?? one.uri) : undefined));
  return src ? { kind: "image", src, name } : null;
}

function fileOf(one: Fields): Part | null {
  const href = own(one.href ?? one.url ?? one.uri);
  return href && typeof one.name === "string" ? { kind: "file", href, name: one.name } : null;
}

/** An address of the portal itself. What lies elsewhere stays text: nothing is fetched from there because a tool said so. */
function own(address: unknown): string | null {
  return typeof address === "string" && /^\/api\/[\w./~%?=&-]+$/.test(address) && !address.includes("..") ? address : null;
}

function ownPicture(address: unknown): string | null {
  if (typeof address === "string" && /^data:image\/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]+$/.test(address)) return address;
  return own(address);
}

const DIVIDER = /^\s*\|?\s*:?-{2,}:?\s*(\|\s*:?-{2,}:?\s*)*\|?\s*$/;
const IMAGE_LINE = /^\s*!\[([^\]]*)\]\(([^)\s]+)\)\s*$/;
const FILE_LINE = /^\s*(?:[-*]\s+)?\[([^\]]+)\]\(([^)\s]+)\)\s*$/;

/** Text, with the tables, pictures and files that stand in it as Markdown writes them. */
function textParts(text: string): Part[] {
  const parts: Part[] = [];
  const words: string[] = [];
  const flush = () => {
    const said = words.join("\n").replace(/^\n+|\s+$/g, "");
    if (said !== "") parts.push({ kind: "text", text: said });
    words.length = 0;
  };
  const lines = text.split("\n");
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at] ?? "";
    const found = linePart(line);
    if (found) {
      flush();
      parts.push(found);
    } else if (line.includes("|") && DIVIDER.test(lines[at + 1] ?? "") && (lines[at + 1] ?? "").includes("-")) {
      const columns = cells(line);
      const rows: Cell[][] = [];
      for (at += 2; at < lines.length && (lines[at] ?? "").includes("|"); at += 1) {
        const row = cells(lines[at] ?? "");
        rows.push(columns.map((_, place) => row[place] ?? null));
      }
      at -= 1;
      flush();
      parts.push({ kind: "table", columns, rows });
    } else words.push(line);
  }
  flush();
  return parts;
}

function linePart(line: string): Part | null {
  const [, alt, src] = IMAGE_LINE.exec(line) ?? [];
  const picture = ownPicture(src);
  if (picture) return { kind: "image", src: picture, name: alt ?? "" };
  const [, name, to] = FILE_LINE.exec(line) ?? [];
  const href = own(to);
  return href && name ? { kind: "file", href, name } : null;
}

function cells(line: string): string[] {
  const inner = line.trim().replace(/^\|/, "").replace(/(?<!\\)\|$/, "");
  return inner.split(/(?<!\\)\|/).map((one) => one.trim().replaceAll("\\|", "|"));
}

const collator = new Intl.Collator(undefined, { numeric: true });

/** By one column: numbers as numbers (also where they are written as text), what is empty last, equals as they came. */
export function sorted(rows: Cell[][], column: number, down: boolean): Cell[][] {
  const empty = (value: Cell | undefined) => value === null || value === undefined || value === "";
  return rows.toSorted((one, two) => {
    const [a, b] = [one[column], two[column]];
    if (empty(a) || empty(b)) return Number(empty(a)) - Number(empty(b));
    const [x, y] = [numeric(a), numeric(b)];
    const order = x !== null && y !== null ? x - y : collator.compare(String(a), String(b));
    return down ? -order : order;
  });
}

export function numeric(value: Cell | undefined): number | null {
  if (typeof value === "number") return value;
  if (typeof value !== "string" || !/^-?[\d,]*\.?\d+%?$/.test(value.trim())) return null;
  const number = Number(value.replaceAll(",", "").replace("%", ""));
  return Number.isNaN(number) ? null : number;
}

/** As a spreadsheet reads it (RFC 4180). A text that it would take for a formula is made one by nobody: it gets an apostrophe. */
export function csv({ columns, rows }: Table): string {
  const field = (value: Cell) => {
    let text = value === null ? "" : String(value);
    if (typeof value === "string" && /^[=+\-@\t\r]/.test(text) && numeric(text) === null) text = `'${text}`;
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return [columns, ...rows].map((row) => row.map(field).join(",")).join("\r\n");
}

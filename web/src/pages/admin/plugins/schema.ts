//! From a JSON Schema to a form: which control a field gets, what stands in it at first, what is still missing. What no control fits is
//! written as JSON. Whether the arguments are right is the portal's to say.
import type { Schema } from "@/api/plugins";

export type Fields = Record<string, unknown>;
export type Control = "text" | "long" | "number" | "integer" | "boolean" | "choice" | "group" | "json";

/** Fields of fields, so deep; deeper ones are written as JSON. */
const DEEP = 3;

function typeOf(schema: Schema): string | undefined {
  if (!Array.isArray(schema.type)) return schema.type;
  // `["string", "null"]`: it may be left out.
  const real = schema.type.filter((one) => one !== "null");
  return real.length === 1 ? real[0] : undefined;
}

export function controlOf(schema: Schema, depth = 0): Control {
  if (Array.isArray(schema.enum) && schema.enum.every((one) => typeof one === "string" || typeof one === "number")) return "choice";
  const type = typeOf(schema);
  if (type === "string") return (schema.maxLength ?? 0) > 200 || /text|content|body|message|code|sql/i.test(schema.title ?? "") ? "long" : "text";
  if (type === "number" || type === "integer" || type === "boolean") return type;
  if (type === "object" && Object.keys(schema.properties ?? {}).length > 0 && depth < DEEP) return "group";
  return "json";
}

/** As a person reads it: `integer, 1 to 10`. Words of JSON Schema, which stay as they are. */
export function typeWords(schema: Schema): string {
  if (Array.isArray(schema.enum)) return schema.enum.map(String).join(" | ");
  const type = Array.isArray(schema.type) ? schema.type.join(" | ") : (schema.type ?? "any");
  const { minimum, maximum, format } = schema;
  const range = minimum === undefined && maximum === undefined ? "" : ` ${minimum ?? ""}…${maximum ?? ""}`;
  return `${type}${format ? ` (${format})` : ""}${range}`;
}

/** What a form begins with: defaults, and the groups that must be there. */
export function initial(schema: Schema): Fields {
  const out: Fields = {};
  for (const [name, field] of Object.entries(schema.properties ?? {})) {
    if (field.default !== undefined) out[name] = field.default;
    else if (schema.required?.includes(name) && controlOf(field) === "group") out[name] = initial(field);
  }
  return out;
}

/** With one field set; what is undefined is not there at all. */
export function put(fields: Fields, name: string, value: unknown): Fields {
  const { [name]: _, ...others } = fields;
  return value === undefined ? others : { ...others, [name]: value };
}

/** The value in what was typed; `undefined` where nothing was. */
export function typed(control: Control, schema: Schema, text: string): unknown {
  if (control === "choice") return schema.enum?.find((one) => String(one) === text);
  if (control === "boolean") return text === "" ? undefined : text === "true";
  if (text === "" && control !== "long") return undefined;
  if (control === "number" || control === "integer") return Number.isFinite(Number(text)) ? Number(text) : text;
  return text === "" ? undefined : text;
}

/** The paths of what must be there and is not. */
export function missing(schema: Schema, fields: Fields, path = ""): string[] {
  const own = (schema.required ?? []).filter((name) => fields[name] === undefined).map((name) => path + name);
  const inner = Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const value = fields[name];
    return controlOf(field) === "group" && typeof value === "object" && value !== null && !Array.isArray(value) ? missing(field, value as Fields, `${path}${name}.`) : [];
  });
  return [...own, ...inner];
}

/** Arguments as written; they are an object, or what is wrong with them. */
export function readFields(text: string): { fields: Fields } | { problem: string } {
  if (text.trim() === "") return { fields: {} };
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return { fields: value as Fields };
    return { problem: "object" };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : "JSON" };
  }
}

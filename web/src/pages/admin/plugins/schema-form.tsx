//! A form made of a JSON Schema: one control for each field, groups for objects, JSON for what no control fits.
import { useState } from "react";
import type { Schema } from "@/api/plugins";
import { useT } from "@/lib/i18n";
import { type Fields, controlOf, put, typed } from "@/pages/admin/plugins/schema";
import { Field, Input, Select, Textarea } from "@/ui/input";

type Props = { schema: Schema; value: Fields; depth?: number; onChange: (value: Fields) => void };

export function SchemaForm({ schema, value, depth = 0, onChange }: Props) {
  const t = useT("plugins");
  const fields = Object.entries(schema.properties ?? {});
  if (fields.length === 0) return <p className="text-meta text-muted-foreground">{t("takes_nothing")}</p>;
  return (
    <div className="flex flex-col gap-4">
      {fields.map(([name, field]) => (
        <One key={name} name={name} schema={field} must={schema.required?.includes(name) ?? false} depth={depth} value={value[name]} onChange={(next) => onChange(put(value, name, next))} />
      ))}
    </div>
  );
}

type OneProps = { name: string; schema: Schema; must: boolean; depth: number; value: unknown; onChange: (value: unknown) => void };

function One({ name, schema, must, depth, value, onChange }: OneProps) {
  const t = useT("plugins");
  const c = useT("common");
  const control = controlOf(schema, depth);
  if (control === "group") {
    const inner = typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : {};
    return (
      <fieldset className="rounded-card border px-4 pt-2 pb-4">
        <legend className="px-1 font-mono text-[13px]">{name}</legend>
        {schema.description ? <p className="mb-3 text-meta text-muted-foreground">{schema.description}</p> : null}
        <SchemaForm schema={schema} depth={depth + 1} value={inner} onChange={(next) => onChange(Object.keys(next).length === 0 && !must ? undefined : next)} />
      </fieldset>
    );
  }
  const common = { label: name, hint: schema.description ?? schema.title, aside: must ? undefined : c("optional") };
  const shown = value === undefined || value === null ? "" : String(value);
  const take = (text: string) => onChange(typed(control, schema, text));
  if (control === "json") return <Json {...common} value={value} onChange={onChange} />;
  if (control === "choice" || control === "boolean") {
    const options = control === "boolean" ? [true, false] : (schema.enum ?? []);
    return (
      <Field {...common}>
        <Select required={must} value={shown} onChange={(event) => take(event.target.value)}>
          <option value="">{t("unset")}</option>
          {options.map((one) => (
            <option key={String(one)} value={String(one)}>
              {String(one)}
            </option>
          ))}
        </Select>
      </Field>
    );
  }
  if (control === "long") {
    return (
      <Field {...common}>
        <Textarea required={must} value={shown} onChange={(event) => take(event.target.value)} />
      </Field>
    );
  }
  const numeric = control === "number" || control === "integer";
  return (
    <Field {...common}>
      <Input
        required={must}
        inputMode={numeric ? "decimal" : "text"}
        autoComplete="off"
        className={numeric ? "tabular" : undefined}
        placeholder={schema.default === undefined ? undefined : String(schema.default)}
        value={shown}
        onChange={(event) => take(event.target.value)}
      />
    </Field>
  );
}

/** What is no JSON yet stays as it is typed, and is sent as nothing. */
function Json({ label, hint, aside, value, onChange }: { label: string; hint: string | undefined; aside: string | undefined; value: unknown; onChange: (value: unknown) => void }) {
  const t = useT("plugins");
  const [text, setText] = useState(value === undefined ? "" : JSON.stringify(value, null, 2));
  const [wrong, setWrong] = useState(false);
  const take = (next: string) => {
    setText(next);
    if (next.trim() === "") {
      setWrong(false);
      return onChange(undefined);
    }
    try {
      onChange(JSON.parse(next));
      setWrong(false);
    } catch {
      setWrong(true);
      onChange(undefined);
    }
  };
  return (
    <Field label={label} hint={hint ?? t("as_json")} aside={aside} error={wrong ? t("no_json_yet") : undefined}>
      <Textarea spellCheck={false} rows={2} className="min-h-16 font-mono text-[13px]" value={text} onChange={(event) => take(event.target.value)} />
    </Field>
  );
}

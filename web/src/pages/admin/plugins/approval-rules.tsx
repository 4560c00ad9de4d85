//! Which calls of a plugin wait until somebody agrees: a rule a line, the first that is about a call decides.
import { useMutation, useQuery } from "@tanstack/react-query";
import { Plus, Trash2 } from "lucide-react";
import { type FormEvent, useState } from "react";
import { api } from "@/api/client";
import type { ApprovalRule, Plugin } from "@/api/plugins";
import type { Person } from "@/api/types";
import { useT } from "@/lib/i18n";
import { change, flawsOf } from "@/pages/admin/plugins/data";
import { Flaws } from "@/pages/admin/plugins/flaws";
import { Button, IconButton } from "@/ui/button";
import { Field, Input, Select } from "@/ui/input";
import { Card, Section } from "@/ui/page";
import { toast } from "@/ui/toast";

const COMPARISONS = ["more_than", "at_least", "less_than", "equal", "not_equal", "contains"] as const;
const NUMBERS: readonly string[] = ["more_than", "at_least", "less_than"];

export function ApprovalRules({ plugin }: { plugin: Plugin }) {
  const t = useT("plugins");
  const [rules, setRules] = useState<ApprovalRule[]>(plugin.choices.approvals ?? []);
  const [changed, setChanged] = useState(false);
  const people = useQuery({ queryKey: ["people", "names"], queryFn: async ({ signal }) => (await api.get<Person[]>("/api/people", undefined, signal)).filter((one) => !one.disabled), enabled: rules.some((rule) => rule.approver?.kind === "people") });
  const save = useMutation({ mutationFn: () => change(plugin.name, { choices: { ...plugin.choices, approvals: rules } }), onSuccess: () => (setChanged(false), toast(t("saved"))) });
  const put = (next: ApprovalRule[]) => {
    setRules(next);
    setChanged(true);
    save.reset();
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate();
  };
  return (
    <Section title={t("approvals")} description={t("approvals_text")}>
      <Card className="p-4">
        <form noValidate onSubmit={submit} className="flex flex-col gap-4">
          {save.error ? <Flaws error={save.error} /> : null}
          {rules.length === 0 ? <p className="text-ui text-muted-foreground">{t("approvals_none")}</p> : null}
          {rules.map((rule, at) => (
            <Rule key={at} at={at} rule={rule} plugin={plugin} people={people.data ?? []} flawed={flawsOf(save.error).some((flaw) => flaw.field.startsWith(`approvals.${at}.`))} onChange={(next) => put(rules.map((one, index) => (index === at ? next : one)))} onRemove={() => put(rules.filter((_, index) => index !== at))} />
          ))}
          <div className="flex flex-wrap gap-2">
            <Button icon={<Plus />} onClick={() => put([...rules, { tool: "*", approver: { kind: "administrators" } }])}>
              {t("approvals_add")}
            </Button>
            {changed ? (
              <Button type="submit" variant="primary" busy={save.isPending}>
                {t("save")}
              </Button>
            ) : null}
          </div>
        </form>
      </Card>
    </Section>
  );
}

type RuleProps = { at: number; rule: ApprovalRule; plugin: Plugin; people: Person[]; flawed: boolean; onChange: (rule: ApprovalRule) => void; onRemove: () => void };

function Rule({ at, rule, plugin, people, flawed, onChange, onRemove }: RuleProps) {
  const t = useT("plugins");
  const { when } = rule;
  const kind = rule.approver?.kind ?? "asker";
  const chosen = rule.approver?.kind === "people" ? rule.approver.people : [];
  const value = (text: string, is: string) => (NUMBERS.includes(is) && text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : text);
  return (
    <fieldset className={`flex flex-col gap-3 rounded-card border p-4 ${flawed ? "border-bad" : ""}`}>
      <legend className="px-1 text-meta text-muted-foreground">{t("approvals_rule", { number: at + 1 })}</legend>
      <div className="grid gap-3 sm:grid-cols-2">
        <Field label={t("approvals_tool")}>
          <Select value={rule.tool} onChange={(event) => onChange({ ...rule, tool: event.target.value })}>
            <option value="*">{t("approvals_all")}</option>
            {plugin.tools.map((tool) => (
              <option key={tool.name} value={tool.name}>
                {tool.name}
              </option>
            ))}
          </Select>
        </Field>
        <Field label={t("approvals_who")}>
          <Select value={kind} onChange={(event) => onChange({ ...rule, approver: event.target.value === "people" ? { kind: "people", people: [] } : { kind: event.target.value as "asker" | "administrators" } })}>
            <option value="asker">{t("approvals_asker")}</option>
            <option value="administrators">{t("approvals_administrators")}</option>
            <option value="people">{t("approvals_people")}</option>
          </Select>
        </Field>
      </div>
      {kind === "people" ? (
        <ul aria-label={t("approvals_people")} className="flex flex-wrap gap-x-4 gap-y-1">
          {people.map((person) => (
            <li key={person.id}>
              <label className="touch-target flex items-center gap-2 text-ui">
                <input type="checkbox" checked={chosen.includes(person.id)} onChange={(event) => onChange({ ...rule, approver: { kind: "people", people: event.target.checked ? [...chosen, person.id] : chosen.filter((id) => id !== person.id) } })} />
                {person.display_name}
              </label>
            </li>
          ))}
        </ul>
      ) : null}
      <div className="grid gap-3 sm:grid-cols-[1fr_1fr_1fr]">
        <Field label={t("approvals_when")}>
          <Select value={when?.is ?? ""} onChange={(event) => onChange({ ...rule, when: event.target.value === "" ? null : { argument: when?.argument ?? "", is: event.target.value as NonNullable<ApprovalRule["when"]>["is"], value: value(String(when?.value ?? ""), event.target.value) } })}>
            <option value="">{t("approvals_always")}</option>
            {COMPARISONS.map((one) => (
              <option key={one} value={one}>
                {t(`approvals_is.${one}`)}
              </option>
            ))}
          </Select>
        </Field>
        {when ? (
          <>
            <Field label={t("approvals_argument")}>
              <Input autoComplete="off" spellCheck={false} value={when.argument} onChange={(event) => onChange({ ...rule, when: { ...when, argument: event.target.value } })} />
            </Field>
            <Field label={t("approvals_value")}>
              <Input autoComplete="off" inputMode={NUMBERS.includes(when.is) ? "decimal" : "text"} value={String(when.value ?? "")} onChange={(event) => onChange({ ...rule, when: { ...when, value: value(event.target.value, when.is) } })} />
            </Field>
          </>
        ) : null}
      </div>
      <div className="flex flex-wrap items-end justify-between gap-3">
        <div className="w-44">
          <Field label={t("approvals_timeout")}>
            <Input type="number" min={1} placeholder="1440" value={rule.timeout_minutes ?? ""} onChange={(event) => onChange({ ...rule, timeout_minutes: event.target.value === "" ? null : Number(event.target.value) })} />
          </Field>
        </div>
        <IconButton label={t("approvals_remove", { number: at + 1 })} onClick={onRemove}>
          <Trash2 />
        </IconButton>
      </div>
    </fieldset>
  );
}

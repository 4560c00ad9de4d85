//! What a plugin can do: the tools that models may call, with what each takes, and when it acts by itself.
import { ChevronRight, Zap } from "lucide-react";
import type { Plugin, PluginTool, Schema } from "@/api/plugins";
import { useT } from "@/lib/i18n";
import { typeWords } from "@/pages/admin/plugins/schema";
import { Badge, Card, EmptyState, Section } from "@/ui/page";
import { TableFrame } from "@/ui/table-frame";

export function Tools({ plugin }: { plugin: Plugin }) {
  const t = useT("plugins");
  return (
    <>
      {plugin.triggers.length > 0 ? (
        <Section title={t("triggers")} description={t("triggers_text")}>
          <Card>
            <ul>
              {plugin.triggers.map((trigger, at) => (
                <li key={at} className="flex items-start gap-3 border-b px-4 py-3 text-ui last:border-b-0">
                  <Zap className="mt-0.5 size-4 shrink-0 text-muted-foreground" aria-hidden="true" />
                  <span className="min-w-0 break-words">
                    {trigger.on === "message" ? t("on_message", { pattern: trigger.pattern ?? "" }) : trigger.types.length > 0 ? t("on_file", { types: trigger.types.join(", ") }) : t("on_any_file")}
                  </span>
                </li>
              ))}
            </ul>
          </Card>
        </Section>
      ) : null}
      <Section title={t("tools_count", { count: plugin.tools.length })} description={t("tools_text")}>
        <Card>
          {plugin.tools.length === 0 ? (
            <EmptyState title={t("no_tools")}>{t("no_tools_text")}</EmptyState>
          ) : (
            <ul>
              {plugin.tools.map((tool) => (
                <li key={tool.name} className="border-b last:border-b-0">
                  <Tool tool={tool} />
                </li>
              ))}
            </ul>
          )}
        </Card>
      </Section>
    </>
  );
}

function Tool({ tool }: { tool: PluginTool }) {
  const t = useT("plugins");
  return (
    <details className="group/tool">
      <summary className="flex min-h-11 list-none items-start gap-2 px-4 py-3 -outline-offset-2 hover:bg-hover [&::-webkit-details-marker]:hidden">
        <ChevronRight className="mt-0.5 size-4 shrink-0 text-muted-foreground transition-transform duration-120 group-open/tool:rotate-90" aria-hidden="true" />
        <span className="min-w-0">
          <code className="mr-2 font-mono text-[13px] break-all">{tool.name}</code>
          {tool.hints?.destructiveHint ? <Badge tone="warn">{t("hint.destructive")}</Badge> : tool.hints?.readOnlyHint ? <Badge>{t("hint.reads")}</Badge> : null}
          <span className="line-clamp-2 text-meta text-muted-foreground group-open/tool:line-clamp-none">{tool.description}</span>
        </span>
      </summary>
      <div className="flex flex-col gap-3 px-4 pb-4 pl-10">
        <Fields schema={tool.parameters} label={t("takes", { name: tool.name })} />
        <details>
          <summary className="touch-target inline-flex min-h-8 items-center text-meta text-muted-foreground hover:text-foreground">{t("schema")}</summary>
          {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
          <pre tabIndex={0} aria-label={t("schema")} role="region" className="scroll-thin mt-1 max-h-80 overflow-auto rounded-[10px] border bg-surface px-3 py-2 font-mono text-[13px]">
            {JSON.stringify(tool.parameters, null, 2)}
          </pre>
        </details>
      </div>
    </details>
  );
}

function Fields({ schema, label }: { schema: Schema; label: string }) {
  const t = useT("plugins");
  const fields = Object.entries(schema.properties ?? {});
  if (fields.length === 0) return <p className="text-meta text-muted-foreground">{t("takes_nothing")}</p>;
  return (
    <TableFrame label={label}>
      <table className="w-full text-ui">
        <thead>
          <tr className="bg-surface text-left">
            <th className="px-3 py-2 font-medium">{t("field")}</th>
            <th className="px-3 py-2 font-medium">{t("type")}</th>
            <th className="px-3 py-2 font-medium">{t("meaning")}</th>
          </tr>
        </thead>
        <tbody>
          {fields.map(([name, field]) => (
            <tr key={name} className="border-t align-top">
              <td className="px-3 py-2">
                <code className="font-mono text-[13px]">{name}</code> {schema.required?.includes(name) ? <Badge>{t("required")}</Badge> : null}
              </td>
              <td className="px-3 py-2 whitespace-nowrap text-muted-foreground">{typeWords(field)}</td>
              <td className="min-w-48 px-3 py-2 text-muted-foreground">{field.description ?? field.title ?? ""}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </TableFrame>
  );
}

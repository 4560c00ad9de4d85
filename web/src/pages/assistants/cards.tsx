//! One card of the gallery: an assistant that answers or is a draft, and a persona of the library.
import { useMutation } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { Download, Ellipsis, Pencil, Trash2 } from "lucide-react";
import type { Assistant, Persona } from "@/api/assistants";
import { type Key, useLanguage, useT } from "@/lib/i18n";
import { Avatar } from "@/pages/assistants/avatar";
import { bad, create, exportFile, remove } from "@/pages/assistants/data";
import { Button, IconButton } from "@/ui/button";
import { Menu, type MenuEntry } from "@/ui/menu";
import { Badge } from "@/ui/page";

const CARD = "group relative flex flex-col gap-3 rounded-card border bg-background p-4 transition-colors duration-120";

export function AssistantCard({ assistant }: { assistant: Assistant }) {
  const t = useT("assistants");
  const navigate = useNavigate();
  const params = { assistant: assistant.id };
  const entries: MenuEntry[] = [
    { id: "edit", label: t("edit"), icon: <Pencil />, onSelect: () => void navigate({ to: "/assistants/$assistant", params }) },
    { id: "export", label: t("export"), icon: <Download />, onSelect: () => exportFile(assistant.id) },
    "separator",
    { id: "delete", label: t("delete"), icon: <Trash2 />, danger: true, onSelect: () => void remove(assistant) },
  ];
  return (
    <li className={`${CARD} hover:bg-hover`}>
      <div className="flex items-start gap-3">
        <Avatar avatar={assistant.avatar} />
        <div className="min-w-0 flex-1 pr-9">
          <h2 className="truncate text-[15px] font-semibold">
            {/* The whole card is the link; what else is on it lies above. */}
            <Link to={assistant.published === null ? "/assistants/$assistant" : "/a/$assistant"} params={params} className="rounded-control after:absolute after:inset-0 after:rounded-card">
              {assistant.name}
            </Link>
          </h2>
          <p className="line-clamp-2 text-meta text-muted-foreground">{assistant.summary || t("no_summary")}</p>
        </div>
      </div>
      <div className="mt-auto flex flex-wrap gap-1.5">
        {assistant.published === null ? <Badge tone="warn">{t("draft")}</Badge> : null}
        {assistant.changed ? <Badge tone="warn">{t("changed")}</Badge> : null}
        {assistant.shared === "nobody" ? <Badge>{t("only_mine")}</Badge> : <Badge tone="brand">{t(`shared.${assistant.shared}`)}</Badge>}
      </div>
      {assistant.may_edit ? (
        <span className="absolute top-2.5 right-2.5">
          <Menu
            align="end"
            entries={entries}
            trigger={
              <IconButton label={t("options", { name: assistant.name })} size="small">
                <Ellipsis />
              </IconButton>
            }
          />
        </span>
      ) : null}
    </li>
  );
}

export function PersonaCard({ persona }: { persona: Persona }) {
  const t = useT("assistants");
  const language = useLanguage();
  const navigate = useNavigate();
  const { unit } = persona;
  const take = useMutation({
    mutationFn: () => create({ persona: persona.slug, language }),
    onSuccess: ({ assistant }) => navigate({ to: "/a/$assistant", params: { assistant: assistant.id } }),
    onError: bad,
  });
  return (
    <li className={CARD}>
      <div className="flex items-start gap-3">
        <Avatar avatar={unit.avatar} />
        <div className="min-w-0 flex-1">
          <h2 className="text-[15px] font-semibold">{unit.name}</h2>
          <p className="text-meta text-muted-foreground">{unit.summary}</p>
        </div>
      </div>
      <p className="line-clamp-2 text-meta text-muted-foreground">“{unit.questions[0]}”</p>
      <div className="mt-auto flex items-center justify-between gap-2">
        <Badge>{t(`category.${persona.category}` as Key<"assistants">)}</Badge>
        <Button size="small" busy={take.isPending} aria-label={t("use_it", { name: unit.name })} onClick={() => take.mutate()}>
          {t("use")}
        </Button>
      </div>
    </li>
  );
}

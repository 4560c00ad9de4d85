//! All assistants one may ask, the library to begin from, and the prompts one keeps.
import { useMutation } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { Bot, FileUp, Library, MessageSquareText, Plus } from "lucide-react";
import { type FormEvent, useRef, useState } from "react";
import type { Assistant } from "@/api/assistants";
import { useAssistants } from "@/chat/assistants";
import { useT } from "@/lib/i18n";
import { AssistantCard, PersonaCard } from "@/pages/assistants/cards";
import { bad, create, importFile, usePersonas } from "@/pages/assistants/data";
import { Frame } from "@/pages/assistants/frame";
import { Prompts } from "@/pages/assistants/prompts";
import type { GallerySearch } from "@/pages/assistants/routes";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Failed } from "@/ui/failed";
import { Field, Input } from "@/ui/input";
import { EmptyState, PageHeader, Skeleton } from "@/ui/page";
import { Tabs } from "@/ui/tabs";

type Tab = "mine" | "library" | "prompts";

export function GalleryPage() {
  const t = useT("assistants");
  const navigate = useNavigate();
  const { tab = "mine" } = useSearch({ from: "/app/assistants" });
  const [making, setMaking] = useState(false);
  const open = (next: Tab) => {
    const search: GallerySearch = next === "mine" ? {} : { tab: next };
    void navigate({ to: "/assistants", search, replace: true });
  };
  return (
    <Frame>
      <PageHeader
        title={t("title")}
        description={t("text")}
        action={
          <div className="flex flex-wrap gap-2">
            <ImportButton />
            <Button variant="primary" icon={<Plus />} onClick={() => setMaking(true)}>
              {t("new")}
            </Button>
          </div>
        }
      />
      <Tabs<Tab>
        label={t("title")}
        value={tab}
        onChange={open}
        tabs={[
          { id: "mine", label: t("tab.mine"), icon: <Bot /> },
          { id: "library", label: t("tab.library"), icon: <Library /> },
          { id: "prompts", label: t("tab.prompts"), icon: <MessageSquareText /> },
        ]}
      >
        {tab === "mine" ? <Mine onLibrary={() => open("library")} /> : null}
        {tab === "library" ? <FromLibrary /> : null}
        {tab === "prompts" ? <Prompts /> : null}
      </Tabs>
      {making ? <NewDialog onClose={() => setMaking(false)} /> : null}
    </Frame>
  );
}

const GRID = "grid gap-3 sm:grid-cols-2 lg:grid-cols-3";

/** Whether all the words that were written are in what one reads of it. */
export function fits(wanted: string, ...texts: string[]): boolean {
  const text = texts.join(" ").toLowerCase();
  return wanted.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

function Find({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const t = useT("assistants");
  return <Input type="search" aria-label={t("find")} placeholder={t("find")} value={value} onChange={(event) => onChange(event.target.value)} className="mb-4 max-w-sm" />;
}

function Mine({ onLibrary }: { onLibrary: () => void }) {
  const t = useT("assistants");
  const { data, isPending, error, refetch } = useAssistants();
  const [wanted, setWanted] = useState("");
  if (error) return <Failed error={error} again={refetch} />;
  if (isPending) return <Waiting />;
  if (data.length === 0) {
    return (
      <EmptyState icon={<Bot />} title={t("empty")} action={<Button onClick={onLibrary}>{t("to_library")}</Button>}>
        {t("empty_text")}
      </EmptyState>
    );
  }
  const shown = data.filter((one) => fits(wanted, one.name, one.summary));
  return (
    <>
      <Find value={wanted} onChange={setWanted} />
      {shown.length === 0 ? <p className="text-ui text-muted-foreground">{t("nothing")}</p> : null}
      <ul className={GRID}>
        {shown.map((one) => (
          <AssistantCard key={one.id} assistant={one} />
        ))}
      </ul>
    </>
  );
}

function FromLibrary() {
  const t = useT("assistants");
  const { data, isPending, error, refetch } = usePersonas();
  const [wanted, setWanted] = useState("");
  if (error) return <Failed error={error} again={refetch} />;
  if (isPending) return <Waiting />;
  const shown = data.filter(({ unit }) => fits(wanted, unit.name, unit.summary));
  return (
    <>
      <Find value={wanted} onChange={setWanted} />
      {shown.length === 0 ? <p className="text-ui text-muted-foreground">{t("nothing")}</p> : null}
      <ul className={GRID}>
        {shown.map((persona) => (
          <PersonaCard key={persona.slug} persona={persona} />
        ))}
      </ul>
    </>
  );
}

function Waiting() {
  return (
    <div className={GRID}>
      {[1, 2, 3].map((at) => (
        <Skeleton key={at} className="h-36 rounded-card" />
      ))}
    </div>
  );
}

function ImportButton() {
  const t = useT("assistants");
  const navigate = useNavigate();
  const file = useRef<HTMLInputElement>(null);
  const take = useMutation({ mutationFn: importFile, onSuccess: ({ assistant }) => navigate({ to: "/assistants/$assistant", params: { assistant: assistant.id } }), onError: bad });
  return (
    <>
      <Button icon={<FileUp />} busy={take.isPending} onClick={() => file.current?.click()}>
        {t("import")}
      </Button>
      <input
        ref={file}
        type="file"
        accept="application/json,.json"
        hidden
        aria-hidden="true"
        tabIndex={-1}
        onChange={(event) => {
          const chosen = event.target.files?.[0];
          event.target.value = "";
          if (chosen) take.mutate(chosen);
        }}
      />
    </>
  );
}

function NewDialog({ onClose }: { onClose: () => void }) {
  const t = useT("assistants");
  const navigate = useNavigate();
  const make = useMutation({
    mutationFn: (name: string) => create({ name }),
    onSuccess: ({ assistant }: { assistant: Assistant }) => navigate({ to: "/assistants/$assistant", params: { assistant: assistant.id } }),
    onError: bad,
  });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    make.mutate(String(new FormData(event.currentTarget).get("name")));
  };
  return (
    <Dialog open onClose={onClose} title={t("new")} width="small">
      <form onSubmit={submit} className="flex flex-col gap-4">
        <Field label={t("name")}>
          <Input name="name" required maxLength={60} autoComplete="off" />
        </Field>
        <div className="flex justify-end">
          <Button type="submit" variant="primary" busy={make.isPending}>
            {t("create")}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

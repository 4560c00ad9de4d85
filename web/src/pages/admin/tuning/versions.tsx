//! The frozen versions of a set, and freezing the next one.
import { useMutation } from "@tanstack/react-query";
import { Download, Snowflake } from "lucide-react";
import { type FormEvent, useState } from "react";
import { api } from "@/api/client";
import type { Dataset, DatasetVersion } from "@/api/types";
import { useLanguage, useT } from "@/lib/i18n";
import { formatDateTime } from "@/lib/time";
import { bad, setsAgain, useVersions } from "@/pages/admin/tuning/data";
import { Button, buttonLook } from "@/ui/button";
import { Failed } from "@/ui/failed";
import { Input } from "@/ui/input";
import { Card, Section } from "@/ui/page";
import { toast } from "@/ui/toast";

export function Versions({ set }: { set: Dataset }) {
  const t = useT("tuning");
  const { data, error, refetch } = useVersions(set.id);
  return (
    <Section title={t("versions")} description={t("versions_text")}>
      <Card>
        <Freeze set={set} />
        {error ? <Failed error={error} again={refetch} /> : null}
        {data?.length === 0 ? <p className="px-4 py-3 text-meta text-muted-foreground">{t("no_versions")}</p> : null}
        <ul>
          {data?.map((version) => (
            <VersionRow key={version.version} set={set.id} version={version} />
          ))}
        </ul>
      </Card>
    </Section>
  );
}

function Freeze({ set }: { set: Dataset }) {
  const t = useT("tuning");
  const [note, setNote] = useState("");
  const freeze = useMutation({
    mutationFn: () => api.post<DatasetVersion>(`/api/datasets/${set.id}/versions`, { note }),
    onSuccess: async ({ version }) => {
      setNote("");
      await setsAgain();
      toast(t("frozen", { version }));
    },
    onError: bad,
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    freeze.mutate();
  };
  return (
    <form onSubmit={submit} className="flex flex-wrap items-center gap-2 border-b px-4 py-3">
      <Input aria-label={t("freeze_note")} placeholder={t("freeze_note")} maxLength={2000} className="min-w-0 flex-1 basis-56" value={note} onChange={(event) => setNote(event.target.value)} />
      <Button type="submit" icon={<Snowflake />} busy={freeze.isPending} disabled={set.examples === 0}>
        {t("freeze", { version: set.draft })}
      </Button>
    </form>
  );
}

function VersionRow({ set, version }: { set: string; version: DatasetVersion }) {
  const t = useT("tuning");
  const language = useLanguage();
  return (
    <li className="flex flex-wrap items-center justify-between gap-x-6 gap-y-2 border-b px-4 py-3 last:border-b-0">
      <div className="min-w-0">
        <p className="text-ui">
          <span className="font-medium">{t("version", { version: version.version })}</span>
          {version.note ? ` · ${version.note}` : null}
        </p>
        <p className="tabular text-meta text-muted-foreground">
          {t("summary", { trained: version.trained, held_out: version.held_out, left_out: 0 })} · {formatDateTime(version.at, language)} · <span className="font-mono">{version.sha256.slice(0, 12)}</span>
        </p>
      </div>
      <a href={`/api/datasets/${set}/export?version=${version.version}`} download={`dataset-v${version.version}.jsonl`} className={buttonLook("secondary", "small")}>
        <Download aria-hidden="true" />
        {t("export")}
      </a>
    </li>
  );
}

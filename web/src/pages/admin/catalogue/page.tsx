//! What makers publish of their models: context, what they take, licence, size by quantisation, list price; searched and narrowed here.
import { LibraryBig, Search } from "lucide-react";
import { useState } from "react";
import { useT } from "@/lib/i18n";
import { type Kind, type Wanted, canKey, found, useFamilies } from "@/pages/admin/catalogue/data";
import { FamilyTable } from "@/pages/admin/catalogue/family-table";
import { Failed } from "@/ui/failed";
import { Input, Select } from "@/ui/input";
import { Button } from "@/ui/button";
import { Card, EmptyState, PageHeader, Skeleton } from "@/ui/page";
import { Segmented } from "@/ui/tabs";

const GB = 1_000_000_000;
const MEMORIES = [4, 8, 16, 24, 48, 80, 160];
const CAN = ["tools", "json_schema", "vision", "reasoning", "logprobs", "audio", "video"] as const;
const EVERYTHING: Wanted = { text: "", kind: "all", can: "", memory: null };

export function CataloguePage() {
  const t = useT("engines");
  const { data, isPending, error, refetch } = useFamilies();
  const [wanted, want] = useState(EVERYTHING);
  const change = (part: Partial<Wanted>) => want({ ...wanted, ...part });
  const families = found(data ?? [], wanted);
  const count = families.reduce((sum, family) => sum + family.models.length, 0);
  return (
    <>
      <PageHeader title={t("catalogue")} description={t("catalogue.text")} />
      {error ? <Failed error={error} again={refetch} /> : null}
      {isPending ? <Skeleton className="h-96" /> : null}
      {data ? (
        <>
          <div role="search" className="mb-6 flex flex-wrap items-center gap-x-3 gap-y-3">
            <div className="relative min-w-52 flex-1 basis-52 sm:max-w-72">
              <Search className="pointer-events-none absolute top-1/2 left-3 size-4 -translate-y-1/2 text-muted-foreground" aria-hidden="true" />
              <Input aria-label={t("catalogue.search")} placeholder={t("catalogue.search")} className="pl-9" value={wanted.text} onChange={(event) => change({ text: event.target.value })} />
            </div>
            <Segmented<Kind> label={t("catalogue.kind")} value={wanted.kind} onChange={(kind) => change({ kind })} options={(["all", "open", "hosted"] as const).map((id) => ({ id, label: t(`catalogue.${id}`) }))} />
            <Select aria-label={t("catalogue.can")} className="max-w-44 max-sm:max-w-none max-sm:flex-1 max-sm:basis-36" value={wanted.can} onChange={(event) => change({ can: event.target.value })}>
              <option value="">{t("catalogue.can_any")}</option>
              {CAN.map((can) => (
                <option key={can} value={can}>
                  {t(canKey(can))}
                </option>
              ))}
            </Select>
            <Select aria-label={t("catalogue.memory")} className="max-w-44 max-sm:max-w-none max-sm:flex-1 max-sm:basis-36" value={wanted.memory ?? ""} onChange={(event) => change({ memory: event.target.value === "" ? null : Number(event.target.value) })}>
              <option value="">{t("catalogue.memory_any")}</option>
              {MEMORIES.map((size) => (
                <option key={size} value={size * GB}>
                  {t("catalogue.memory_fits", { size })}
                </option>
              ))}
            </Select>
            <p role="status" className="tabular text-meta text-muted-foreground">
              {t("catalogue.count", { count })}
            </p>
          </div>
          {count === 0 ? (
            <Card>
              <EmptyState icon={<LibraryBig />} title={t("catalogue.none")} action={<Button onClick={() => want(EVERYTHING)}>{t("catalogue.all_again")}</Button>} />
            </Card>
          ) : null}
          {families.map((family) => (
            <FamilyTable key={family.slug} family={family} />
          ))}
        </>
      ) : null}
    </>
  );
}

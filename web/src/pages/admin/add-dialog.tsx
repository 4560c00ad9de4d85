//! The ways to add a model: by its address, out of a card, or because it answers on this machine.
import { FileCode2, Link2, Radar } from "lucide-react";
import { useState } from "react";
import { useT } from "@/lib/i18n";
import { CardDialog } from "@/pages/admin/card-dialog";
import { FoundDialog } from "@/pages/admin/found-dialog";
import { ProviderDialog } from "@/pages/admin/provider-dialog";
import { Segmented } from "@/ui/tabs";

type Way = "address" | "card" | "found";

export function AddDialog({ onClose }: { onClose: () => void }) {
  const t = useT("admin");
  const [way, setWay] = useState<Way>("address");
  const options = [
    { id: "address" as const, label: t("ways.address"), icon: <Link2 aria-hidden="true" /> },
    { id: "card" as const, label: t("ways.card"), icon: <FileCode2 aria-hidden="true" /> },
    { id: "found" as const, label: t("ways.found"), icon: <Radar aria-hidden="true" /> },
  ];
  const ways = (
    <div>
      <Segmented label={t("ways")} options={options} value={way} onChange={setWay} />
    </div>
  );
  if (way === "card") return <CardDialog ways={ways} onClose={onClose} />;
  if (way === "found") return <FoundDialog ways={ways} onClose={onClose} />;
  return <ProviderDialog provider={null} ways={ways} onClose={onClose} />;
}

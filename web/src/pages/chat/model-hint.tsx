//! A sentence about the chosen model, only where one is owed: it failed to load, or it was not made for conversation.
import { Info, TriangleAlert } from "lucide-react";
import type { Model } from "@/api/types";
import { useT } from "@/lib/i18n";
import { failureSentence } from "@/lib/problem";
import { Notice } from "@/ui/page";

export function ModelHint({ model }: { model: Model | null }) {
  const t = useT("chat");
  if (model?.state.state === "failed") {
    return (
      <div className="mb-3">
        <Notice tone="bad" icon={<TriangleAlert />} role="status">
          {t("composer.failed_model", { model: model.name, reason: failureSentence(model.state) })}
        </Notice>
      </div>
    );
  }
  if (model?.chat_template !== false) return null;
  return (
    <div className="mb-3">
      <Notice icon={<Info />} role="status" tone="neutral">
        {t("home.no_template")}
      </Notice>
    </div>
  );
}

//! Content that could not be read: why, and the way to try again.
import { useT } from "@/lib/i18n";
import { sentence } from "@/lib/problem";
import { Button } from "@/ui/button";
import { Notice } from "@/ui/page";

export function Failed({ error, again }: { error: unknown; again: () => unknown }) {
  const t = useT("common");
  return (
    <Notice
      tone="bad"
      role="alert"
      action={
        <Button size="small" className="border-current/30 bg-transparent" onClick={() => void again()}>
          {t("retry")}
        </Button>
      }
    >
      {sentence(error)}
    </Notice>
  );
}

//! What stands where a page should be: not found, broken, portal not answering.
import { useEffect } from "react";
import { useT } from "@/lib/i18n";
import { Button } from "@/ui/button";

function Centre({ title, text, action }: { title: string; text: string; action: React.ReactNode }) {
  return (
    <main className="flex h-full flex-col items-center justify-center gap-2 px-6 text-center">
      <h1 className="text-[20px] font-semibold">{title}</h1>
      <p className="max-w-[44ch] text-muted-foreground">{text}</p>
      <div className="mt-4">{action}</div>
    </main>
  );
}

export function NotFoundPage() {
  const t = useT("common");
  return <Centre title={t("not_found.title")} text={t("not_found.text")} action={<Button onClick={() => location.assign("/")}>{t("not_found.home")}</Button>} />;
}

export function BrokenPage({ error }: { error: unknown }) {
  const t = useT("common");
  useEffect(() => console.error(error), [error]);
  return (
    <Centre
      title={t("broken.title")}
      text={t("broken.text")}
      action={
        <Button variant="primary" onClick={() => location.reload()}>
          {t("broken.reload")}
        </Button>
      }
    />
  );
}

/** The first request failed: nothing can be drawn yet, so ask again every few seconds. */
export function PortalDownPage({ again }: { again: () => void }) {
  const t = useT("common");
  useEffect(() => {
    const timer = setInterval(again, 4000);
    return () => clearInterval(timer);
  }, [again]);
  return <Centre title={t("portal_down.title")} text={t("portal_down.text")} action={<Button onClick={again}>{t("retry")}</Button>} />;
}

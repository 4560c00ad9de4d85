//! A new title for the open conversation.
import { type FormEvent, Suspense, lazy } from "react";
import { useT } from "@/lib/i18n";
import { Button } from "@/ui/button";
import { Field, Input } from "@/ui/input";

const Dialog = lazy(async () => ({ default: (await import("@/ui/dialog")).Dialog }));

export function RenameDialog({ title, onClose, onRename }: { title: string; onClose: () => void; onRename: (title: string) => void }) {
  const t = useT("chat");
  const c = useT("common");
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const wanted = String(new FormData(event.currentTarget).get("title")).trim();
    if (wanted !== "" && wanted !== title) onRename(wanted);
    onClose();
  };
  return (
    <Suspense>
      <Dialog open onClose={onClose} title={t("conversation.rename")} width="small">
        <form onSubmit={submit} className="flex flex-col gap-5">
          <Field label={t("conversation.title")}>
            <Input name="title" defaultValue={title} maxLength={200} autoFocus required />
          </Field>
          <div className="flex justify-end gap-2">
            <Button onClick={onClose}>{c("cancel")}</Button>
            <Button type="submit" variant="primary">
              {c("save")}
            </Button>
          </div>
        </form>
      </Dialog>
    </Suspense>
  );
}

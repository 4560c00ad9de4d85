//! Thumbs under an answer; what else there is to say is asked in a dialog that is fetched when it opens.
import { ThumbsDown, ThumbsUp } from "lucide-react";
import { Suspense, lazy, useState } from "react";
import type { Message, Rating } from "@/api/types";
import { useT } from "@/lib/i18n";
import { IconButton } from "@/ui/button";

const RatingDialog = lazy(async () => ({ default: (await import("@/pages/chat/rating-dialog")).RatingDialog }));

export function Rate({ message, onRated }: { message: Message; onRated: () => void }) {
  const t = useT("chat");
  const [open, setOpen] = useState<Rating["verdict"] | null>(null);
  const given = message.rating?.verdict ?? null;
  const thumb = (verdict: Rating["verdict"], icon: React.ReactNode) => (
    <IconButton label={t(`rating.${verdict}`)} size="small" aria-pressed={given === verdict} className={given === verdict ? "text-foreground [&_svg]:fill-current" : ""} onClick={() => setOpen(verdict)}>
      {icon}
    </IconButton>
  );
  return (
    <>
      {thumb("good", <ThumbsUp />)}
      {thumb("bad", <ThumbsDown />)}
      {open ? (
        <Suspense>
          <RatingDialog
            message={message}
            verdict={open}
            onClose={() => setOpen(null)}
            onRated={() => {
              setOpen(null);
              onRated();
            }}
          />
        </Suspense>
      ) : null}
    </>
  );
}

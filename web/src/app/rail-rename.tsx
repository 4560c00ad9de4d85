//! A conversation's title as a field, in its place in the rail: Enter and leaving keep what was written, Esc does not.
import type { Conversation } from "@/api/types";
import { changeConversation } from "@/chat/conversation-actions";
import { useT } from "@/lib/i18n";

export default function Rename({ conversation, done }: { conversation: Conversation; done: () => void }) {
  const t = useT("chat");
  const finish = (title: string) => {
    done();
    const wanted = title.trim();
    if (wanted !== "" && wanted !== conversation.title) void changeConversation(conversation.id, { title: wanted });
  };
  return (
    <li>
      <input
        autoFocus
        aria-label={t("conversation.rename")}
        defaultValue={conversation.title}
        maxLength={200}
        onFocus={(event) => event.target.select()}
        onBlur={(event) => finish(event.target.value)}
        onKeyDown={(event) => {
          if (event.nativeEvent.isComposing) return;
          if (event.key === "Enter") finish(event.currentTarget.value);
          if (event.key === "Escape") {
            event.stopPropagation();
            done();
          }
        }}
        className="h-9 w-full rounded-control border border-brand bg-background px-2.5 text-ui outline-none coarse:h-11 coarse:text-[16px]"
      />
    </li>
  );
}

//! Whom a conversation is had with: a small picture in the rail, picture and name in the header.
import { Link } from "@tanstack/react-router";
import type { Assistant } from "@/api/assistants";
import { useAssistant } from "@/chat/assistants";
import { useT } from "@/lib/i18n";
import { Avatar } from "@/pages/assistants/avatar";

export function AssistantMark({ id }: { id: string }) {
  const assistant = useAssistant(id);
  return assistant ? <Avatar avatar={assistant.avatar} size="small" /> : null;
}

export function AssistantTag({ assistant }: { assistant: Assistant }) {
  const t = useT("chat");
  return (
    <Link
      to="/a/$assistant"
      params={{ assistant: assistant.id }}
      aria-label={t("assistant.with", { name: assistant.name })}
      data-tip={t("assistant.again", { name: assistant.name })}
      className="touch-target flex h-9 min-w-0 shrink items-center gap-2 rounded-control px-2 text-[15px] font-medium transition-colors duration-120 hover:bg-hover"
    >
      <Avatar avatar={assistant.avatar} size="small" />
      <span className="truncate max-sm:max-w-28">{assistant.name}</span>
    </Link>
  );
}

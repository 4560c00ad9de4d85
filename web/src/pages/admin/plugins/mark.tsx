//! The small picture of a plugin: the character of its manifest, or a plug where it names an address. Nothing is loaded from elsewhere.
import { Plug } from "lucide-react";

export function PluginMark({ icon }: { icon: string }) {
  const drawn = icon !== "" && [...icon].length <= 4;
  return (
    <span aria-hidden="true" className="flex size-9 shrink-0 items-center justify-center rounded-control border bg-surface text-[18px] leading-none [&_svg]:size-[18px]">
      {drawn ? icon : <Plug className="text-muted-foreground" />}
    </span>
  );
}

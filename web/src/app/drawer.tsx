//! The rail on a phone, as a sheet from the left. Loaded when first opened.
import { Rail } from "@/app/rail";
import { ui } from "@/app/ui";
import { useT } from "@/lib/i18n";
import { Sheet } from "@/ui/dialog";

export default function Drawer() {
  const t = useT("chat");
  return (
    <Sheet open bare side="left" title={t("rail.conversations")} onClose={ui.closeDrawer}>
      <Rail />
    </Sheet>
  );
}

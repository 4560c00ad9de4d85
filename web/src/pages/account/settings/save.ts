//! Saving one setting at once, with a word when it failed. What succeeds is visible in the control itself.
import { changeMe } from "@/app/session";
import { sentence } from "@/lib/problem";
import { toast } from "@/ui/toast";

export async function saveNow(change: Parameters<typeof changeMe>[0]): Promise<boolean> {
  try {
    await changeMe(change);
    return true;
  } catch (error) {
    toast(sentence(error), { tone: "bad" });
    return false;
  }
}

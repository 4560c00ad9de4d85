//! What is asked of the portal about keys is filed under one name: a key changed in one list is changed in the others.
import { queries } from "@/app/queries";

export const KEYS = ["keys"] as const;
export const keysChanged = () => queries.invalidateQueries({ queryKey: KEYS });

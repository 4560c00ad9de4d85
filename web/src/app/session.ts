//! Who is signed in, and what this portal is: read once at start, changed by sign-in, sign-out and the settings page.
import { create } from "zustand";
import { api, whenSignedOut } from "@/api/client";
import type { Bootstrap, Me, Settings } from "@/api/types";
import { currentLanguage, setLanguage } from "@/lib/i18n";
import { useTheme } from "@/lib/theme";

type Session = { portal: Bootstrap; me: Me | null; /** How the last session of this page ended: signed out here, or ended by the portal. */ left: "here" | "elsewhere" | null };

const UNKNOWN: Bootstrap = {
  version: "",
  setup_needed: false,
  me: null,
  brand: { name: "Portico" },
  model_count: 0,
  max_body_bytes: 0,
  daily_token_limit: null,
  local_engine: false,
};

export const useSession = create<Session>(() => ({ portal: UNKNOWN, me: null, left: null }));

/** Reads the portal's facts and the signed-in person; throws when the portal does not answer. */
export async function bootstrap() {
  const portal = await api.get<Bootstrap>("/api/bootstrap");
  useSession.setState({ portal });
  if (portal.me) await signedIn(portal.me);
  document.title = portal.brand.name;
  whenSignedOut(() => signedOut());
}

/** After setup, sign-in or joining: the answer of those requests is `Me`. Follows the person's own language and theme. */
export async function signedIn(me: Me) {
  useSession.setState((state) => ({ me, left: null, portal: { ...state.portal, setup_needed: false } }));
  if (me.settings.theme && me.settings.theme !== useTheme.getState().theme) useTheme.getState().setTheme(me.settings.theme);
  if (me.language && me.language !== currentLanguage()) await setLanguage(me.language);
}

/** Forgets the person; main.tsx then leaves for the sign-in page and forgets what was read in their name. */
export function signedOut(left: "here" | "elsewhere" = "elsewhere") {
  if (useSession.getState().me === null) return;
  useSession.setState({ me: null, left });
}

export async function signOut() {
  await api.delete("/api/session");
  signedOut("here");
}

/** Changes the person's settings key by key (null deletes one) and keeps the page in step. */
export async function changeMe(change: { display_name?: string; language?: Me["language"]; settings?: { [K in keyof Settings]: Settings[K] | null } }) {
  const me = await api.patch<Me>("/api/me", change);
  await signedIn(me);
  return me;
}

let lastPerson: Me | null = null;
useSession.subscribe(({ me }) => {
  if (me !== null) lastPerson = me;
});

/** The signed-in person. On the way out, until the router has left the page, still the one who was. */
export function useMe(): Me {
  const me = useSession((state) => state.me) ?? lastPerson;
  if (me === null) throw new Error("this part of the page is only drawn for a signed-in person");
  return me;
}

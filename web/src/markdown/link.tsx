//! A link in an answer: asks before it leaves this site, and says where it leads.
import { type MouseEvent, type ReactNode, Suspense, lazy, useState } from "react";
import { safeLink } from "@/markdown/safety";

const LeaveDialog = lazy(() => import("@/markdown/leave-dialog"));

export function Anchor({ href, children }: { href: string | undefined; children?: ReactNode }) {
  const [asking, setAsking] = useState(false);
  const url = safeLink(href);
  if (href?.startsWith("#")) return <a href={href}>{children}</a>;
  if (!url) return <span className="underline decoration-dotted underline-offset-4">{children}</span>;
  const own = url.origin === location.origin;
  const ask = (event: MouseEvent) => {
    if (own) return;
    event.preventDefault();
    setAsking(true);
  };
  return (
    <>
      <a href={url.href} target="_blank" rel="noopener noreferrer nofollow" onClick={ask} onAuxClick={ask}>
        {children}
      </a>
      {asking ? (
        <Suspense>
          <LeaveDialog url={url.href} onClose={() => setAsking(false)} />
        </Suspense>
      ) : null}
    </>
  );
}

//! A fenced block of code. Mermaid becomes a diagram once it is whole; everything else stays in its frame.
import { Suspense, lazy } from "react";
import { useIsCodeFenceIncomplete } from "streamdown";
import { CodeFrame } from "@/markdown/code-frame";

const Diagram = lazy(() => import("@/markdown/diagram"));

export function CodeBlock({ code, language }: { code: string; language: string }) {
  const incomplete = useIsCodeFenceIncomplete();
  if (language === "mermaid" && !incomplete) {
    return (
      <Suspense fallback={<CodeFrame code={code} language={language} incomplete />}>
        <Diagram code={code} />
      </Suspense>
    );
  }
  return <CodeFrame code={code} language={language} incomplete={incomplete} />;
}

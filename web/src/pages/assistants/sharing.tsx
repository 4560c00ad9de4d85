//! With whom an assistant is shared. Administrators decide that; everybody else keeps their own, or hands on its file.
import { useMutation } from "@tanstack/react-query";
import type { Assistant, Shared } from "@/api/assistants";
import { useMe } from "@/app/session";
import { useT } from "@/lib/i18n";
import { bad, share } from "@/pages/assistants/data";
import { Card, Row, Section } from "@/ui/page";
import { Segmented } from "@/ui/tabs";

export function Sharing({ assistant }: { assistant: Assistant }) {
  const t = useT("assistants");
  const may = useMe().role !== "member";
  const change = useMutation({ mutationFn: (shared: Shared) => share(assistant.id, shared), onError: bad });
  // Shown at once; the portal's answer replaces it.
  const value = change.isPending ? change.variables : assistant.shared;
  return (
    <Section title={t("sharing")}>
      <Card>
        {may ? (
          <Row title={t("who_asks")} description={t(`shared_text.${value}`)}>
            <div className="max-w-full overflow-x-auto">
              <Segmented<Shared>
                label={t("who_asks")}
                value={value}
                onChange={(shared) => change.mutate(shared)}
                options={[
                  { id: "nobody", label: t("shared.nobody") },
                  { id: "administrators", label: t("shared.administrators") },
                  { id: "everyone", label: t("shared.everyone") },
                ]}
              />
            </div>
          </Row>
        ) : (
          <Row title={t("shared.nobody")} description={t("shared_text.member")} />
        )}
      </Card>
    </Section>
  );
}

//! Language, theme, typing animation, the model a new conversation begins with.
import { Monitor, Moon, Sun } from "lucide-react";
import { useMe } from "@/app/session";
import { forChat, useModels } from "@/chat/models";
import { LANGUAGES, setLanguage, useLanguage, useT } from "@/lib/i18n";
import { useTheme } from "@/lib/theme";
import { saveNow } from "@/pages/account/settings/save";
import { Select, Switch } from "@/ui/input";
import { Card, Row } from "@/ui/page";
import { Segmented } from "@/ui/tabs";
import type { Language, Theme } from "@/api/types";

export function GeneralSettings() {
  const t = useT("account");
  const c = useT("common");
  const me = useMe();
  const language = useLanguage();
  const { theme, setTheme } = useTheme();
  const { data } = useModels();
  const models = forChat(data?.models);
  const chosen = me.settings.default_model ?? "";
  const missing = chosen !== "" && data !== undefined && !models.some((model) => model.id === chosen);

  const changeLanguage = async (next: Language) => {
    await setLanguage(next);
    await saveNow({ language: next });
  };
  const changeTheme = (next: Theme) => {
    setTheme(next);
    void saveNow({ settings: { theme: next } });
  };

  return (
    <Card>
      <Row title={c("language")}>
        <Select aria-label={c("language")} value={language} onChange={(event) => void changeLanguage(event.target.value as Language)} className="max-w-44">
          {LANGUAGES.map((one) => (
            <option key={one.id} value={one.id} lang={one.id}>
              {one.name}
            </option>
          ))}
        </Select>
      </Row>
      <Row title={c("theme")}>
        <Segmented
          label={c("theme")}
          value={theme}
          onChange={changeTheme}
          options={[
            { id: "system", label: c("theme.system"), icon: <Monitor /> },
            { id: "light", label: c("theme.light"), icon: <Sun /> },
            { id: "dark", label: c("theme.dark"), icon: <Moon /> },
          ]}
        />
      </Row>
      <Row title={t("general.typing")} description={t("general.typing_text")}>
        <Switch
          label={t("general.typing")}
          checked={me.settings.typing_animation !== false}
          onChange={(on) => void saveNow({ settings: { typing_animation: on ? null : false } })}
        />
      </Row>
      <Row title={t("general.model")} description={t("general.model_text")}>
        <Select
          aria-label={t("general.model")}
          value={chosen}
          onChange={(event) => void saveNow({ settings: { default_model: event.target.value || null } })}
          className="max-w-64"
        >
          <option value="">{t("general.model_portal")}</option>
          {models.map((model) => (
            <option key={model.id} value={model.id}>
              {`${model.name} · ${model.provider_name}`}
            </option>
          ))}
          {missing ? <option value={chosen}>{t("general.model_missing", { model: chosen })}</option> : null}
        </Select>
      </Row>
    </Card>
  );
}

//! The mock's routes for one person and for the administration.

const now = Date.now();

export function accountRoutes(state) {
  return [
    ["POST", /^\/api\/session$/, (_, __, body) => {
      if (body.password === "wrong") return { status: 401, body: { code: "wrong_credentials", message: "wrong", status: 401 } };
      state.signedIn = true;
      return state.me;
    }],
    ["DELETE", /^\/api\/session$/, () => void (state.signedIn = false)],
    ["POST", /^\/api\/setup$/, (_, __, body) => {
      state.setupNeeded = false;
      state.signedIn = true;
      return Object.assign(state.me, { name: body.name, display_name: body.display_name, language: body.language });
    }],
    ["PATCH", /^\/api\/me$/, (_, __, body) => {
      const { settings, ...rest } = body;
      Object.assign(state.me, rest);
      for (const [key, value] of Object.entries(settings ?? {})) {
        if (value === null) delete state.me.settings[key];
        else state.me.settings[key] = value;
      }
      return state.me;
    }],
    ["GET", /^\/api\/me\/usage$/, () => ({ day: new Date(now).toISOString().slice(0, 10), used: 18230, limit: 200000, resets_at: now + 6 * 3_600_000 })],
  ];
}

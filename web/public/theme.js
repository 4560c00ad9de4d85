// Sets theme and language before the first paint, so that a dark room sees no white flash. A file, not an inline script: the CSP forbids those.
(function () {
  var root = document.documentElement;
  var theme = "system";
  try {
    theme = localStorage.getItem("portico.theme") || "system";
    root.lang = localStorage.getItem("portico.language") || (/^zh/i.test(navigator.language) ? "zh-CN" : "en");
  } catch {
    root.lang = /^zh/i.test(navigator.language) ? "zh-CN" : "en";
  }
  var dark = theme === "dark" || (theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  root.classList.toggle("dark", dark);
})();

// Runs before the page is painted, so that it does not flash in the other theme.
(() => {
  try {
    const chosen = localStorage.getItem("lambent.theme");
    if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  } catch {
    // Storage may be disabled; the theme is that of the system then.
  }
})();

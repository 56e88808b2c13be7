// theme.js applies the remembered theme before the first paint: an ordinary script
// in the head. "auto" follows the system.
(() => {
  const key = "tocsin.theme";
  const names = ["auto", "light", "dark"];
  const get = () => {
    const name = localStorage.getItem(key);
    return names.includes(name) ? name : "auto";
  };
  const set = (name) => {
    localStorage.setItem(key, name);
    document.documentElement.dataset.theme = name;
  };
  document.documentElement.dataset.theme = get();
  window.tocsinTheme = { get, next: () => set(names[(names.indexOf(get()) + 1) % names.length]) };
})();

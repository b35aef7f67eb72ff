// The three tabs: arrow keys, Home and End; the address names the one that is open.

const tabs = [...document.querySelectorAll("[role=tab]")];

export function start(onOpen) {
  for (const tab of tabs) {
    tab.addEventListener("click", () => open(tab, onOpen));
    tab.addEventListener("keydown", (event) => {
      const at = tabs.indexOf(tab);
      const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      const next = tabs[(to + tabs.length) % tabs.length];
      open(next, onOpen);
      next.focus();
    });
  }
  const named = tabs.find((tab) => `#${tab.getAttribute("aria-controls")}` === location.hash);
  open(named ?? tabs[0], onOpen);
}

/** The name of the panel that is seen. */
export function opened() {
  return tabs.find((tab) => tab.getAttribute("aria-selected") === "true").getAttribute("aria-controls");
}

function open(chosen, onOpen) {
  for (const tab of tabs) {
    const isChosen = tab === chosen;
    tab.setAttribute("aria-selected", isChosen);
    tab.tabIndex = isChosen ? 0 : -1;
    document.getElementById(tab.getAttribute("aria-controls")).hidden = !isChosen;
  }
  const name = chosen.getAttribute("aria-controls");
  history.replaceState(null, "", `#${name}`);
  onOpen(name);
}

"use strict";
(() => {
  const tools = document.querySelector(".tools");
  const words = tools.querySelector("input");
  const open = tools.querySelector("button");
  const edits = [...document.querySelectorAll("details.edit")].map((element) => [element, null]);
  const sections = [...document.querySelectorAll("main section")];
  const nothing = document.querySelector("#nothing");
  tools.hidden = false;
  const search = () => {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    let any = false;
    for (const edit of edits) {
      edit[1] ??= edit[0].textContent.toLowerCase();
      const fits = wanted.every((word) => edit[1].includes(word));
      edit[0].classList.toggle("hidden", !fits);
      any ||= fits;
    }
    for (const section of sections) {
      section.classList.toggle("hidden", !section.querySelector("details.edit:not(.hidden)"));
    }
    if (nothing) nothing.classList.toggle("hidden", any);
  };
  words.addEventListener("input", search);
  open.addEventListener("click", () => {
    const opens = open.dataset.open !== "yes";
    open.dataset.open = opens ? "yes" : "no";
    open.textContent = opens ? "Close all" : "Open all";
    for (const [element] of edits) element.open = opens;
  });
  document.querySelector(".bar form").addEventListener("submit", (event) => event.preventDefault());
  const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
  if (target && "open" in target) target.open = true;
})();

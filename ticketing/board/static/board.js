// Keeps an open page fresh without taking a form out of anybody's hands: parts
// marked data-live are fetched anew when orders changed, and every few seconds
// where readings are shown (data-poll). The pages work without it.

const busy = () => {
  const el = document.activeElement;
  if (el && el.closest("form") && el.matches("input:not([type=hidden]), textarea, select")) return true;
  if (document.querySelector("main .act[open]")) return true;
  return [...document.querySelectorAll("main textarea, main input:not([type=hidden])")].some(
    (f) => f.type !== "search" && f.type !== "checkbox" && f.value !== f.defaultValue,
  );
};

let running = false;
let again = false;

async function refresh() {
  if (busy() || document.hidden) { again = true; return; }
  if (running) { again = true; return; }
  running = true;
  again = false;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok || answer.redirected) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (busy()) { again = true; return; }
    const open = [...document.querySelectorAll("main details")].map((d) => d.open);
    for (const part of document.querySelectorAll("[data-live]")) {
      const next = fresh.getElementById(part.id);
      if (next && next.innerHTML !== part.innerHTML) part.replaceChildren(...next.childNodes);
    }
    const details = [...document.querySelectorAll("main details")];
    if (details.length === open.length) details.forEach((d, i) => { d.open = open[i]; });
  } catch {
    // The connection is away; the next round tries again.
  } finally {
    running = false;
  }
}

if (document.querySelector("main") && !document.body.classList.contains("page-login")) {
  new EventSource("/events").addEventListener("orders", refresh);
  const poll = Number(document.querySelector("[data-poll]")?.dataset.poll ?? 30);
  setInterval(refresh, poll * 1000);
  document.addEventListener("visibilitychange", () => { if (!document.hidden && again) refresh(); });
}

// A choice of a filter is sent at once.
document.addEventListener("change", (e) => {
  if (e.target.matches("[data-submit]")) e.target.form.requestSubmit();
});

// A form is sent once, however often it is tapped.
document.addEventListener("submit", (e) => {
  if (e.target.dataset.sent) { e.preventDefault(); return; }
  if (e.target.method === "post") e.target.dataset.sent = "1";
});

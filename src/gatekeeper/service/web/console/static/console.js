// What the pages do beyond links and forms: choosing in the inbox by keyboard, and passkeys.
// Everything but passkeys works without this file.
"use strict";

(() => {
  // --- choosing: j and k move, x chooses, a approves, d goes to the reason for a denial, o opens.
  // A filter swaps the list for another, so nothing is kept of it here: it is looked up at each event.
  const list = () => document.querySelector("form[data-choose]");
  const boxes = (place) => [...place.querySelectorAll("input[data-pick]")];
  const shown = (form) => boxes(form).filter((box) => !box.closest("details:not([open])"));
  let at = -1;

  const count = () => {
    const form = list();
    if (!form) return;
    const most = Number(form.dataset.most);
    const chosen = boxes(form).filter((box) => box.checked).length;
    const said = form.querySelector("[data-said]");
    if (said) said.textContent = chosen === 0 ? "None chosen" : chosen > most ? `${chosen} chosen, ${most} at most` : `${chosen} chosen`;
    for (const act of form.querySelectorAll("[data-on-chosen]")) act.disabled = chosen === 0 || chosen > most;
    for (const all of form.querySelectorAll("input[data-pick-all]")) {
      const own = boxes(all.closest("[data-group]"));
      const on = own.filter((box) => box.checked).length;
      all.checked = on > 0 && on === own.length;
      all.indeterminate = on > 0 && on < own.length;
    }
  };
  const prepare = () => {
    for (const one of document.querySelectorAll("[data-needs-script]")) one.hidden = false;
    at = -1;
    count();
  };
  const go = (form, step) => {
    const rows = shown(form);
    if (rows.length === 0) return;
    at = Math.max(0, Math.min(rows.length - 1, at + step));
    for (const row of form.querySelectorAll(".at")) row.classList.remove("at");
    const row = rows[at].closest("[data-row]");
    row.classList.add("at");
    rows[at].focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
  };

  document.addEventListener("change", (event) => {
    if (event.target.matches("input[data-pick-all]"))
      for (const box of boxes(event.target.closest("[data-group]"))) if (!box.disabled) box.checked = event.target.checked;
    if (event.target.matches("input[data-pick], input[data-pick-all]")) count();
  });
  document.addEventListener("focusin", (event) => {
    if (event.target.matches("form[data-choose] input[data-pick]")) at = shown(list()).indexOf(event.target);
  });
  document.addEventListener("keydown", (event) => {
    const form = list();
    if (!form || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.matches("textarea, select, input:not([type=checkbox])")) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const box = shown(form)[at];
    const act = {
      j: () => go(form, 1),
      k: () => go(form, -1),
      x: () => { if (box && !box.disabled) { box.checked = !box.checked; count(); } },
      o: () => box?.closest("[data-row]").querySelector("a")?.click(),
      a: () => form.querySelector("button[value=approve]:not(:disabled)")?.click(),
      d: () => form.querySelector("input[name=reason], textarea[name=reason]")?.focus(),
    }[event.key];
    if (act) { event.preventDefault(); act(); }
  });
  document.addEventListener("htmx:afterSettle", prepare);
  prepare();

  // --- passkeys
  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const unpacked = (options) => {
    const own = { ...options, challenge: bytes(options.challenge) };
    if (options.user) own.user = { ...options.user, id: bytes(options.user.id) };
    for (const list of ["allowCredentials", "excludeCredentials"])
      if (options[list]) own[list] = options[list].map((one) => ({ ...one, id: bytes(one.id) }));
    return own;
  };
  const packed = (made) => {
    const response = { clientDataJSON: text(made.response.clientDataJSON) };
    for (const part of ["attestationObject", "authenticatorData", "signature", "userHandle"])
      if (made.response[part]) response[part] = text(made.response[part]);
    return { id: made.id, rawId: text(made.rawId), type: made.type, response, clientExtensionResults: {} };
  };

  for (const passkey of document.querySelectorAll("form[data-passkey]")) {
    const problem = passkey.querySelector("[data-problem]");
    passkey.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (!passkey.reportValidity()) return;
      const button = passkey.querySelector("button[type=submit], button:not([type])");
      button.disabled = true;
      problem.hidden = true;
      try {
        const publicKey = unpacked(JSON.parse(passkey.dataset.options));
        const made = passkey.dataset.passkey === "create"
          ? await navigator.credentials.create({ publicKey })
          : await navigator.credentials.get({ publicKey });
        passkey.elements.credential.value = JSON.stringify(packed(made));
        passkey.submit();
      } catch (error) {
        problem.hidden = false;
        problem.querySelector("[data-words]").textContent = error.name === "InvalidStateError"
          ? "This authenticator has a passkey for you already."
          : "Your browser confirmed nothing: it was cancelled, or took too long. Nothing was changed.";
        button.disabled = false;
        button.focus();
      }
    });
  }

  // --- small things
  for (const print of document.querySelectorAll("[data-print]")) print.addEventListener("click", () => window.print());
})();

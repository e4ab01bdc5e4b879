"use strict";

// Launch a command on the object its button names, then follow its workflow until it ends.

const PAUSE_MS = 1500;
const HEADERS = { "Content-Type": "application/json" };

const isOver = (status) => status === "Complete" || /^(Failed|Killed)/.test(status);

function say(button, text, kind) {
  const line = button.closest("[data-launches]").querySelector("[role=status]");
  line.textContent = text;
  line.className = kind || "";
}

async function follow(button, workflow) {
  const address = `/data/workflows/${encodeURIComponent(workflow)}?format=json`;
  for (;;) {
    const answer = await fetch(address, { credentials: "same-origin" });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const fields = (await answer.json()).items[0].data_fields;
    const status = fields.status || "Queued";
    if (isOver(status)) return { status, details: fields.details || "" };
    say(button, `${button.textContent}: ${status} …`);
    await new Promise((done) => setTimeout(done, PAUSE_MS));
  }
}

// What every change of a browser carries in its query: the token of this login.
async function token() {
  const answer = await fetch("/data/JSESSION?CSRF=true", { credentials: "same-origin" });
  const found = /XNAT_CSRF=([0-9a-f-]+)/.exec(answer.ok ? await answer.text() : "");
  if (!found) throw new Error("signed out");
  return found[1];
}

async function launch(button) {
  button.disabled = true;
  say(button, `${button.textContent}: sending …`);
  try {
    const answer = await fetch(`${button.dataset.address}?XNAT_CSRF=${await token()}`, {
      method: "POST",
      credentials: "same-origin",
      headers: HEADERS,
      body: JSON.stringify({ [button.dataset.root]: button.dataset.target }),
    });
    const report = await answer.json();
    if (report.status !== "success") throw new Error(report.message || "not accepted");
    if (!/^\d+$/.test(report["workflow-id"])) return say(button, `${button.textContent}: queued`);
    const end = await follow(button, report["workflow-id"]);
    const good = end.status === "Complete";
    say(button, `${button.textContent}: ${end.status}${end.details ? " – " + end.details : ""}`, good ? "good" : "bad");
    if (good) setTimeout(() => window.location.reload(), 800);
  } catch (error) {
    say(button, `${button.textContent}: ${error.message}`, "bad");
  } finally {
    button.disabled = false;
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-address]");
  if (button) launch(button);
});

// The verdicts of de-facing above the scan table of a session page. Texts go in as text, never as HTML.
(function () {
  "use strict";
  var place = document.getElementById("lethe-status");
  if (!place || place.dataset.done) return;
  place.dataset.done = "yes";
  var root = place.dataset.root.replace(/\/+$/, "");
  var type = "lethe:defaceQcData";
  var columns = ["scan_id", "verdict", "auto_verdict"].map(function (name) { return type + "/" + name; });
  var address = root + "/data/experiments/" + encodeURIComponent(place.dataset.session) +
    "/assessors?format=json&xsiType=" + type + "&columns=" + encodeURIComponent("label," + columns.join(","));

  function value(row, name) {
    return row[type + "/" + name] || row[(type + "/" + name).toLowerCase()] || row[name] || "";
  }

  fetch(address, { credentials: "same-origin", headers: { Accept: "application/json" } })
    .then(function (answer) {
      var json = (answer.headers.get("Content-Type") || "").indexOf("json") >= 0;
      return answer.ok && json ? answer.json() : null;
    })
    .then(function (body) {
      var rows = body ? body.ResultSet.Result : [];
      if (!rows.length) return;
      var words = rows.map(function (row) {
        return "scan " + value(row, "scan_id") + ": " + (value(row, "verdict") || value(row, "auto_verdict"));
      });
      place.textContent = "De-facing: " + words.join(", ");
      place.hidden = false;
    })
    .catch(function () { place.hidden = true; });
})();

// A link from XNAT's settings pages to the dashboard: of the project where there is one, else of all.
(function () {
  "use strict";
  var source = document.currentScript ? document.currentScript.src : "";
  var app = source ? source.replace(/xnat\/settings\.js.*$/, "index.html") : "../lethe/index.html";
  var data = (window.XNAT && window.XNAT.data && window.XNAT.data.context) || {};
  var project = data.projectID || data.project || new URLSearchParams(location.search).get("id") || "";
  var place = document.getElementById("lethe-project-settings") || document.getElementById("lethe-site-settings");
  if (!place || place.firstChild) return;
  var link = document.createElement("a");
  link.className = "btn";
  link.textContent = "Open the dashboard";
  link.href = app + (place.id === "lethe-project-settings" && project ? "#/c/" + encodeURIComponent(project) + "/people" : "");
  place.appendChild(link);
})();

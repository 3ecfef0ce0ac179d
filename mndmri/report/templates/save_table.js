"use strict";
// Hands a table over as a tab-separated file; what is empty is n/a.
function saveTable(name, header, rows) {
  const cell = (value) => String(value).replace(/\s+/g, " ").trim() || "n/a";
  const text = [header, ...rows].map((row) => row.map(cell).join("\t")).join("\n") + "\n";
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/tab-separated-values" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

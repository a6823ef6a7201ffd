// Comma-separated values, as RFC 4180 has them.

const quoted = (v) => {
  const s = v === null || v === undefined ? "" : String(v);
  return /[",\r\n]/.test(s) ? `"${s.replaceAll('"', '""')}"` : s;
};

/** Rows of cells as text. */
export const toCSV = (rows) => rows.map((r) => r.map(quoted).join(",")).join("\r\n") + "\r\n";

/** Yields the rows of a text, each an array of cells. */
export function* fromCSV(text) {
  let row = [], cell = "", inside = false;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (inside) {
      if (c !== '"') cell += c;
      else if (text[i + 1] === '"') { cell += c; i++; } else inside = false;
    } else if (c === '"' && cell === "") inside = true;
    else if (c === ",") { row.push(cell); cell = ""; }
    else if (c === "\n") {
      row.push(cell.endsWith("\r") ? cell.slice(0, -1) : cell);
      yield row;
      row = []; cell = "";
    } else cell += c;
  }
  if (cell !== "" || row.length) { row.push(cell); yield row; }
}

/** Has the browser save a blob, or a text, under a name. */
export function save(content, name, type = "text/csv") {
  const url = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  const a = document.createElement("a");
  a.href = url;
  a.download = name;
  document.body.append(a);
  a.click();
  a.remove();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}

"use strict";
// Click on a column's head: sort each body of the table by it.
for (const table of document.querySelectorAll("table.sortable")) {
  table.querySelectorAll("thead th").forEach((head, column) => {
    let rising = false;
    head.tabIndex = 0;
    const sort = () => {
      rising = !rising;
      const value = (row) => {
        const cell = row.cells[column];
        return cell ? (cell.dataset.v !== undefined ? Number(cell.dataset.v) : cell.textContent) : "";
      };
      for (const body of table.tBodies) {
        const rows = [...body.rows].filter((row) => !row.classList.contains("group"));
        rows.sort((a, b) => {
          const [x, y] = [value(a), value(b)];
          const order = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y));
          return rising ? order : -order;
        });
        body.append(...rows);
      }
    };
    head.addEventListener("click", sort);
    head.addEventListener("keydown", (event) => { if (event.key === "Enter") sort(); });
  });
}
// Click on a picture: see it as large as the window.
const view = document.createElement("dialog");
const large = document.createElement("img");
view.append(large);
view.addEventListener("click", () => view.close());
document.body.append(view);
for (const image of document.querySelectorAll("figure img")) {
  image.addEventListener("click", () => { large.src = image.src; large.alt = image.alt; view.showModal(); });
}

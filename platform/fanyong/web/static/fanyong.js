// Small conveniences; every page works without them.
(function () {
  "use strict";
  document.documentElement.classList.add("js");

  function addRow(group) {
    var list = group.querySelector(":scope > [data-rows-list]");
    var blank = group.querySelector(":scope > template[data-rows-blank]");
    var index = Number(group.dataset.next);
    group.dataset.next = String(index + 1);
    var holder = document.createElement("template");
    // The blanks of lists within the row have placeholders of their own, which stay.
    holder.innerHTML = blank.innerHTML.replaceAll(group.dataset.placeholder, String(index));
    list.append(holder.content);
    var first = list.lastElementChild.querySelector("input:not([type=hidden]), select");
    if (first) first.focus();
  }

  // The server takes rows in the order in which they are sent, whatever their numbers.
  function moveRow(row, up) {
    var other = up ? row.previousElementSibling : row.nextElementSibling;
    if (!other) return;
    if (up) other.before(row);
    else other.after(row);
    changed(row);
  }

  // Whoever watches the form for typing learns of rows that came, went or moved.
  function changed(element) {
    element.dispatchEvent(new Event("change", { bubbles: true }));
  }

  document.addEventListener("click", function (event) {
    var add = event.target.closest("[data-rows-add]");
    if (add) addRow(add.closest("[data-rows]"));
    var remove = event.target.closest("[data-row-remove]");
    if (remove) {
      var list = remove.closest("[data-rows-list]");
      remove.closest("[data-row]").remove();
      changed(list);
    }
    var up = event.target.closest("[data-row-up]");
    if (up) moveRow(up.closest("[data-row]"), true);
    var down = event.target.closest("[data-row-down]");
    if (down) moveRow(down.closest("[data-row]"), false);
  });

  document.addEventListener("submit", function (event) {
    var question = event.target.dataset.confirm;
    if (question && !window.confirm(question)) {
      event.preventDefault();
      return;
    }
    // A double click must not send a form twice; the server would notice, but the answer would confuse.
    if (event.target.method === "post") {
      if (event.target.dataset.sent) event.preventDefault();
      event.target.dataset.sent = "yes";
    }
  });

  // Coming back with the browser's back button shows a page from memory, whose forms were sent.
  window.addEventListener("pageshow", function (event) {
    if (event.persisted) document.querySelectorAll("form[data-sent]").forEach(function (form) { delete form.dataset.sent; });
  });
})();

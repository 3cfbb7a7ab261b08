// Small conveniences; every page works without them.
(function () {
  "use strict";
  document.documentElement.classList.add("js");

  function addRow(group) {
    var list = group.querySelector("[data-rows-list]");
    var blank = group.querySelector("template[data-rows-blank]");
    var index = Number(group.dataset.next);
    group.dataset.next = String(index + 1);
    var holder = document.createElement("template");
    holder.innerHTML = blank.innerHTML.replaceAll("__index__", String(index));
    list.append(holder.content);
    var first = list.lastElementChild.querySelector("input:not([type=hidden]), select");
    if (first) first.focus();
  }

  document.addEventListener("click", function (event) {
    var add = event.target.closest("[data-rows-add]");
    if (add) addRow(add.closest("[data-rows]"));
    var remove = event.target.closest("[data-row-remove]");
    if (remove) remove.closest("[data-row]").remove();
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

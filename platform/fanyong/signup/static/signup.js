// Says how strong a password is while it is typed (it never leaves the page before the form is sent), and stops
// marking a field as wrong once it is changed.
(function () {
  "use strict";

  function strength(password, least) {
    if (password.length < least) return 0;
    var kinds = [/[a-z]/, /[A-Z]/, /[0-9]/, /[^A-Za-z0-9]/].filter(function (kind) { return kind.test(password); }).length;
    var different = new Set(password).size;
    if (different < 6) return 1;
    if (password.length >= 16 || (password.length >= 12 && kinds >= 3)) return 3;
    return kinds >= 2 || different >= 9 ? 2 : 1;
  }

  document.querySelectorAll("input.is-invalid").forEach(function (input) {
    input.addEventListener("input", function () {
      input.classList.remove("is-invalid");
      input.removeAttribute("aria-invalid");
      var message = document.getElementById("e-" + input.name);
      if (message) message.remove();
    });
  });

  document.querySelectorAll("input[data-strength]").forEach(function (input) {
    var meter = document.querySelector(input.dataset.strength);
    var bar = meter.querySelector(".progress-bar");
    var word = document.querySelector("[data-strength-word]");
    var words = input.dataset.words.split("|");
    var colors = ["bg-red", "bg-orange", "bg-yellow", "bg-green"];
    input.addEventListener("input", function () {
      var level = strength(input.value, Number(input.minLength));
      meter.hidden = !input.value;
      bar.className = "progress-bar " + colors[level];
      bar.style.width = (level + 1) * 25 + "%";
      bar.setAttribute("aria-valuenow", String(level));
      word.textContent = input.value ? words[level] : "";
    });
  });
})();

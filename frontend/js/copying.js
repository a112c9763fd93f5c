const SHOWN_MS = 1600;

async function copy(button) {
  const source = button.dataset.copyFrom ? document.getElementById(button.dataset.copyFrom).textContent : button.dataset.copy;
  await navigator.clipboard.writeText(source);
  button.dataset.copied = "";
  const status = document.querySelector("[data-live]");
  if (status) status.textContent = "Copied";
  setTimeout(() => {
    delete button.dataset.copied;
    if (status) status.textContent = "";
  }, SHOWN_MS);
}

export function listenForCopying() {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy], [data-copy-from]");
    if (!button) return;
    event.preventDefault();
    copy(button);
  });
}

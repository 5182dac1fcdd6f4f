// What every page has: buttons that copy a command or a link.

async function copy(text, source) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    getSelection().selectAllChildren(source); // no clipboard here: leave it selected, one key away
    return false;
  }
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  const label = button.textContent;
  button.textContent = (await copy(source.textContent, source)) ? "Copied" : "Selected";
  setTimeout(() => { button.textContent = label; }, 1500);
});

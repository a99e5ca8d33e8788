// Builds and changes nodes; used by the live page and by the console.

/** Return a node with attributes (`class`, `text` and any other) and children. */
export const element = (tag, attributes = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") node.className = value;
    else if (name === "text") node.textContent = value;
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
};

/** Set a node's text. Writes nothing if it has not changed. */
export const setText = (node, text) => { if (node.textContent !== text) node.textContent = text; };

/** Check whether the gateway offers something that not every one does; a page of an earlier release does not say. */
export const isOffered = (name) => document.body.dataset.offered?.split(" ").includes(name) ?? true;

/** An element; attributes that are functions listen, text goes in as text and is never read as markup. */
export function h(tag, attributes = {}, ...children) {
  const e = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') e.addEventListener(name, value)
    else if (value !== undefined && value !== false) e.setAttribute(name, value === true ? '' : value)
  }
  e.append(...children.flat().filter((c) => c !== undefined && c !== null && c !== false))
  return e
}

/** Puts children into parent, keeping those that are there already where they are. */
export function arrange(parent, children) {
  for (const old of [...parent.children]) if (!children.includes(old)) old.remove()
  children.forEach((child, i) => {
    if (parent.children[i] !== child) parent.insertBefore(child, parent.children[i] ?? null)
  })
}

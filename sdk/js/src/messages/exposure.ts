const moment = 1000 // ms

/**
 * Calls seen once when element has been at least half visible for a second
 * without a break, on a page that is itself visible; calls missed instead when
 * that has not happened within patience milliseconds. Returns how to stop.
 */
export function watch(element: Element, patience: number, seen: () => void, missed: () => void): () => void {
  let half = false
  let timer: ReturnType<typeof setTimeout> | undefined
  const limit = setTimeout(() => end(missed), patience)

  const look = () => {
    clearTimeout(timer)
    timer = half && document.visibilityState === 'visible' ? setTimeout(() => end(seen), moment) : undefined
  }
  const eye = new IntersectionObserver(
    (entries) => {
      const was = half
      half = entries[entries.length - 1]!.intersectionRatio >= 0.5
      if (half !== was) look()
    },
    { threshold: [0, 0.5] },
  )
  const stop = () => {
    clearTimeout(timer)
    clearTimeout(limit)
    eye.disconnect()
    document.removeEventListener('visibilitychange', look)
  }
  const end = (then: () => void) => {
    stop()
    then()
  }
  document.addEventListener('visibilitychange', look)
  eye.observe(element)
  return stop
}

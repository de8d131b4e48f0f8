// Calls made before the SDK has arrived wait here, with the place and time at
// which they were made.
window.cx = window.cx || function () {
  (window.cx.q = window.cx.q || []).push([Date.now(), location.href, document.referrer, document.title, arguments])
}

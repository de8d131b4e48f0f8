#!/usr/bin/env bash
# Makes this machine ready for the browser tests: Chromium and a Japanese font.
# Does nothing when both are present. Installs them with apt when run as root;
# otherwise says what to install and ends with 1.
set -euo pipefail

have_browser() {
  command -v "${CHROMIUM:-chromium}" >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null
}

have_japanese_font() {
  command -v fc-list >/dev/null && [ -n "$(fc-list :lang=ja family)" ]
}

missing=()
have_browser || missing+=(chromium)
have_japanese_font || missing+=(fonts-ipafont-gothic)
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "The browser tests need: ${missing[*]}. Install them (Debian: sudo apt-get install ${missing[*]}) and run this again." >&2
  exit 1
fi
echo "Installing ${missing[*]} for the browser tests"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
have_browser && have_japanese_font

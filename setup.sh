#!/bin/sh
# Installs what is missing: system tools with apt-get where that is allowed, then uv and the locked environment.
# A second time it only looks. Usage: sh setup.sh
set -eu
umask 022  # sandboxes have a user of their own, which must read the environment
cd "$(dirname "$0")"

packages=""
need() { command -v "$1" >/dev/null 2>&1 || packages="$packages $2"; }
need git git
need bwrap bubblewrap
need pdftoppm poppler-utils
need latexmk latexmk
need chktex chktex
need pdflatex texlive-latex-base
tex() { kpsewhich "$1" >/dev/null 2>&1 || packages="$packages $2"; }
tex booktabs.sty texlive-latex-recommended
tex titlesec.sty texlive-latex-extra
tex utmr8a.pfb texlive-fonts-recommended
tex algorithm.sty texlive-science  # every LaTeX template of AI-Scientist names it
# Han, kana and hangul in papers and figures; every other letter comes with matplotlib or TeX
[ -e /usr/share/fonts-droid-fallback/truetype/DroidSansFallback.ttf ] || packages="$packages fonts-droid-fallback"

if [ -n "$packages" ]; then
    line="apt-get install -y --no-install-recommends$packages"
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "setup: install these with your system's package manager, then run the same command again:$packages" >&2
        exit 1
    elif [ "$(id -u)" = 0 ]; then as_root=""
    elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then as_root="sudo"
    else
        echo "setup: run this once, then the same command again:  sudo $line" >&2
        exit 1
    fi
    echo "setup: $line"
    $as_root apt-get update -q >/dev/null
    DEBIAN_FRONTEND=noninteractive $as_root $line >/dev/null
fi

stamp=.venv/ready
lock=$(sha256sum uv.lock pyproject.toml | sha256sum | cut -c1-16)
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$lock" ] && .venv/bin/python -c '' 2>/dev/null; then
    exit 0
fi

uv=$(command -v uv || true)
for place in "$HOME/.local/bin/uv" .tools/bin/uv; do
    [ -z "$uv" ] && [ -x "$place" ] && uv=$place
done
if [ -z "$uv" ] || ! "$uv" --version >/dev/null 2>&1; then
    echo "setup: installing uv into .tools/"
    if ! python3 -m venv .tools 2>/dev/null; then
        if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
            apt-get update -q >/dev/null
            DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends python3-venv >/dev/null
            python3 -m venv .tools
        else
            echo "setup: python3 cannot make a virtual environment; run: sudo apt-get install python3-venv" >&2
            exit 1
        fi
    fi
    .tools/bin/pip install -q uv
    uv=.tools/bin/uv
fi
echo "setup: installing the locked environment into .venv/ (some minutes the first time)"
# a network with certificates of its own: the system knows them, uv's bundled list does not
"$uv" sync --frozen --quiet 2>/dev/null || UV_NATIVE_TLS=1 UV_SYSTEM_CERTS=1 "$uv" sync --frozen --quiet
echo "$lock" > "$stamp"
echo "setup: done"

#!/bin/sh
# Sets this checkout up: Python packages first, for which no root is needed, then system packages where that is allowed.
# What cannot be installed is listed with the command that does it, and with what does not work until then.
# A second time it only looks. Usage: sh setup.sh
set -eu
umask 022  # sandboxes have a user of their own, which must read the environment
cd "$(dirname "$0")"
log=.tools/setup.log
mkdir -p .tools

# Runs a command, and shows that it is alive: its own progress on a terminal, else a line every 15 seconds.
# What it prints is kept in $log, of which the end is shown when it fails.
alive() {
    what=$1
    shift
    began=$(date +%s)
    "$@" >"$log" 2>&1 &
    child=$!
    waited=0
    while kill -0 "$child" 2>/dev/null; do
        sleep 1
        waited=$((waited + 1))
        now=$(($(date +%s) - began))
        shown=$(printf '%d:%02d' $((now / 60)) $((now % 60)))
        if [ -t 2 ]; then
            printf '\r\033[2Ksetup: %s, %s' "$what" "$shown" >&2
        elif [ $((waited % 15)) = 0 ]; then
            echo "setup: $what, $shown so far" >&2
        fi
    done
    if [ -t 2 ]; then printf '\r\033[2K' >&2; fi
    if ! wait "$child"; then
        tail -n 15 "$log" >&2
        return 1
    fi
}

# ---------------------------------------------------------------- Python

# Python packages as locked, into .venv/. On a terminal uv draws its own bars.
sync() {
    if [ -t 2 ]; then
        echo "setup: after the downloads their bytecode is compiled: up to a minute in which nothing moves" >&2
        "$uv" sync --frozen
    else
        alive "installing Python packages" "$uv" sync --frozen
    fi
}

find_uv() {
    uv=$(command -v uv || true)
    for place in "$HOME/.local/bin/uv" .tools/bin/uv .tools/uv/bin/uv; do
        if [ -z "$uv" ] && [ -x "$place" ]; then uv=$place; fi
    done
    [ -n "$uv" ] && "$uv" --version >/dev/null 2>&1
}

# uv from the ordinary package registry: in an environment of its own, else by pip alone.
get_uv() {
    if ! command -v python3 >/dev/null 2>&1; then
        echo "setup: there is no python3; install Python 3.11 or 3.12 (or uv, which brings its own), then run this again" >&2
        exit 1
    fi
    if python3 -m venv .tools >"$log" 2>&1 && .tools/bin/python -m pip --version >/dev/null 2>&1; then
        alive "installing uv into .tools/" .tools/bin/python -m pip install -q uv
    elif python3 -m pip --version >/dev/null 2>&1; then
        alive "installing uv into .tools/" python3 -m pip install -q --target .tools/uv uv
    elif can_install; then
        install python3-venv
        python3 -m venv .tools
        alive "installing uv into .tools/" .tools/bin/python -m pip install -q uv
    else
        echo "setup: this python3 has neither venv nor pip. Run:  sudo apt-get install -y python3-venv" >&2
        echo "setup: or install uv for yourself (its documentation shows how, without root). Then run this again." >&2
        exit 1
    fi
    find_uv
}

# ---------------------------------------------------------------- system packages

as_root=""
can_install() {
    command -v apt-get >/dev/null 2>&1 || return 1
    [ "$(id -u)" = 0 ] && return 0
    as_root="sudo -n"
    command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null
}
install() {
    alive "apt-get update" $as_root apt-get update -q
    alive "installing $*" $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"
}

packages=""
without=""  # what does not work until then
missing() {
    case " $packages " in *" $1 "*) ;; *) packages="$packages $1" ;; esac
}
need() { command -v "$1" >/dev/null 2>&1 || missing "$2"; }
tex() { kpsewhich "$1" >/dev/null 2>&1 || missing "$2"; }

look() {
    packages=""
    need git git
    need bwrap bubblewrap
    need pdftoppm poppler-utils
    need latexmk latexmk
    need chktex chktex
    need pdflatex texlive-latex-base
    tex booktabs.sty texlive-latex-recommended
    tex titlesec.sty texlive-latex-extra
    tex utmr8a.pfb texlive-fonts-recommended
    tex algorithm.sty texlive-science  # every LaTeX template of AI-Scientist names it
    # Han, kana and hangul in papers and figures; every other letter comes with matplotlib or TeX
    [ -e /usr/share/fonts-droid-fallback/truetype/DroidSansFallback.ttf ] || missing fonts-droid-fallback
}

# Says what is missing, what does not work without it, and the one command that installs it.
explain() {
    echo "setup: these system packages are missing, and could not be installed:$packages" >&2
    case "$packages" in *" git"*)
        echo "  without git nothing runs: a session is a repository" >&2 ;;
    esac
    case "$packages" in *bubblewrap*)
        echo "  without bubblewrap there is no sandbox. Code that a model writes does not run, unless you add" >&2
        echo "    --unsafe-no-sandbox: then nothing protects your files, keys and network from it. The code of the" >&2
        echo "    shipped recording is part of this repository, so that playing it is safe without one." >&2
        echo "    bubblewrap without root: conda install -c conda-forge bubblewrap" >&2 ;;
    esac
    case "$packages" in *tex* | *latexmk* | *poppler*)
        echo "  without TeX there is no PDF: add --no-pdf, and everything else is made; compile the paper elsewhere" >&2 ;;
    esac
    case "$packages" in *fonts-droid*)
        echo "  without fonts-droid-fallback, Chinese, Japanese and Korean letters print as their numbers" >&2 ;;
    esac
    if command -v apt-get >/dev/null 2>&1; then
        echo "setup: whoever may, runs:  sudo apt-get install -y --no-install-recommends$packages" >&2
    else
        echo "setup: install them with your system's package manager (the names are Debian's)" >&2
    fi
}

# ---------------------------------------------------------------- what is done, in its order

stamp=.venv/ready
lock=$(sha256sum uv.lock pyproject.toml | sha256sum | cut -c1-16)
if ! { [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$lock" ] && .venv/bin/python -c '' 2>/dev/null; }; then
    echo "setup: Python packages: 3.3 GB to download and 7 GB on disk in .venv/, most of it torch, whose" >&2
    echo "  builds in the package registry hold the libraries for NVIDIA cards also where no card is" >&2
    find_uv || get_uv
    # A network with certificates of its own: the system knows them, uv's bundled list does not.
    UV_SYSTEM_CERTS=1 UV_NATIVE_TLS=1 sync || sync
    echo "$lock" >"$stamp"
fi
look
if [ -n "$packages" ] && can_install; then
    install $packages || echo "setup: that failed, and set-up goes on without" >&2
    look
fi
if [ -n "$packages" ]; then
    explain
    echo "setup: the Python part is done; try  ./launch.py --doctor" >&2
fi

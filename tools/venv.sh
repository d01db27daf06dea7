#!/bin/sh
# Makes the virtual environment of the Makefile: PYTHON=python3.12 VENV=.venv sh tools/venv.sh
# If that Python cannot be used, it says what is wrong with it. NAMED=yes means that a person chose the Python.

set -u
ADVICE="Name another one: make demo PYTHON=python3.12"
PROBE='import sys; print("drf-tessera:%d.%d" % sys.version_info[:2])'

fail() {
    printf '%s\n' "$@" >&2
    exit 1
}

# The version of a Python, such as 3.12, or nothing.
read_version() {
    "$1" -c "$PROBE" 2>/dev/null | sed -n 's/^drf-tessera:\([0-9]*\.[0-9]*\)$/\1/p'
}

check_python() {
    [ -d "$PYTHON" ] && fail "$PYTHON is a folder. Name the program in it: make demo PYTHON=$PYTHON/bin/python"
    [ -f "$PYTHON" ] && [ ! -x "$PYTHON" ] && fail "$PYTHON is a file that cannot be executed. $ADVICE"
    command -v "$PYTHON" >/dev/null 2>&1 \
        || fail "There is no program $PYTHON. Install Python 3.11 or newer, or name one: make demo PYTHON=..."
    version=$(read_version "$PYTHON")
    if [ -z "$version" ]; then
        answer=$("$PYTHON" -c "$PROBE" 2>&1 | head -n 3)
        fail "$PYTHON does not work as a Python. It answers:" "  ${answer:-nothing}" "$ADVICE"
    fi
    case $version in
        2.* | 3.[0-9] | 3.10) fail "$PYTHON is Python $version, and drf-tessera needs 3.11 or newer. $ADVICE" ;;
    esac
    for module in venv ensurepip; do
        "$PYTHON" -c "import $module" >/dev/null 2>&1 || fail \
            "$PYTHON (Python $version) has no module $module, so it cannot make a virtual environment." \
            "On Debian and Ubuntu, install it: apt install python$version-venv"
    done
}

# The environment may be there already, with another Python than the one that a person has named.
if "$VENV/bin/python" -m pip --version >/dev/null 2>&1; then
    [ "${NAMED:-}" = yes ] || exit 0
    check_python
    present=$(read_version "$VENV/bin/python")
    [ "$present" = "$version" ] || fail \
        "$VENV has Python $present, and $PYTHON is Python $version. Delete $VENV first: rm -r $VENV"
    exit 0
fi
check_python
echo "Making a virtual environment in $VENV ..."
"$PYTHON" -m venv "$VENV" || fail "$PYTHON (Python $version) could not make $VENV. The reason is above."

#!/usr/bin/env bash
# Makes what packages install in target/package: the program, completions, units, the changelog.
# Usage: packaging/stage.sh [PROFILE]; then cargo deb --no-build, or cargo generate-rpm.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

profile=${1:-dist}
target=${CARGO_TARGET_DIR:-target}
cargo build --locked --profile "$profile"
stage=target/package
rm -rf "$stage"
mkdir -p "$stage/completions" "$stage/units"
cp "$target/$profile/tcplapse" "$stage/tcplapse"
for shell in bash zsh fish; do
    "$stage/tcplapse" completions "$shell" > "$stage/completions/$shell"
done
for unit in packaging/*.service; do
    # Packages install into /usr, and say nothing of adapting a path.
    sed -e 's|/usr/local/bin/|/usr/bin/|' -e '/^# Install it as/d' "$unit" \
        > "$stage/units/${unit##*/}"
done
version=$(cargo metadata --no-deps --format-version 1 --locked |
    sed 's/.*"name":"tcplapse","version":"\([^"]*\)".*/\1/')
{
    printf 'tcplapse (%s-1) unstable; urgency=medium\n\n' "$version"
    printf '  * Release %s; CHANGELOG.md beside this file says what is new.\n\n' "$version"
    printf ' -- The authors of tcplapse <tcplapse@localhost>  %s\n' "$(LC_ALL=C date -u -R -d "@$(git log -1 --format=%ct)")"
} > "$stage/changelog.Debian"

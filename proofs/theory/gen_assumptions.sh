#!/bin/sh
# Turns the output of Assumptions.v into one line per theorem: name, then "closed"
# or its axioms.  usage: gen_assumptions.sh OUTPUT < log of coqc Assumptions.v
set -eu
here=$(dirname "$0")
sed -n 's/^Print Assumptions \([A-Za-z0-9_]*\)\.$/\1/p' "$here/Assumptions.v" > "$1.names"
awk -v names="$1.names" '
  function flush() { if (have) { getline n < names; print n ": " line } have = 0 }
  /^Closed under the global context/ { flush(); have = 1; line = "closed"; next }
  /^Axioms:/ { flush(); have = 1; line = "axioms"; next }
  /^[^ \t]/ { sub(/ .*/, ""); sub(/:$/, ""); if (have) line = line " " $0 }
  END { flush(); if ((getline n < names) > 0) { print "missing: " n; exit 1 } }' > "$1"
rm -f "$1.names"

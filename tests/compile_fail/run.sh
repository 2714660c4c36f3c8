#!/usr/bin/env bash
# run.sh COMPILER FLAGS_FILE: each snippet beside this script compiles as it stands, and with MOR1E_WRONG defined fails
# with an error that matches its line `// error: REGEX`. Compiling it first shows that the wrong line alone is at fault.
# With `// first lines` in it, the error has to be among the first five lines that the compiler prints.
set -euo pipefail
compiler=$1 flags=$(realpath "$2")
cd "$(dirname "${BASH_SOURCE[0]}")"

# verdict SNIPPET: prints what is wrong with it, nothing if it behaves.
verdict() {
  local snippet=$1 expected output
  expected=$(sed -n 's|^// error: ||p' "$snippet")
  if [[ -z $expected ]]; then
    echo "no line '// error: REGEX'"
  elif ! output=$("$compiler" "@$flags" -fsyntax-only "$snippet" 2>&1); then
    printf 'does not compile as it stands:\n%s\n' "$output"
  elif output=$("$compiler" "@$flags" -fsyntax-only -DMOR1E_WRONG "$snippet" 2>&1); then
    echo "compiles, and should not"
  elif grep -q '^// first lines$' "$snippet" && ! head -5 <<<"$output" | grep -E 'error:' | grep -qE -- "$expected"; then
    printf 'does not fail with "%s" in the first five lines:\n%s\n' "$expected" "$(head -8 <<<"$output")"
  elif ! grep -E 'error:' <<<"$output" | grep -qE -- "$expected"; then
    printf 'fails with another error than "%s":\n%s\n' "$expected" "$output"
  fi
}

# The harness itself must be able to fail.
planted=$(mktemp -d)
trap 'rm -rf "$planted"' EXIT
printf '// error: deleted\nint main() {}\n' >"$planted/compiles.cpp"
printf '// error: deleted\n#ifdef MOR1E_WRONG\nint x = y;\n#endif\n' >"$planted/another.cpp"
printf '// error: deleted\nint x = y;\n' >"$planted/never.cpp"
printf '// error: late\n// first lines\n#ifdef MOR1E_WRONG\n#warning 1\n#warning 2\n#error late\n#endif\n' >"$planted/late.cpp"
for snippet in "$planted"/*.cpp; do
  if [[ -z $(verdict "$snippet") ]]; then
    echo "compile_fail: self-test: ${snippet##*/} was accepted" >&2
    exit 1
  fi
done

failed=0
for snippet in *.cpp; do
  problem=$(verdict "$snippet")
  if [[ -n $problem ]]; then
    echo "$snippet: $problem"
    failed=$((failed + 1))
  fi
done
echo "compile_fail: $failed problems"
((failed == 0))

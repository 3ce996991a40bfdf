#!/bin/sh
# A tool that says what it sees of itself and ends as it is told.
case "${1:-}" in
  pid) echo "$$" ;;
  arguments) shift; for argument in "$@"; do printf '[%s]\n' "$argument"; done ;;
  environment) env ;;
  terminals) for stream in 0 1 2; do if [ -t "$stream" ]; then echo "$stream yes"; else echo "$stream no"; fi; done ;;
  descriptors) ls "/proc/$$/fd" ;;
  exit) exit "$2" ;;
  die) kill -s "$2" "$$" ;;
  copy) cat ;;
  wait) trap 'echo interrupted; exit 42' INT; trap 'echo terminated; exit 43' TERM
        echo ready; while :; do sleep 0.05; done ;;
  *) echo "probe ran" ;;
esac

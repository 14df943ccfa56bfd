#!/bin/sh
# What `varve kv` does, as a shell has it: each action is a process of its own. $VARVE is the command, $1 a directory
# that does not exist yet. It says what differs from what is expected, and ends with the number of differences.

db=$1
differences=0

# expect CODE PATTERN ARGUMENTS...
expect() {
  code=$1
  pattern=$2
  shift 2
  got=$($VARVE kv "$db" "$@" 2>/dev/null)
  was=$?
  same=no
  # shellcheck disable=SC2254
  case $got in $pattern) same=yes ;; esac
  if [ "$was" != "$code" ] || [ $same = no ]; then
    echo "kv $*: exit code $was and '$got', not $code and '$pattern'"
    differences=$((differences + 1))
  fi
}

expect 2 '' get a
expect 0 '' set a one
expect 0 'one' get a
expect 1 '' get b
expect 0 '' set ab '2' --ttl 1h
expect 0 '3[56]??' ttl ab
expect 1 '' set a two --if-absent
expect 0 '5' increment ab 3
expect 0 'key *expires in *value*a *never *one*ab *3[56]?? s *5' store
expect 0 '{"key":"a","value":"one"}' scan a --json --limit 1
expect 0 '*keys *2*that expire *1*' stats
expect 0 '1' delete a zz
expect 0 '' export "$db.lines"
expect 0 '' clear
expect 1 '' has ab
expect 0 '' import "$db.lines"
expect 0 '5' get ab
expect 2 '' set a b --ttl soon
expect 0 '' set j '{"a":[1]}' --store json --values json
expect 2 '' set j '{' --store json

exit "$differences"

#!/bin/sh
# Builds the programs of a Kubernetes cluster from Go modules, once per machine.
#
#   e2e/build.sh [TOOL...]      TOOL: kubernetes etcd kwok prometheus helm cluster (default: these), and for a
#                               real node: kubelet containerd cni coredns metrics-server; for the tests of
#                               artifact stores: versitygw distribution fake-gcs-server; a gateway: traefik
#
#   e2e/build.sh --check [TOOL...]   builds nothing; exit status 3 when one of them would have to be built
#
# stdout: one line per program, "NAME PATH"; everything for people goes to stderr.
# The binaries lie in ${XDG_CACHE_HOME:-~/.cache}/foresail/bin/TOOL-HASH, where HASH covers go.mod,
# go.sum, the flags and the version of Go, so that every clone on the machine shares them and a
# changed lock file never meets an old binary.
#
# KUBEBUILDER_ASSETS: kube-apiserver, etcd and kubectl are taken from there and not built.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/foresail
assets=${KUBEBUILDER_ASSETS:-}
fromassets=''
[ -z "$assets" ] || fromassets='kube-apiserver etcd kubectl'

say() { printf '%s\n' "$*" >&2; }
die() { say "foresail: $*"; exit 1; }

# --- Go, 1.26 or newer, and never one that Go itself would download ------------------------------
export GOTOOLCHAIN=local CGO_ENABLED=0 GOFLAGS='-mod=readonly -buildvcs=false' GOWORK=off
command -v go >/dev/null 2>&1 ||
  die 'Go 1.26 or newer is needed to build Kubernetes, and no "go" is on PATH (https://go.dev/dl)'
# Asked outside of any module: a go.mod that wants a newer Go must not hide the answer.
goversion=$(cd / && go env GOVERSION GOOS GOARCH | tr '\n' ' ')
minor=$(printf '%s' "$goversion" | sed -n 's/^go1\.\([0-9]*\).*/\1/p')
[ "${minor:-0}" -ge 26 ] || die "Go 1.26 or newer is needed to build Kubernetes, $(command -v go) is ${goversion%% *}"

# --- what each tool is made of ------------------------------------------------------------------
# version MODULE TOOL: the version that the tool's lock file requires, without the v.
version() { sed -n "s#^.*[[:space:]]$1 v\([0-9][^ ]*\).*#\1#p" "$here/tools/$2/go.mod" | head -n 1; }

# describe TOOL: sets dir (module folder), packages, programs, ldflags, tags, target.
describe() {
  describe_all "$1"
  # With the caller's API server only the rest is built, unless all of it stands already.
  if [ "$1" = kubernetes ] && [ -n "$assets" ] && ! stands; then
    programs='kube-controller-manager kube-scheduler'
    packages='k8s.io/kubernetes/cmd/kube-controller-manager k8s.io/kubernetes/cmd/kube-scheduler'
    locate "$1"
  fi
}

describe_all() {
  dir=$here/tools/$1 packages=tool programs=$1 ldflags='-s -w' tags=''
  case $1 in
  kubernetes | kubelet)
    v=$(version k8s.io/kubernetes "$1")
    programs='kube-apiserver kube-controller-manager kube-scheduler kubectl'
    [ "$1" = kubernetes ] || programs='kubelet kube-proxy'
    major=${v%%.*} rest=${v#*.}
    # Without these a binary calls itself v0.0.0-master, and kubectl refuses to compare versions.
    for p in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
      ldflags="$ldflags -X $p.gitVersion=v$v -X $p.gitMajor=$major -X $p.gitMinor=${rest%%.*} -X $p.gitTreeState=clean"
    done ;;
  etcd) ;;
  kwok) ldflags="$ldflags -X sigs.k8s.io/kwok/pkg/consts.Version=v$(version sigs.k8s.io/kwok kwok)" ;;
  prometheus)
    programs='prometheus promtool'
    # The library's v0.3NN.P is Prometheus 3.NN.P.
    v=$(version github.com/prometheus/prometheus prometheus | sed 's/^0\.3\([0-9]*\)\./3.\1./; s/^3\.0\([0-9]\)/3.\1/')
    ldflags="$ldflags -X github.com/prometheus/common/version.Version=$v"
    # Only static and file targets are ever scraped here; the service discoveries of all clouds are
    # most of the build.
    tags=remove_all_sd ;;
  helm) ldflags="$ldflags -X helm.sh/helm/v4/internal/version.version=v$(version helm.sh/helm/v4 helm)" ;;
  containerd)
    programs='containerd containerd-shim-runc-v2 ctr'
    ldflags="$ldflags -X github.com/containerd/containerd/v2/version.Version=v$(version github.com/containerd/containerd/v2 containerd)" ;;
  cni) programs='ptp host-local portmap loopback' ;;
  coredns) packages=. ;; # tools/coredns/main.go
  metrics-server | versitygw | fake-gcs-server) ;;
  distribution) packages=. ;; # tools/distribution/main.go
  traefik) ldflags="$ldflags -X github.com/traefik/traefik/v3/pkg/version.Version=$(version github.com/traefik/traefik/v3 traefik)" ;;
  cluster) dir=$here/cluster packages=. programs=foresail-cluster ;;
  serve-load) dir=$here/bench/serve/load packages=. ;;
  *) die "unknown tool \"$1\"; known: kubernetes etcd kwok prometheus helm cluster kubelet containerd cni coredns metrics-server versitygw distribution fake-gcs-server traefik" ;;
  esac
  locate "$1"
}

# locate TOOL: where the build that was described belongs.
locate() {
  hash=$(
    cd "$dir"
    {
      cat go.mod
      [ ! -f go.sum ] || cat go.sum
      find . \( -name '*.go' -o -name '*.yaml' \) ! -name '*_test.go' | LC_ALL=C sort | xargs cat
      printf '%s\n' "$packages|$ldflags|$tags|$goversion|$GOFLAGS"
    } | sha256sum | cut -c1-16
  )
  target=$cache/bin/$1-$hash
}

stands() { for p in $programs; do [ -x "$target/$p" ] || return 1; done; }

# --- progress: a line that moves on a terminal, one every 15 seconds elsewhere --------------------
progress() { # progress PID LABEL LOG TOTAL
  begun=$(date +%s) last=0 every=15
  [ ! -t 2 ] || every=1
  while kill -0 "$1" 2>/dev/null; do
    sleep 0.5
    elapsed=$(($(date +%s) - begun))
    [ $((elapsed - last)) -ge $every ] || continue
    last=$elapsed
    line=$(printf '%s  %d:%02d  %d of %d packages' "$2" $((elapsed / 60)) $((elapsed % 60)) "$(wc -l <"$3")" "$4")
    if [ -t 2 ]; then printf '\r\033[K%s' "$line" >&2; else say "$line"; fi
  done
  [ ! -t 2 ] || printf '\r\033[K' >&2
}

build() { # build TOOL LABEL; the lock is held
  begun=$(date +%s)
  tmp=$(mktemp -d "$cache/bin/.tmp-XXXXXX")
  # Our own programs are small and rebuilt often: they are compiled in the user's own build cache, the
  # others in one that is dropped.
  gocache=$cache/go-build
  case $1 in cluster | serve-load) gocache=$(go env GOCACHE) ;; esac
  [ -t 2 ] && printf '%s  fetching modules' "$2" >&2 || say "$2  fetching modules"
  cd "$dir"
  # Listing the packages fetches the modules they come from, and no others.
  # shellcheck disable=SC2086  # a list of packages
  if ! go list -deps -tags "$tags" $packages >"$tmp/packages" 2>"$tmp/log"; then
    say
    cat "$tmp/log" >&2
    rm -rf "$tmp"
    die "$1: the Go modules could not be fetched (see above)"
  fi
  # shellcheck disable=SC2086
  GOCACHE=$gocache go build -v -trimpath -tags "$tags" -ldflags "$ldflags" -o "$tmp/out/" $packages 2>"$tmp/log" &
  child=$!
  progress $child "$2" "$tmp/log" "$(wc -l <"$tmp/packages")"
  if ! wait $child; then
    grep -v '^[a-zA-Z0-9_./-]*$' "$tmp/log" >&2 || tail -n 20 "$tmp/log" >&2
    rm -rf "$tmp"
    die "$1: go build failed (see above)"
  fi
  child=''
  [ "$1" != etcd ] || mv "$tmp/out/server" "$tmp/out/etcd"
  [ "$1" != cluster ] || mv "$tmp/out/cluster" "$tmp/out/foresail-cluster"
  [ "$1" != serve-load ] || mv "$tmp/out/load" "$tmp/out/serve-load"
  rm -rf "$target"
  mv "$tmp/out" "$target"
  rm -rf "$tmp"
  took=$(($(date +%s) - begun))
  say "$(printf '%s  done in %d:%02d' "$2" $((took / 60)) $((took % 60)))"
  # Older builds of the same tool that nothing has used for a month.
  find "$cache/bin" -maxdepth 1 -name "$1-*" -mtime +30 -exec rm -rf {} +
}

# --- main ---------------------------------------------------------------------------------------
check=''
[ "${1:-}" != --check ] || { check=yes; shift; }
tools=${*:-kubernetes etcd kwok prometheus helm cluster}
missing=''
for tool in $tools; do
  [ "$tool" = etcd ] && [ -n "$assets" ] && continue
  describe "$tool"
  stands || missing="$missing $tool"
done
[ -z "$check" ] || [ -z "$missing" ] || exit 3

if [ -n "$missing" ]; then
  command -v flock >/dev/null 2>&1 || die 'the program "flock" (util-linux) is needed to build'
  mkdir -p "$cache/bin"
  child='' tmp=''
  # go build dies with its shell, half-made folders too.
  trap '[ -z "$child" ] || kill "$child" 2>/dev/null; [ -z "$tmp" ] || rm -rf "$tmp"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  # The lock ends with the last process that holds the descriptor: a kill -9 leaves none behind.
  exec 9>"$cache/build.lock"
  flock -n 9 || { say 'foresail: another build is running on this machine, waiting for it'; flock 9; }
  rm -rf "$cache"/bin/.tmp-*
  # shellcheck disable=SC2086
  set -- $missing
  n=$# i=0
  for tool; do
    i=$((i + 1))
    describe "$tool"
    stands || build "$tool" "$(printf '[%d/%d] %-10s' $i "$n" "$tool")"
  done
  # 10 GB that nobody needs once the binaries stand.
  if [ -d "$cache/go-build" ]; then rm -rf "$cache/go-build"; fi
  exec 9>&-
fi

for tool in $tools; do
  if [ "$tool" = etcd ] && [ -n "$assets" ]; then continue; fi
  describe "$tool"
  touch "$target" 2>/dev/null || true # another user may own a shared cache
  for p in $programs; do
    case " $fromassets " in *" $p "*) continue ;; esac
    printf '%s %s\n' "$p" "$target/$p"
  done
done
if [ -n "$assets" ]; then
  for p in $fromassets; do
    [ -x "$assets/$p" ] || die "KUBEBUILDER_ASSETS=$assets holds no program $p"
    printf '%s %s\n' "$p" "$assets/$p"
  done
fi
